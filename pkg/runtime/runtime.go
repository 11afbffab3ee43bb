package runtime

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
	"github.com/reconciler-dev/reconciler/pkg/runtime/probe"
)

const (
	inboxSize    = 64  // commands that may wait; a full inbox slows the asker
	turn         = 256 // events taken together at most: one write of records for many
	retryRecords = time.Second
)

// Recorder makes the records of the tree durable before they are acted on.
type Recorder interface {
	Append([]machine.Record) error
}

// Journal keeps what happened, for people. What it could not write it keeps, and
// writes before the facts of the next call.
type Journal interface {
	Append(facts []machine.Fact, wall time.Time) error
}

// Config is what a Runtime is made of. Processes and Records are required.
type Config struct {
	Processes Processes
	Records   Recorder
	Restored  []machine.Record // what an earlier run recorded
	Journal   Journal          // may be nil
	Prober    Prober           // nil: one that knows no captured output
	// Files are those that a child must be told about when they change, with their
	// content now, sorted by path; nil: no child is told.
	Files func(*child.Spec) []child.FileHash

	// Linked is called by the loop after Health().Connected has changed. It must not
	// wait; nil: nobody wants to know.
	Linked func()

	// LookTime is how long the children of an earlier run wait, before they start, for
	// somebody to say with Handle.Seen that they are still what is declared; then they
	// start as they were declared last. 0: they do not wait.
	LookTime time.Duration

	StartSlots int    // starts under way at the same time
	Seed       uint64 // of the jitter
	Log        logr.Logger

	// Run begins the IDs of all commands and must be another one for each run.
	// New makes one from the time if it is blank.
	Run string

	// ExitOnCritical ends the run when a critical child has ended for good; Run
	// then returns a *CriticalEndError.
	ExitOnCritical bool
}

// Runtime is the loop around the tree. Make it with New, let it Run once.
type Runtime struct {
	cfg    Config
	tree   *machine.Tree
	board  *board
	handle *Handle
	inbox  chan request

	filesSeen chan machine.FilesSeen
	seen      chan machine.Seen
	adopted   chan struct{}
	ended     chan struct{}
	begun     time.Time // with its monotonic reading: the zero of machine.Instant

	// Owned by the loop.
	waiting   map[machine.CommandID]chan machine.Reply
	unwritten []machine.Record    // the records that could not be written yet
	owed      map[place]child.Key // the first end of each child since then: the shim keeps it
	alarm     *time.Timer

	journalFails bool // that was said

	mu       sync.Mutex // guards what follows; never held while anything waits
	state    State
	observed time.Time
	linked   bool
	lost     time.Time // since when not
	recErr   string
	unwell   []child.ID // replaced as a whole
	report   *ExitReport
	shutdown *machine.ShutdownReport
}

type request struct {
	id    machine.CommandID
	event machine.Event // a Command or a Noted
	reply chan machine.Reply
}

// New makes a runtime from what an earlier run recorded. It starts nothing.
func New(cfg Config) (*Runtime, error) {
	if cfg.Processes == nil || cfg.Records == nil {
		return nil, errors.New("runtime: Processes and Records are required")
	}
	if cfg.Prober == nil {
		cfg.Prober = probe.New(probe.Config{})
	}
	if cfg.StartSlots <= 0 {
		return nil, fmt.Errorf("runtime: %d start slots; at least one is needed", cfg.StartSlots)
	}
	now := time.Now()
	if cfg.Run == "" {
		cfg.Run = newRun(now)
	}
	r := &Runtime{
		cfg: cfg,
		tree: machine.Restore(machine.Config{
			Next:       nextRun,
			LookTime:   cfg.LookTime,
			StartSlots: cfg.StartSlots, Seed: cfg.Seed, Run: cfg.Run, ExitOnCritical: cfg.ExitOnCritical,
		}, 0, now, cfg.Restored),
		board: newBoard(),
		inbox: make(chan request, inboxSize),

		filesSeen: make(chan machine.FilesSeen),
		seen:      make(chan machine.Seen),
		adopted:   make(chan struct{}),
		ended:     make(chan struct{}),
		begun:     now,
		waiting:   map[machine.CommandID]chan machine.Reply{},
		owed:      map[place]child.Key{},
		state:     StateStarting,
	}
	r.handle = &Handle{r: r}
	r.board.publish(r.tree.IDs(), r.tree.Snapshot)
	return r, nil
}

// Handle is the way to command this runtime.
func (r *Runtime) Handle() *Handle { return r.handle }

// Run is the loop. It returns nil when the tree was shut down by command, a
// *FailedError or a *CriticalEndError when the tree shut itself down, and the cause when ctx ends first; then children run on, and the next run adopts
// them. A panic of the tree is returned as an error, after the exit report.
func (r *Runtime) Run(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the runtime's loop broke an invariant of its own: %v", p)
			r.cfg.Log.Error(err, "the runtime ends; children run on", "stack", string(debug.Stack()))
			r.finish(ExitReport{State: StateFailed, Phase: "watchdog", Reason: err.Error(), Recoverable: true, Panic: true})
		}
	}()
	r.alarm = time.NewTimer(time.Hour)
	defer r.alarm.Stop()
	r.tellOfItself(machine.RuntimeStarted, "")
	defer r.startProber(ctx)()
	defer r.startFiles(ctx)()
	r.carryOut()
	for !r.tree.Done() {
		select {
		case q := <-r.inbox:
			r.take(q)
		case ev := <-r.cfg.Processes.Events():
			r.step(ev)
		case ev := <-r.cfg.Prober.Results():
			r.step(ev)
		case ev := <-r.filesSeen:
			r.step(ev)
		case ev := <-r.seen:
			r.step(ev)
		case <-r.alarm.C:
			r.step(machine.Ticked{})
		case <-ctx.Done():
			r.finish(ExitReport{State: StateFailed, Phase: "message_loop", Reason: context.Cause(ctx).Error(), Recoverable: true})
			return context.Cause(ctx)
		}
		r.stepWaiting()
		r.carryOut()
	}
	r.finish(r.completed())
	return r.whyDown()
}

// stepWaiting takes whatever else is already there, so that a burst of exits
// costs one write of records and one publication.
func (r *Runtime) stepWaiting() {
	for range turn {
		select {
		case q := <-r.inbox:
			r.take(q)
		case ev := <-r.cfg.Processes.Events():
			r.step(ev)
		case ev := <-r.cfg.Prober.Results():
			r.step(ev)
		default:
			return
		}
	}
}

func (r *Runtime) take(q request) {
	r.waiting[q.id] = q.reply
	r.step(q.event)
}

func (r *Runtime) step(ev machine.Event) {
	if _, lost := ev.(machine.Detached); lost {
		r.cfg.Prober.CancelAll() // the tree waits for none of its answers any more
	}
	now := time.Now()
	r.tree.Step(machine.Instant(now.Sub(r.begun)), now, ev)
}

// carryOut does what the tree left to do, in the order that Ready prescribes,
// and arms the one timer.
//
// Where a command is among the facts they come first of all: no kill may leave a
// child that does as it was told, and nobody on record who told it. Killed in between,
// an entry stands there whose command was never acknowledged and did nothing.
func (r *Runtime) carryOut() {
	ready := r.tree.Ready()
	commanded := slices.ContainsFunc(ready.Facts, machine.Fact.IsCommand)
	if commanded {
		r.tell(ready.Facts)
	}
	r.record(ready.Records)
	for _, e := range ready.Effects {
		switch e := e.(type) {
		case machine.Start:
			r.cfg.Processes.Start(e)
		case machine.Signal:
			r.cfg.Processes.Signal(e)
		case machine.Acknowledge:
			r.acknowledge(e.Key)
		case machine.Probe:
			r.cfg.Prober.Probe(e)
		case machine.CancelProbe:
			r.cfg.Prober.Cancel(e)
		}
	}
	r.board.publish(ready.Changed, r.tree.Snapshot)
	if !commanded {
		r.tell(ready.Facts)
	}
	if slices.ContainsFunc(ready.Facts, func(f machine.Fact) bool { return f.Kind == machine.ShutdownRequested }) {
		r.mu.Lock()
		r.state = StateShuttingDown
		r.mu.Unlock()
	}
	for _, reply := range ready.Replies {
		r.answer(reply)
	}
	r.observe()
	r.arm()
}

// record makes records durable. When that cannot be (the disk is full), the
// runtime goes on all the same, because a child that stays down is worse than a
// memory that is late: the records are kept and written as soon as they can be,
// Health says so, and the shim's own table still guards against a second attempt.
func (r *Runtime) record(recs []machine.Record) {
	if len(recs)+len(r.unwritten) == 0 {
		return
	}
	all := recs
	if len(r.unwritten) > 0 {
		all = append(r.unwritten, recs...)
	}
	err := r.cfg.Records.Append(all)
	r.mu.Lock()
	was := r.recErr
	r.recErr = ""
	if err != nil {
		r.recErr = err.Error()
	}
	r.mu.Unlock()
	switch {
	case err != nil:
		r.unwritten = newestOnly(all)
		if was == "" {
			r.cfg.Log.Error(err, "state cannot be recorded; going on, retrying each second")
		}
	case was != "":
		r.unwritten = nil
		r.payOwed()
		r.cfg.Log.Info("state is recorded again")
	}
}

func (r *Runtime) answer(reply machine.Reply) {
	if reply.Report != nil {
		r.mu.Lock()
		r.shutdown = reply.Report
		r.mu.Unlock()
	}
	if c, ok := r.waiting[reply.To]; ok {
		c <- reply // has room: one reply a command
		delete(r.waiting, reply.To)
	}
}

func (r *Runtime) observe() {
	connected, unwell := r.tree.Connected(), r.tree.Unwell()
	r.mu.Lock()
	r.unwell = unwell
	r.observed = time.Now()
	switch {
	case connected:
		r.lost = time.Time{}
	case r.linked:
		r.lost = r.observed
	}
	changed := r.linked != connected
	r.linked = connected
	if connected && r.state == StateStarting {
		r.state = StateAlive
	}
	r.mu.Unlock()
	if changed && r.cfg.Linked != nil {
		r.cfg.Linked()
	}
	if connected {
		select {
		case <-r.adopted:
		default:
			close(r.adopted)
		}
	}
}

func (r *Runtime) arm() {
	wait := time.Hour
	if next, ok := r.tree.Next(); ok {
		wait = time.Duration(next) - time.Since(r.begun)
	}
	if len(r.unwritten) > 0 {
		wait = min(wait, retryRecords)
	}
	r.alarm.Reset(max(wait, 0))
}

func (r *Runtime) health() Health {
	r.mu.Lock()
	defer r.mu.Unlock()
	return Health{
		Alive: r.state == StateAlive, State: r.state, StartedAt: r.begun, LastObserved: r.observed,
		Connected: r.linked, Lost: r.lost, RecordsError: r.recErr, Report: r.report,
		Degraded: len(r.unwell) > 0, Unwell: r.unwell,
	}
}

// completed is the exit report of an orderly end.
func (r *Runtime) completed() ExitReport {
	if by := r.tree.Left(); by != nil {
		return ExitReport{
			State: StateCompleted, Phase: "leave", Recoverable: true,
			Reason: "told by " + by.RequestedBy + " to end and to leave the children running: " + by.Reason,
		}
	}
	s := r.tree.Report()
	r.mu.Lock()
	r.shutdown = s
	r.mu.Unlock()
	rep := ExitReport{
		State: StateCompleted, Phase: "shutdown", Children: s.Outcomes,
		VerifiedClean: s.VerifiedClean, Orphans: s.Orphans,
		Reason: "shutdown requested by " + s.Cause.RequestedBy + ": " + s.Cause.Reason,
	}
	switch {
	case s.Failure != nil:
		rep.State, rep.Phase, rep.Reason, rep.Recoverable = StateFailed, s.Failure.Phase, s.Failure.Reason, s.Failure.Recoverable
	case s.EndedBy != "":
		rep.Phase, rep.Reason = "critical_child_ended", s.Cause.Reason
	}
	return rep
}

func (r *Runtime) finish(rep ExitReport) {
	rep.CompletedAt = time.Now()
	r.tellOfItself(machine.RuntimeEnded, fmt.Sprintf("state=%s, phase=%s: %s", rep.State, rep.Phase, rep.Reason))
	r.mu.Lock()
	r.report, r.state = &rep, rep.State
	r.mu.Unlock()
	close(r.ended)
}

func (r *Runtime) exitReport() ExitReport {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.report == nil {
		return ExitReport{}
	}
	return *r.report
}

func (r *Runtime) finalReport() *machine.ShutdownReport {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.shutdown
}
