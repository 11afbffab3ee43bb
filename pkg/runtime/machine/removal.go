package machine

import "github.com/reconciler-dev/reconciler/pkg/runtime/child"

// Children that are removed together stop in the order of a shutdown: who depends on
// another one, or has it as its sidecar, is gone before that one is asked to stop. The
// commands may come in one pass or in several, as long as the dependants' come first.
// A dependant that cannot be killed is not waited for, nor do those of a circle wait
// for each other.

// removeInTurn stops the attempt of a child that is removed, once its turn has come.
func (t *Tree) removeInTurn(s *state) {
	if s.operation != child.Removed || s.phase != child.Running || s.live.folder || t.shutdown != nil || len(t.removedBefore(s)) > 0 {
		return
	}
	cause := child.Cause{RequestedBy: runtimeItself, Reason: "a removal that was under way"}
	if s.removal != nil {
		cause = *s.removal
	}
	t.beginStop(s, string(Remove), cause)
}

// removedBefore names those whose removal that of a running child waits for.
func (t *Tree) removedBefore(s *state) (names []string) {
	if s.operation != child.Removed || s.phase != child.Running || s.live.folder || t.shutdown != nil {
		return nil
	}
	t.eachStoppedBefore(s, func(d *state) {
		if d.operation == child.Removed && !(d.stop != nil && d.stop.stage == stopGivenUp) && !t.waitsInCircle(d, s, map[*state]bool{}) {
			names = append(names, "the end of "+string(d.id))
		}
	})
	return names
}

// waitsInCircle reports whether the removal of d waits, over others perhaps, for that of s.
func (t *Tree) waitsInCircle(d, s *state, been map[*state]bool) (circle bool) {
	if been[d] || d.operation != child.Removed || d.phase != child.Running {
		return false
	}
	been[d] = true
	t.eachStoppedBefore(d, func(next *state) {
		circle = circle || next == s || t.waitsInCircle(next, s, been)
	})
	return circle
}

// eachStoppedBefore visits whatever is gone before a child is stopped: the reverse of
// eachStoppedAfter.
func (t *Tree) eachStoppedBefore(s *state, visit func(*state)) {
	for _, id := range t.dependants[s.id] {
		if d := t.children[id]; d != s && d.spec.SidecarOf != s.id {
			visit(d)
		}
	}
	if p := t.children[s.spec.SidecarOf]; p != nil && p != s {
		visit(p)
	}
}

// lookAtStoppedAfter says that a child is gone, or will not go.
func (t *Tree) lookAtStoppedAfter(s *state) {
	if s.operation == child.Removed {
		t.eachStoppedAfter(s, t.lookAt)
	}
}
