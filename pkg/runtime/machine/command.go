package machine

import (
	"reflect"
	"strings"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// command takes one request, and answers it unless it is a shutdown: that one is
// answered when the tree is down.
func (t *Tree) command(c Command) {
	if field := blank(c.Cause); field != "" {
		t.reject(c, ErrInvalid, field+" is blank; say who asks and why")
		return
	}
	switch c.Verb {
	case ShutdownTree:
		t.shutdownTree(c)
		return
	case HurryUp:
		t.hurryCommand(c)
		return
	}
	if t.shutdown != nil && c.Verb != SendSignal {
		t.reject(c, ErrShuttingDown, "the tree is shutting down: "+t.shutdown.cause.Reason)
		return
	}
	if lacksSpec(c) {
		t.reject(c, ErrInvalid, "spec is missing; "+string(c.Verb)+" needs one")
		return
	}
	if c.Verb == Add {
		t.add(c)
		return
	}
	s, ok := t.children[c.Child]
	switch {
	case !ok:
		t.reject(c, ErrChildNotFound, "child not found: "+string(c.Child))
	case s.operation == child.Removed && c.Verb != Remove && c.Verb != SendSignal:
		t.reject(c, ErrStillStopping, string(c.Child)+" is being removed; add it again once it is gone")
	default:
		before := s.operation
		r := t.childCommand(s, c)
		r.To, r.Before, r.After = c.ID, before, s.operation
		t.reply(r)
	}
}

func (t *Tree) childCommand(s *state, c Command) Reply {
	if s.isSupervisor() && needsProcess(c.Verb) {
		return refused(ErrInvalid, string(c.Child)+" is a supervisor and owns no process; "+string(c.Verb)+" its children instead")
	}
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
	return v == Restart || v == Pause || v == Quarantine || v == SendSignal
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

func (t *Tree) reject(c Command, code ErrorCode, message string) {
	r := refused(code, message)
	r.To = c.ID
	if s, ok := t.children[c.Child]; ok {
		r.Before, r.After = s.operation, s.operation
	}
	t.reply(r)
}

func (t *Tree) shutdownTree(c Command) {
	switch d := t.shutdown; {
	case d == nil:
		t.beginShutdown(c)
	case d.report != nil:
		t.replyReport(c.ID, true)
	default:
		d.waiting = append(d.waiting, c.ID)
	}
}

func (t *Tree) hurryCommand(c Command) {
	switch {
	case t.shutdown == nil:
		t.reject(c, ErrInvalid, "no shutdown is under way; there is nothing to hurry")
	case t.shutdown.hurried || t.shutdown.report != nil:
		t.reply(Reply{To: c.ID, Decision: Idempotent})
	default:
		t.hurryUp()
		t.reply(Reply{To: c.ID, Decision: Accepted})
	}
}

func (t *Tree) add(c Command) {
	switch s, ok := t.children[c.Child]; {
	case ok && s.operation == child.Removed:
		t.reject(c, ErrStillStopping, string(c.Child)+" is still being removed; add it again once it is gone")
		return
	case ok:
		t.reject(c, ErrChildExists, "child exists already: "+string(c.Child))
		return
	}
	s := t.insert(c.Child, c.Spec, c.Origin)
	t.factBy(s, ChildAdded, c.Cause)
	t.idle(s)
	t.tellDependants(s.id)
	t.reply(Reply{To: c.ID, Decision: Accepted, After: s.operation})
}

func (t *Tree) remove(s *state, c Command) Reply {
	if s.operation == child.Removed {
		return Reply{Decision: Idempotent}
	}
	s.operation, s.hold, s.pendingRestart = child.Removed, nil, nil
	t.save(s)
	if s.hasAttempt() {
		t.beginStop(s, string(Remove), c.Cause)
	} else {
		t.forget(s)
	}
	return Reply{Decision: Accepted}
}

// restart replaces the running attempt, or starts a child that has none.
func (t *Tree) restart(s *state, c Command) Reply {
	if s.spec.Suspend {
		return refused(ErrInvalid, string(s.id)+" is suspended by its manifest; set suspend: false there to start it")
	}
	if s.pendingRestart != nil {
		return Reply{Decision: AlreadyPending}
	}
	t.release(s, c.Cause)
	return Reply{Decision: t.renew(s, Restart, c.Cause)}
}

// renew brings about a new attempt of a child that should run.
func (t *Tree) renew(s *state, why Verb, cause child.Cause) Decision {
	s.forgive()
	if !s.hasAttempt() {
		t.idle(s)
		return StartedImmediately
	}
	s.pendingRestart = &child.PendingRestart{
		OldGeneration: s.generation, OldAttempt: s.attempt,
		TargetGeneration: s.fence, Cause: cause,
	}
	t.beginStop(s, string(why), cause)
	if s.stop == nil {
		return StartedImmediately // it had no process after all
	}
	return QueuedAfterStop
}

// release ends a pause or a quarantine.
func (t *Tree) release(s *state, cause child.Cause) {
	if s.operation != child.Active {
		s.operation, s.hold = child.Active, nil
		t.factBy(s, ChildResumed, cause)
		t.saveSync(s)
	}
}

// holdBack is a pause or a quarantine.
func (t *Tree) holdBack(s *state, c Command, op child.Operation, how FactKind) Reply {
	if s.operation == op {
		return Reply{Decision: Idempotent}
	}
	s.operation, s.pendingRestart = op, nil
	s.hold = &child.Hold{Cause: c.Cause, At: t.wall}
	t.factBy(s, how, c.Cause)
	if s.hasAttempt() {
		t.beginStop(s, string(c.Verb), c.Cause)
	} else {
		s.stopState = child.NoActiveAttempt
		t.idle(s)
	}
	t.saveSync(s)
	return Reply{Decision: Accepted}
}

func (t *Tree) resume(s *state, c Command) Reply {
	if s.operation == child.Active {
		return Reply{Decision: Idempotent}
	}
	t.release(s, c.Cause)
	s.forgive()
	if !s.hasAttempt() {
		t.idle(s)
	}
	return Reply{Decision: Accepted}
}

func (t *Tree) sendSignal(s *state, c Command) Reply {
	switch {
	case c.Signal == "":
		return refused(ErrInvalid, "signal is missing; name one, such as SIGHUP")
	case !s.alive():
		return refused(ErrNoProcess, string(s.id)+" has no running process; its phase is "+string(s.phase))
	case !t.connected:
		return refused(ErrNotConnected, "the shim cannot be reached now, so no signal can be sent; try again")
	}
	t.emit(Signal{Key: s.key(), Signal: c.Signal})
	return Reply{Decision: Accepted}
}

// sameSpec compares specs field by field; equal ones are mostly the same one.
func sameSpec(a, b *child.Spec) bool { return a == b || reflect.DeepEqual(a, b) }
