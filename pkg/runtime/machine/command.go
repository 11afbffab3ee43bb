package machine

import (
	"reflect"
	"strings"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// command takes one request and tells of it, whatever becomes of it. It is
// answered at once, unless it is a shutdown: that one is answered when the tree
// is down.
func (t *Tree) command(c Command) {
	at := len(t.out.facts)
	r := t.decide(c)
	r.To = c.ID
	t.audit(at, c, r)
	if c.Verb != ShutdownTree || r.Decision == Rejected || r.Report != nil {
		t.reply(r)
	}
}

func (t *Tree) decide(c Command) Reply {
	s, ok := t.children[c.Child]
	r := t.refusal(c, s)
	switch {
	case r.Decision == Rejected:
		if ok {
			r.Before, r.After = s.operation, s.operation
		}
	case c.Verb == ShutdownTree:
		r = t.shutdownTree(c)
	case c.Verb == HurryUp:
		r = t.hurryCommand()
	case c.Verb == Leave:
		r = t.leaveChildren(c)
	case c.Verb == Add:
		r = t.add(c)
	default:
		r = t.commandOf(s, c)
	}
	return r
}

// refusal is why a command is not even looked at; its decision is blank when it is.
func (t *Tree) refusal(c Command, s *state) Reply {
	if field := blank(c.Cause); field != "" {
		return refused(ErrInvalid, field+" is blank; say who asks and why")
	}
	switch {
	case t.left != nil && c.Verb != Leave:
		return refused(ErrShuttingDown, "the control plane ends and leaves its children: "+t.left.Reason)
	case c.Verb == ShutdownTree || c.Verb == HurryUp:
		return Reply{}
	case t.shutdown != nil && c.Verb != SendSignal:
		return refused(ErrShuttingDown, "the tree is shutting down: "+t.shutdown.cause.Reason)
	case c.Verb == Leave:
		return Reply{}
	case lacksSpec(c):
		return refused(ErrInvalid, "spec is missing; "+string(c.Verb)+" needs one")
	case c.Verb == Add && s == nil:
		if _, err := child.ParseID(string(c.Child)); err != nil {
			return refused(ErrInvalid, err.Error())
		}
		return Reply{}
	case c.Verb == Add && s.operation == child.Removed:
		return refused(ErrStillStopping, string(c.Child)+" is still being removed; add it again once it is gone")
	case c.Verb == Add:
		return refused(ErrChildExists, "child exists already: "+string(c.Child))
	case s == nil:
		return refused(ErrChildNotFound, "child not found: "+string(c.Child))
	case s.operation == child.Removed && c.Verb != Remove && c.Verb != SendSignal:
		return refused(ErrStillStopping, string(c.Child)+" is being removed; add it again once it is gone")
	case s.isSupervisor() && needsProcess(c.Verb):
		return refused(ErrInvalid, string(c.Child)+" is a supervisor and owns no process; "+string(c.Verb)+" its children instead")
	}
	return Reply{}
}

// commandOf carries out a command to one child. What follows belongs to the
// command, if that changed the child's course; else the child goes on as it was.
func (t *Tree) commandOf(s *state, c Command) Reply {
	before, was := s.course(), s.correlation
	s.correlation = t.correlation
	r := t.childCommand(s, c)
	if s.course() == before {
		s.correlation = was
	}
	r.Before, r.After = before.operation, s.operation
	return r
}

func (t *Tree) childCommand(s *state, c Command) Reply {
	switch c.Verb {
	case Update:
		return t.update(s, c)
	case Replace:
		return t.replace(s, c)
	case Remove:
		return t.remove(s, c)
	case Restart:
		return t.restart(s, c)
	case Pause:
		return t.holdBack(s, c, child.Paused, ChildPaused)
	case Quarantine:
		return t.holdBack(s, c, child.OperationQuarantined, ChildQuarantined)
	case Resume:
		return t.resume(s, c)
	case SendSignal:
		return t.sendSignal(s, c)
	}
	return refused(ErrInvalid, "verb "+string(c.Verb)+" is unknown")
}

func needsProcess(v Verb) bool {
	return v == Pause || v == Quarantine || v == SendSignal
}

// blank names the field of a cause that says nothing.
func blank(c child.Cause) string {
	switch {
	case strings.TrimSpace(c.RequestedBy) == "":
		return "requested_by"
	case strings.TrimSpace(c.Reason) == "":
		return "reason"
	}
	return ""
}

func lacksSpec(c Command) bool {
	return c.Spec == nil && (c.Verb == Add || c.Verb == Update || c.Verb == Replace)
}

func refused(code ErrorCode, message string) Reply {
	return Reply{Decision: Rejected, Code: code, Message: message}
}

// shutdownTree has no report before the tree is down: then replyReport answers.
func (t *Tree) shutdownTree(c Command) Reply {
	switch d := t.shutdown; {
	case d == nil:
		t.beginShutdown(c.Cause, t.correlation)
		t.shutdown.waiting = []CommandID{c.ID}
		return Reply{Decision: Accepted}
	case d.report == nil:
		d.waiting = append(d.waiting, c.ID)
	}
	return Reply{Decision: Idempotent, Report: t.shutdown.report, Message: "asked for already by " + t.shutdown.cause.RequestedBy}
}

// leaveChildren ends the tree as it is. Whatever runs or is under way is adopted by the
// next one.
func (t *Tree) leaveChildren(c Command) Reply {
	if t.left != nil {
		return Reply{Decision: Idempotent, Message: "asked for already by " + t.left.RequestedBy}
	}
	t.left = &c.Cause
	return Reply{Decision: Accepted}
}

func (t *Tree) hurryCommand() Reply {
	switch {
	case t.shutdown == nil:
		return refused(ErrInvalid, "no shutdown is under way; there is nothing to hurry")
	case t.shutdown.hurried || t.shutdown.report != nil:
		return Reply{Decision: Idempotent}
	}
	t.hurryUp()
	return Reply{Decision: Accepted}
}

func (t *Tree) add(c Command) Reply {
	s := t.insert(c.Child, c.Spec, c.Origin)
	t.factBy(s, ChildAdded, c.Cause)
	t.idle(s)
	t.tellDependants(s.id)
	return Reply{Decision: Accepted, After: s.operation}
}

func (t *Tree) remove(s *state, c Command) Reply {
	if s.operation == child.Removed {
		return Reply{Decision: Idempotent}
	}
	t.setOperation(s, child.Removed, c.Cause)
	s.hold = nil
	t.cancelRestart(s, c.Cause.Reason)
	t.save(s)
	switch {
	case !s.hasAttempt():
		t.leave(s)
	case len(t.removedBefore(s)) > 0:
		s.removal = &c.Cause
		t.touch(s)
	default:
		t.beginStop(s, string(Remove), c.Cause)
	}
	return Reply{Decision: Accepted}
}

// restart replaces the running attempt, or starts a child that has none.
func (t *Tree) restart(s *state, c Command) Reply {
	if s.spec.Suspend {
		return refused(ErrInvalid, suspended(s))
	}
	if s.isSupervisor() && !s.hasAttempt() {
		return t.restartFolder(s, c.Cause)
	}
	if p := s.pendingRestart; p != nil {
		return t.conflict(s, p, c.Cause)
	}
	t.release(s, c.Cause)
	return Reply{Decision: t.renew(s, Restart, c.Cause)}
}

// renew brings about a new attempt of a child that should run.
func (t *Tree) renew(s *state, why Verb, cause child.Cause) Decision {
	s.forgive()
	if !s.hasAttempt() {
		if why == Restart {
			s.betweenRuns = false
		}
		t.idle(s)
		return t.starts(s)
	}
	return t.renewAttempt(s, why, cause)
}

// renewAttempt replaces the attempt of a child that has one.
func (t *Tree) renewAttempt(s *state, why Verb, cause child.Cause) Decision {
	if s.pendingRestart == nil {
		f := t.fact(s, RestartFenceEntered, cause.Reason)
		f.Cause, f.Target = cause, s.fence
	}
	s.pendingRestart = &child.PendingRestart{
		OldGeneration: s.generation, OldAttempt: s.attempt,
		TargetGeneration: s.fence, Cause: cause,
	}
	t.beginStop(s, string(why), cause)
	if s.stop == nil {
		return t.starts(s) // it had no process after all
	}
	return QueuedAfterStop
}

// starts tells a start that nothing is in the way of from one that has to wait.
func (t *Tree) starts(s *state) Decision {
	if missing, _ := t.missing(s); len(missing)+len(t.obstacles(s)) > 0 || s.part.in != nil {
		return Accepted
	}
	return StartedImmediately
}

func suspended(s *state) string {
	return string(s.id) + " is suspended by its manifest; set suspend: false there to start it"
}

// final reports whether a child has come to its end by its restart policy. A
// pause and a resume leave it there: a job that was done is not done again.
func (s *state) final() bool { return s.phase == child.Completed || s.phase == child.FailedPhase }

// conflict makes a restart one with the one that is pending.
func (t *Tree) conflict(s *state, p *child.PendingRestart, cause child.Cause) Reply {
	f := t.fact(s, RestartConflict, "one restart is pending already")
	f.Cause, f.Target = cause, p.TargetGeneration
	return Reply{Decision: AlreadyPending, Message: "a restart is pending already, asked for by " + p.Cause.RequestedBy + ": " + p.Cause.Reason}
}

// release ends a pause or a quarantine.
func (t *Tree) release(s *state, cause child.Cause) {
	if s.operation != child.Active {
		t.setOperation(s, child.Active, cause)
		s.hold = nil
		t.factBy(s, ChildResumed, cause)
		t.saveSync(s)
	}
}

// holdBack is a pause or a quarantine.
func (t *Tree) holdBack(s *state, c Command, op child.Operation, how FactKind) Reply {
	if s.operation == op {
		return Reply{Decision: Idempotent, Message: string(op) + " already by " + s.hold.RequestedBy + ": " + s.hold.Reason}
	}
	t.setOperation(s, op, c.Cause)
	t.cancelRestart(s, c.Cause.Reason)
	s.hold = &child.Hold{Cause: c.Cause, At: t.wall}
	t.factBy(s, how, c.Cause)
	switch {
	case s.hasAttempt():
		t.beginStop(s, string(c.Verb), c.Cause)
	case op == child.Paused && s.final():
		s.stopState = child.NoActiveAttempt
	default:
		s.stopState = child.NoActiveAttempt
		t.idle(s)
	}
	t.saveSync(s)
	return Reply{Decision: Accepted}
}

func (t *Tree) resume(s *state, c Command) Reply {
	switch {
	case s.operation == child.Active && s.spec.Suspend:
		return refused(ErrInvalid, suspended(s))
	case s.operation == child.Active:
		return Reply{Decision: Idempotent, Message: string(s.id) + " is neither paused nor quarantined; its phase is " + string(s.phase)}
	}
	t.release(s, c.Cause)
	s.forgive()
	if !s.hasAttempt() && !s.final() {
		t.idle(s)
	}
	if s.spec.Suspend {
		return Reply{Decision: Accepted, Message: suspended(s)}
	}
	return Reply{Decision: Accepted}
}

func (t *Tree) sendSignal(s *state, c Command) Reply {
	if err := child.CheckSignal(c.Signal); err != nil {
		return refused(ErrInvalid, err.Error())
	}
	switch {
	case !s.alive():
		return refused(ErrNoProcess, string(s.id)+" has no running process; its phase is "+string(s.phase))
	case !t.connected:
		return refused(ErrNotConnected, "the shim cannot be reached now, so no signal can be sent; try again")
	}
	if _, realTime := child.RealTimeSignal(c.Signal); realTime && t.noRealTime {
		return refused(ErrInvalid, "the running shim is of an older version and cannot send "+c.Signal+"; docs/upgrade.md says how to replace it")
	}
	t.emit(Signal{Key: s.key(), Signal: c.Signal})
	return Reply{Decision: Accepted}
}

// sameSpec compares specs field by field; equal ones are mostly the same one.
func sameSpec(a, b *child.Spec) bool { return a == b || reflect.DeepEqual(a, b) }
