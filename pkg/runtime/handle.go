package runtime

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

// ErrChildNotFound is what errors.Is finds in the refusal of a command to a
// child that does not exist.
var ErrChildNotFound = errors.New("child not found")

// CommandError is the refusal of one command. Nothing was changed.
type CommandError struct {
	Code    machine.ErrorCode
	Message string
}

// Error is the message for people.
func (e *CommandError) Error() string { return e.Message }

// Is makes errors.Is(err, ErrChildNotFound) work.
func (e *CommandError) Is(target error) bool {
	return target == ErrChildNotFound && e.Code == machine.ErrChildNotFound
}

// EndedError is the answer to every command once the runtime has ended.
type EndedError struct{ Report ExitReport }

// Error names how the runtime ended.
func (e *EndedError) Error() string {
	return fmt.Sprintf("the runtime has ended: state=%s, phase=%s, reason=%s", e.Report.State, e.Report.Phase, e.Report.Reason)
}

// Outcome is what became of an accepted command.
type Outcome struct {
	CommandID machine.CommandID
	Decision  machine.Decision
	Message   string          // for people: why there was nothing to do; mostly blank
	Before    child.Operation // what the operator wanted before, and after
	After     child.Operation
}

// Handle is the one way to command a Runtime and to look at it. All methods may
// be called from any goroutine.
type Handle struct {
	r    *Runtime
	last atomic.Uint64 // the number of the last command
}

// Add declares a new child and starts it as soon as its dependencies allow.
func (h *Handle) Add(ctx context.Context, id child.ID, s *child.Spec, o child.Origin, c child.Cause) (Outcome, error) {
	return h.command(ctx, machine.Command{Verb: machine.Add, Child: id, Spec: s, Origin: o, Cause: c})
}

// Update gives a child a spec that its running attempt need not notice.
func (h *Handle) Update(ctx context.Context, id child.ID, s *child.Spec, o child.Origin, c child.Cause) (Outcome, error) {
	return h.command(ctx, machine.Command{Verb: machine.Update, Child: id, Spec: s, Origin: o, Cause: c})
}

// Replace gives a child a new spec and a new attempt: stop, then start.
func (h *Handle) Replace(ctx context.Context, id child.ID, s *child.Spec, o child.Origin, c child.Cause) (Outcome, error) {
	return h.command(ctx, machine.Command{Verb: machine.Replace, Child: id, Spec: s, Origin: o, Cause: c})
}

// Remove stops a child and forgets it. The child is visible until its last
// process is gone.
func (h *Handle) Remove(ctx context.Context, id child.ID, c child.Cause) (Outcome, error) {
	return h.command(ctx, machine.Command{Verb: machine.Remove, Child: id, Cause: c})
}

// Restart replaces the running attempt, or starts a child that does not run. It
// releases a pause and a quarantine.
func (h *Handle) Restart(ctx context.Context, id child.ID, c child.Cause) (Outcome, error) {
	return h.command(ctx, machine.Command{Verb: machine.Restart, Child: id, Cause: c})
}

// Pause stops a child; it stays declared and stopped until Resume or Restart.
func (h *Handle) Pause(ctx context.Context, id child.ID, c child.Cause) (Outcome, error) {
	return h.command(ctx, machine.Command{Verb: machine.Pause, Child: id, Cause: c})
}

// Resume ends a pause or a quarantine and starts the child.
func (h *Handle) Resume(ctx context.Context, id child.ID, c child.Cause) (Outcome, error) {
	return h.command(ctx, machine.Command{Verb: machine.Resume, Child: id, Cause: c})
}

// Quarantine stops a child and blocks automatic restarts until Resume, Restart
// or a changed spec.
func (h *Handle) Quarantine(ctx context.Context, id child.ID, c child.Cause) (Outcome, error) {
	return h.command(ctx, machine.Command{Verb: machine.Quarantine, Child: id, Cause: c})
}

// Signal sends one signal, such as "SIGHUP", to the main process of a child.
func (h *Handle) Signal(ctx context.Context, id child.ID, signal string, c child.Cause) (Outcome, error) {
	return h.command(ctx, machine.Command{Verb: machine.SendSignal, Child: id, Signal: signal, Cause: c})
}

// ShutdownTree stops every child, dependants before their dependencies, and
// returns the report when all are gone or were given up. It may be called again,
// also concurrently: every caller gets the same report.
func (h *Handle) ShutdownTree(ctx context.Context, c child.Cause) (*machine.ShutdownReport, error) {
	reply, err := h.ask(ctx, machine.Command{Verb: machine.ShutdownTree, Cause: c})
	var ended *EndedError
	if errors.As(err, &ended) && h.r.finalReport() != nil {
		return h.r.finalReport(), nil
	}
	if err != nil {
		return nil, err
	}
	return reply.Report, nil
}

// Hurry cuts the grace of a shutdown under way to zero: what still runs is
// killed now.
func (h *Handle) Hurry(ctx context.Context, c child.Cause) error {
	_, err := h.command(ctx, machine.Command{Verb: machine.HurryUp, Cause: c})
	return err
}

// Leave ends the runtime and leaves its children running, for the next one to
// adopt. It returns the report of the end, the same one to everybody who asks.
func (h *Handle) Leave(ctx context.Context, c child.Cause) (ExitReport, error) {
	_, err := h.command(ctx, machine.Command{Verb: machine.Leave, Cause: c})
	var ended *EndedError
	if err != nil && !errors.As(err, &ended) {
		return ExitReport{}, err
	}
	return h.Join(ctx)
}

// Seen says that children are what they are declared to be now: somebody has looked.
// Those of an earlier run wait for it before they start, see Config.LookTime.
func (h *Handle) Seen(ctx context.Context, ids []child.ID) error {
	select {
	case h.r.seen <- machine.Seen{IDs: ids}:
		return nil
	case <-h.r.ended:
		return &EndedError{Report: h.r.exitReport()}
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Children are the latest snapshots, sorted by ID. They are immutable.
func (h *Handle) Children() []*child.Snapshot { return h.r.board.all() }

// Child is the latest snapshot of one child.
func (h *Handle) Child(id child.ID) (*child.Snapshot, bool) { return h.r.board.get(id) }

// Subscribe tells which children change from now on. Close it when done.
func (h *Handle) Subscribe() *Subscription { return h.r.board.subscribe() }

// Adopted is closed once the runtime knows which processes live: before that,
// nothing may be planned.
func (h *Handle) Adopted() <-chan struct{} { return h.r.adopted }

// Health is how the runtime itself is. It can be asked at any time, also after
// the end.
func (h *Handle) Health() Health { return h.r.health() }

// Join waits for the end of the runtime and returns its report: the same one,
// however often and from wherever it is called.
func (h *Handle) Join(ctx context.Context) (ExitReport, error) {
	select {
	case <-h.r.ended:
		return h.r.exitReport(), nil
	case <-ctx.Done():
		return ExitReport{}, context.Cause(ctx)
	}
}

func (h *Handle) command(ctx context.Context, c machine.Command) (Outcome, error) {
	reply, err := h.ask(ctx, c)
	if err != nil {
		return Outcome{}, err
	}
	return Outcome{
		CommandID: reply.To, Decision: reply.Decision, Message: reply.Message, Before: reply.Before, After: reply.After,
	}, nil
}

// ask puts one command into the inbox and waits for its reply. A full inbox
// slows the asker, never the loop.
func (h *Handle) ask(ctx context.Context, c machine.Command) (machine.Reply, error) {
	c.ID = h.newID()
	reply, err := h.send(ctx, request{id: c.ID, event: c, reply: make(chan machine.Reply, 1)})
	if err == nil {
		err = refusal(reply)
	}
	return reply, err
}

func (h *Handle) newID() machine.CommandID {
	return machine.CommandID(fmt.Sprintf("%s-%d", h.r.cfg.Run, h.last.Add(1)))
}

// Note puts on record a request that no command carries, as the journal tells of
// commands, and returns the ID that it has there. It returns when the entry is written.
func (h *Handle) Note(ctx context.Context, n machine.Noted) (machine.CommandID, error) {
	n.ID = h.newID()
	_, err := h.send(ctx, request{id: n.ID, event: n, reply: make(chan machine.Reply, 1)})
	return n.ID, err
}

// send is ask without a look at the answer.
func (h *Handle) send(ctx context.Context, q request) (machine.Reply, error) {
	select {
	case h.r.inbox <- q:
	case <-h.r.ended:
		return machine.Reply{}, &EndedError{Report: h.r.exitReport()}
	case <-ctx.Done():
		return machine.Reply{}, context.Cause(ctx)
	}
	select {
	case reply := <-q.reply:
		return reply, nil
	case <-h.r.ended:
	case <-ctx.Done():
		return machine.Reply{}, context.Cause(ctx)
	}
	select { // the end and the reply may have come together
	case reply := <-q.reply:
		return reply, nil
	default:
		return machine.Reply{}, &EndedError{Report: h.r.exitReport()}
	}
}

func refusal(reply machine.Reply) error {
	if reply.Decision != machine.Rejected {
		return nil
	}
	return &CommandError{Code: reply.Code, Message: reply.Message}
}

// Health is how the runtime itself is, and which critical children are unwell.
type Health struct {
	Alive        bool
	State        State
	StartedAt    time.Time
	LastObserved time.Time // when the loop last finished a turn
	Connected    bool      // the owner of the processes answers
	Lost         time.Time // since when it does not; zero: it does, or never did
	RecordsError string    // why the last change could not be recorded; empty: it was

	Degraded bool       // a critical child cannot run
	Unwell   []child.ID // which ones, sorted; not to be written to
	Report   *ExitReport
}

// State is the life of the runtime.
type State string

// The states of a runtime.
const (
	StateStarting     State = "starting"
	StateAlive        State = "alive"
	StateShuttingDown State = "shutting_down"
	StateCompleted    State = "completed"
	StateFailed       State = "failed"
)

// ExitReport is how a runtime ended.
type ExitReport struct {
	State       State
	Phase       string
	Reason      string
	Recoverable bool
	Panic       bool
	CompletedAt time.Time
	Children    []machine.ShutdownOutcome

	// VerifiedClean says that the end of every process was seen; else Orphans are
	// those that are alive as far as anybody knows. A runtime that did not shut its
	// tree down has verified nothing, and lists none.
	VerifiedClean bool
	Orphans       []child.Orphan
}
