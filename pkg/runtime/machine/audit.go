package machine

import (
	"slices"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// CommandFact is what a fact tells of a command.
type CommandFact struct {
	ID       CommandID
	Verb     Verb
	Signal   string    // of SendSignal
	Decision Decision  // what became of it
	Code     ErrorCode // when Rejected
}

// The facts of commands: each command has exactly one, before those of what it
// led to. Of those that change nothing too many are only counted, see noted.go.
const (
	CommandAccepted FactKind = "command_accepted" // also when nothing had to be done: the decision says so
	CommandRefused  FactKind = "command_refused"
)

// The facts of states that a command or an exit leads to.
const (
	OperationChanged      FactKind = "operation_changed" // From, To
	ChildStopCompleted    FactKind = "child_stop_completed"
	ChildStopped          FactKind = "child_stopped"   // at rest, as it was asked to be
	ChildCompleted        FactKind = "child_completed" // ended well, not to be restarted
	ChildFailed           FactKind = "child_failed"    // ended badly, not to be restarted
	ChildRestarting       FactKind = "child_restarting"
	RestartLimitUpdated   FactKind = "restart_limit_updated"
	RestartFenceEntered   FactKind = "restart_fence_entered"         // a restart waits for the old attempt to end
	RestartFenceAbort     FactKind = "restart_fence_abort_requested" // the old attempt gets SIGKILL
	RestartFenceReleased  FactKind = "restart_fence_released"        // the old attempt is gone; the next may start
	RestartFenceCancelled FactKind = "restart_fence_cancelled"       // the next attempt is not wanted any more
	RestartConflict       FactKind = "restart_conflict"              // asked for while one is pending: they are one
	ShutdownOutcomeKnown  FactKind = "shutdown_outcome"              // of one child
	RuntimeStarted        FactKind = "runtime_started"               // told by the loop around the tree, as is the next
	RuntimeEnded          FactKind = "runtime_ended"
)

// IsCommand reports whether f is the audit of a command.
func (f Fact) IsCommand() bool { return f.Command != nil }

// audit tells of a command. at is where the facts of its consequences begin.
func (t *Tree) audit(at int, c Command, r Reply) {
	f := Fact{
		Kind: CommandAccepted, Child: c.Child, Reason: r.Message, Cause: c.Cause, Correlation: string(c.ID),
		Command: &CommandFact{ID: c.ID, Verb: c.Verb, Signal: c.Signal, Decision: r.Decision, Code: r.Code},
	}
	if r.Decision == Rejected {
		f.Kind = CommandRefused
	}
	if s, ok := t.children[c.Child]; ok {
		f.Generation, f.Attempt, f.PID = s.generation, s.attempt, s.live.pid
	}
	if t.leftOut(f) {
		t.out.facts = t.out.facts[:at]
		return
	}
	t.out.facts = slices.Insert(t.out.facts, at, f)
}

// course is what a command may change of a child's way.
type course struct {
	phase     child.Phase
	operation child.Operation
	restart   *child.PendingRestart
	stop      *stop
}

func (s *state) course() course {
	return course{s.phase, s.operation, s.pendingRestart, s.stop}
}

// setOperation is what the operator wants of a child from now on.
func (t *Tree) setOperation(s *state, op child.Operation, cause child.Cause) {
	from := s.operation
	s.operation = op
	if from != op {
		f := t.fact(s, OperationChanged, cause.Reason)
		f.Cause, f.From, f.To = cause, string(from), string(op)
	}
}

// cancelRestart drops a restart that waits for the old attempt.
func (t *Tree) cancelRestart(s *state, why string) {
	if s.pendingRestart != nil {
		t.fact(s, RestartFenceCancelled, why)
		s.pendingRestart = nil
	}
}

// fenceOpens is called when the old attempt of a pending restart is gone.
func (t *Tree) fenceOpens(s *state) {
	p := s.pendingRestart
	switch {
	case p == nil:
		return
	case t.shutdown != nil || !s.wanted():
		t.cancelRestart(s, "the tree is shutting down")
		return
	}
	f := t.fact(s, RestartFenceReleased, p.Cause.Reason)
	f.Cause, f.Target = p.Cause, p.TargetGeneration
	s.pendingRestart = nil
}

// rested says that a child without an attempt came to its phase.
func (t *Tree) rested(s *state, before child.Phase) {
	atRest := func(p child.Phase) bool { return p == child.Stopped || p == child.Quarantined }
	if !atRest(s.phase) || atRest(before) || before == "" {
		return
	}
	t.fact(s, ChildStopped, restReason(t, s)).To = string(s.phase)
}

func restReason(t *Tree, s *state) string {
	switch {
	case s.hold != nil:
		return s.hold.Reason
	case s.spec.Suspend:
		return "suspended by its manifest"
	case t.shutdown != nil:
		return "shutdown: " + t.shutdown.cause.Reason
	}
	return ""
}

// tellLimit tells of the use of a restart limit when it changed.
func (t *Tree) tellLimit(s *state) {
	if used := len(s.restarts); used != s.toldUsed {
		s.toldUsed = used
		use := limitUse(s)
		t.fact(s, RestartLimitUpdated, "").Limit = &use
	}
}
