package runtime

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"time"

	"github.com/go-logr/logr"

	"github.com/reconciler-dev/reconciler/internal/account"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/logs"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
	"github.com/reconciler-dev/reconciler/pkg/runtime/shim"
	"github.com/reconciler-dev/reconciler/pkg/runtime/task"
)

// tailLines is how many of its last lines an exit report keeps.
const tailLines = 10

// ShimProcesses are real processes, owned by a shim. What needs the machine's
// databases or a slow disk (users, env files, the search for the executable) is
// done in a goroutine of its own, so that the runtime's loop never waits.
type ShimProcesses struct {
	client   *shim.Client
	host     Host
	stateDir string
	log      logr.Logger
	events   chan machine.Event
	kick     chan struct{} // one slot: starts is not empty

	probes probes
	files  *files
	tasks  *task.Registry // nil: none

	mu     sync.Mutex
	epoch  uint64          // counts the connections that were lost
	starts []machine.Start // of this epoch; bounded by the tree: at most one for a role of a child
	shim   shim.Info
	down   string // why there is no connection; empty: there is one
}

// NewShimProcesses are the processes of the shim of stateDir. The command line
// starts such a shim when there is none.
func NewShimProcesses(stateDir string, command []string, host Host, log logr.Logger) (*ShimProcesses, error) {
	seen, err := newFiles(stateDir)
	if err != nil {
		return nil, err
	}
	client, err := shim.NewClient(shim.ClientConfig{
		StateDir: stateDir, Command: command,
		Log: func(msg string, kv ...any) { log.Info(msg, kv...) },
	})
	if err != nil {
		return nil, err
	}
	return &ShimProcesses{
		client: client, host: host, stateDir: stateDir, log: log, files: seen,
		// Without a buffer: the tree has taken Detached before the client is told
		// of a new connection, so nothing that it decided on the word of the old
		// one can reach the new one.
		events: make(chan machine.Event), kick: make(chan struct{}, 1),
	}, nil
}

// Run connects to the shim and stays connected until ctx ends.
func (p *ShimProcesses) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var parts sync.WaitGroup
	parts.Go(func() { p.resolve(ctx) })
	parts.Go(func() { p.translate(ctx) })
	err := p.client.Run(ctx)
	cancel()
	parts.Wait()
	if p.tasks != nil {
		err = errors.Join(err, p.tasks.Stop())
	}
	return err
}

// Shim is the process that owns the children, the zero Info before the first
// connection; and, while there is no connection, why.
func (p *ShimProcesses) Shim() (by shim.Info, down string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.shim, p.down
}

// Quit asks the shim to end. It does so only when it owns nothing.
func (p *ShimProcesses) Quit() { p.client.Quit() }

// Events are the answers, and what happened by itself.
func (p *ShimProcesses) Events() <-chan machine.Event { return p.events }

// Start queues one start.
func (p *ShimProcesses) Start(s machine.Start) {
	if p.isTask(s) {
		p.tasks.Start(s)
		return
	}
	p.mu.Lock()
	p.starts = append(p.starts, s)
	p.mu.Unlock()
	select {
	case p.kick <- struct{}{}:
	default:
	}
}

// Signal passes a signal on.
func (p *ShimProcesses) Signal(s machine.Signal) {
	if p.tasks != nil && p.tasks.Knows(s.Key) {
		p.tasks.Signal(s)
		return
	}
	p.client.Signal(s.Key, s.Signal, s.Tree)
}

// Acknowledge lets the shim forget an exit.
func (p *ShimProcesses) Acknowledge(key child.Key) {
	if p.tasks != nil && p.tasks.Knows(key) {
		p.tasks.Acknowledge(key)
		return
	}
	p.client.Ack(key)
}

// slowStarts is how many starts may wait for a name service at one time.
const slowStarts = 8

// resolve turns queued starts into launches. Those for which a name service must be
// asked (a user of LDAP) do that beside the others: a server that does not answer
// holds up nobody else.
func (p *ShimProcesses) resolve(ctx context.Context) {
	var asking sync.WaitGroup
	defer asking.Wait()
	free := make(chan struct{}, slowStarts)
	quick := p.host
	quick.accounts.FilesOnly = true
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.kick:
		}
		p.mu.Lock()
		starts, epoch := p.starts, p.epoch
		p.starts = nil
		p.mu.Unlock()
		for _, s := range starts {
			if s.Key.Role == child.Main && hasFiles(s.Spec) {
				p.tell(ctx, machine.FilesSeen{Key: s.Key, Files: p.filesOf(s.Spec, true)}) // before it reads them
			}
			launch, err := quick.launch(ctx, s)
			if !errors.Is(err, account.ErrElsewhere) {
				p.settle(ctx, s, epoch, launch, err)
				continue
			}
			asking.Go(func() {
				select {
				case free <- struct{}{}:
					defer func() { <-free }()
				case <-ctx.Done():
					return
				}
				if launch, err := p.host.launch(ctx, s); ctx.Err() == nil { // else nobody hears it, and it failed for no reason of its own
					p.settle(ctx, s, epoch, launch, err)
				}
			})
		}
	}
}

// settle passes a launch on, or tells why there is none.
func (p *ShimProcesses) settle(ctx context.Context, s machine.Start, epoch uint64, launch shim.Launch, err error) {
	if failed := p.pass(epoch, launch, err); failed {
		p.tell(ctx, machine.StartFailed{Key: s.Key, Reason: err.Error(), At: time.Now()})
	}
}

// pass hands a launch to the shim, unless the connection that it was decided on
// is gone: then the tree asks again. It reports whether there is none to hand on.
func (p *ShimProcesses) pass(epoch uint64, launch shim.Launch, err error) (failed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if epoch != p.epoch {
		return false
	}
	if err == nil {
		p.client.Start(launch)
	}
	return err != nil
}

// translate turns the shim's words into the tree's. What tasks tell comes only
// between Adopted and Detached: the next Adopted has it.
func (p *ShimProcesses) translate(ctx context.Context) {
	var tasks <-chan struct{}
	for {
		select {
		case <-ctx.Done():
			return
		case ev := <-p.client.Events():
			translated := p.translated(ev)
			switch ev.(type) {
			case shim.Listed:
				tasks = p.pendingTasks()
			case shim.Down:
				tasks = nil
			}
			p.tell(ctx, translated)
			if list, ok := ev.(shim.Listed); ok {
				p.tellSaid(ctx, list.Running)
			}
		case <-tasks:
			p.tellOfTasks(ctx)
		}
	}
}

// tell passes an event to the tree, or to who waits for a probe.
func (p *ShimProcesses) tell(ctx context.Context, ev machine.Event) {
	if ev = p.withoutProbes(ev); ev != nil {
		p.send(ctx, ev)
	}
}

func (p *ShimProcesses) send(ctx context.Context, ev machine.Event) {
	select {
	case p.events <- ev:
	case <-ctx.Done():
	}
}

func (p *ShimProcesses) translated(ev shim.Event) machine.Event {
	switch ev := ev.(type) {
	case shim.Listed:
		p.greeted(ev.Shim)
		adopted := machine.Adopted{NoRealTime: !ev.Shim.Can(shim.RealTimeSignals)}
		for _, proc := range ev.Running {
			adopted.Processes = append(adopted.Processes, process(proc))
		}
		for _, rep := range ev.Exits {
			adopted.Exits = append(adopted.Exits, p.exited(rep))
		}
		return p.withTasks(adopted)
	case shim.Started:
		return machine.Started{Process: process(ev.Process)}
	case shim.StartFailed:
		return machine.StartFailed{Key: ev.Key, Reason: ev.Reason, Busy: ev.Busy, At: ev.At}
	case shim.Exited:
		return p.exited(ev.Report)
	case shim.Notified:
		return notified(ev.Key, ev.Notice)
	case shim.Output:
		return machine.LogChanged{Key: ev.Key, Log: logState(&ev)}
	case shim.Down:
		p.mu.Lock()
		p.epoch++
		p.down = ev.Err.Error()
		p.starts = nil
		p.mu.Unlock()
		return machine.Detached{Reason: ev.Err.Error()}
	}
	panic("runtime: the shim sent an event that is none of its events")
}

// greeted notes who owns the processes now. What an older shim cannot do is told,
// once for each shim.
func (p *ShimProcesses) greeted(by shim.Info) {
	p.mu.Lock()
	same := p.shim.PID == by.PID && p.shim.StartedAt.Equal(by.StartedAt)
	p.shim, p.down = by, ""
	p.mu.Unlock()
	if same {
		return
	}
	for _, c := range by.Lacks() {
		p.log.Info("the running shim is of an older version and lacks a capability; children run on",
			"pid", by.PID, "version", by.Version, "capability", string(c), "it", c.Without())
	}
}

func process(p shim.Process) machine.Process {
	return machine.Process{Key: p.Key, Attempt: p.Attempt, PID: p.PID, StartedAt: p.StartedAt, WeakKill: p.WeakKill, Log: logState(p.Output)}
}

func logState(o *shim.Output) child.LogState {
	if o == nil {
		return child.LogState{}
	}
	return child.LogState{Blocked: o.Blocked, Drops: o.Drops, Dropped: o.Dropped}
}

// exited adds the last lines of output: the shim reports an exit only after the
// output is in the file, and the next attempt starts only after this report.
func (p *ShimProcesses) exited(r shim.Report) machine.Exited {
	tail := r.Tail
	if r.Key.Role == child.Main {
		tail = logs.Tail(filepath.Join(p.stateDir, "logs", string(r.Key.ID)), tailLines)
	}
	return machine.Exited{
		Key: r.Key, Attempt: r.Attempt, PID: r.PID, Code: r.Code, Signal: r.Signal,
		CoreDumped: r.CoreDumped, OOMKilled: r.OOMKilled, Lost: r.Lost,
		StartedAt: r.StartedAt, FinishedAt: r.FinishedAt, Leftovers: r.Leftovers,
		LogTail: tail,
	}
}
