package machine

import (
	"fmt"
	"maps"
	"slices"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// cannotRun tells a child in trouble from one that is on its way or that somebody
// stopped on purpose: it failed for good, is quarantined by whomever, crashes in a
// loop (also while an attempt of it happens to run), or did not start when it was
// last tried.
func (s *state) cannotRun() bool {
	switch s.phase {
	case child.FailedPhase, child.Quarantined:
		return true
	case child.BackingOff, child.Pending:
		if s.failure != nil && s.failure.Phase == "start" {
			return true
		}
	}
	return s.quick >= crashLoop && s.wanted()
}

// judge notes whether a critical child can run.
func (t *Tree) judge(s *state) {
	unwell := s.spec.Criticality == child.Critical && s.cannotRun()
	if _, was := t.unwell[s.id]; was != unwell {
		t.setUnwell(s, unwell)
	}
	if t.cfg.ExitOnCritical && s.spec.Criticality == child.Critical && t.shutdown == nil && t.connected && s.endedForGood() {
		t.endRunFor(s)
	}
}

func (t *Tree) setUnwell(s *state, unwell bool) {
	if unwell {
		t.unwell[s.id] = struct{}{}
	} else {
		delete(t.unwell, s.id)
	}
	switch {
	case unwell && len(t.unwell) == 1:
		t.fact(s, RuntimeDegraded, "a critical child cannot run")
	case !unwell && len(t.unwell) == 0:
		t.fact(s, RuntimeRecovered, "all critical children can run")
	}
}

// Unwell are the critical children that cannot run, sorted. The slice is the
// caller's.
func (t *Tree) Unwell() []child.ID { return slices.Sorted(maps.Keys(t.unwell)) }

// endedForGood reports whether nothing but a person or a changed manifest starts a
// child again.
func (s *state) endedForGood() bool {
	switch s.phase {
	case child.Completed, child.FailedPhase:
		return true
	case child.Quarantined:
		return s.hold.RequestedBy == runtimeItself
	}
	return false
}

// endRunFor ends the run because a critical child ended. The next run begins without
// it, so that it runs again as it is declared then.
func (t *Tree) endRunFor(s *state) {
	s.again = true
	t.save(s)
	how := "it ended"
	if e := s.lastExit(); e != nil {
		how = e.Reason
	}
	t.beginShutdown(child.Cause{RequestedBy: runtimeItself, Reason: fmt.Sprintf("critical child %s is %s: %s", s.id, s.phase, how)}, s.about())
	t.shutdown.endedBy, t.shutdown.exit = s.id, s.lastExit()
}
