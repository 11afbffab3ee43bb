package machine

import "github.com/reconciler-dev/reconciler/pkg/runtime/child"

// restartFolder restarts a supervisor by command: everything in it that runs or
// wants to, together, as if the supervisor had failed but without a rest. What
// spoke against its children is forgotten; who is held back stays so.
func (t *Tree) restartFolder(s *state, cause child.Cause) Reply {
	resting := s.phase == child.BackingOff
	if g := s.part.in; g != nil && !resting {
		return Reply{Decision: AlreadyPending, Message: string(s.id) + " restarts already: " + g.reason}
	}
	t.forgiveBelow(s)
	s.forgive()
	t.eachBelow(s, func(m *state) {
		t.follow(m)
		if m.phase == child.BackingOff {
			t.fact(m, ChildRestarting, "its rest is over: restart of "+string(s.id))
			t.idle(m)
		}
	})
	if !resting {
		t.regroup(s.id, []*state{s}, "restarted by "+cause.RequestedBy+": "+cause.Reason)
	}
	if g := s.part.in; g != nil && g.alive > 0 {
		return Reply{Decision: QueuedAfterStop}
	}
	return Reply{Decision: StartedImmediately}
}
