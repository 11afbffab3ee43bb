package machine

import (
	"reflect"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// update gives a child a new spec. What it says of a running child holds at
// once; the running attempt need not notice.
func (t *Tree) update(s *state, c Command) Reply {
	changed := !sameSpec(s.spec, c.Spec)
	switch {
	case !changed && s.origin == c.Origin:
		return Reply{Decision: Idempotent}
	case (c.Spec.Kind == child.Supervisor) != s.isSupervisor():
		return t.replace(s, c) // a process appears or goes: no attempt can live on
	}
	t.adoptSpec(s, c)
	if changed {
		t.releaseQuarantine(s, c.Cause)
		t.applySpec(s, c.Cause)
	}
	return Reply{Decision: Accepted}
}

// replace gives a child a new spec and a new attempt.
func (t *Tree) replace(s *state, c Command) Reply {
	if sameSpec(s.spec, c.Spec) && s.origin == c.Origin {
		return Reply{Decision: Idempotent}
	}
	t.adoptSpec(s, c)
	t.releaseQuarantine(s, c.Cause)
	switch {
	case s.hasAttempt() && s.wanted():
		s.live.stale = true
		return Reply{Decision: t.renew(s, Replace, c.Cause)}
	case s.hasAttempt():
		s.live.stale = true
		t.applySpec(s, c.Cause)
		return Reply{Decision: Accepted}
	}
	s.forgive()
	t.idle(s)
	if s.phase == child.Pending {
		return Reply{Decision: t.starts(s)}
	}
	return Reply{Decision: Accepted}
}

func (t *Tree) adoptSpec(s *state, c Command) {
	t.unindex(s)
	old := s.spec
	s.spec, s.origin = c.Spec, c.Origin
	t.isSeen(s)
	t.index(s)
	t.reprobe(s, old)
	t.rehook(s, old)
	s.reloadFailed, s.live.runLimit = "", moment{}
	if !reflect.DeepEqual(old.Schedule, s.spec.Schedule) {
		s.nextRun, s.queuedRun = moment{}, false
		s.betweenRuns = s.spec.Schedule != nil && !s.underWay()
	}
	t.noteAttempts(s, true)
	t.forgetOldRestarts(s)
	if s.part.in != nil {
		t.recount(s.part.in)
	}
	t.factBy(s, ChildUpdated, c.Cause)
	t.save(s)
}

// releaseQuarantine: a changed manifest is a new try.
func (t *Tree) releaseQuarantine(s *state, cause child.Cause) {
	if s.operation != child.OperationQuarantined {
		return
	}
	t.release(s, cause)
	s.forgive()
	if !s.hasAttempt() {
		t.idle(s)
	}
}

// applySpec makes a new spec hold for a child as it is now.
func (t *Tree) applySpec(s *state, cause child.Cause) {
	switch {
	case s.hasAttempt() && s.spec.Suspend:
		t.cancelRestart(s, "suspended by its manifest")
		t.beginStop(s, whySuspend, cause)
	case s.hasAttempt():
	case s.spec.Suspend, s.phase == child.Stopped:
		t.idle(s)
	case s.phase == child.BackingOff:
		if soonest := t.in(s.spec.Backoff.MaxDelay.Duration()); soonest.at < s.rest.at {
			s.rest = soonest
		}
	case s.phase == child.Completed || s.phase == child.FailedPhase:
		if last := s.lastExit(); last != nil && afterExit(s.spec.RestartPolicy, last.Kind) == child.BackingOff {
			t.idle(s)
		}
	}
}
