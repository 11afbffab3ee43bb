package machine

import (
	"fmt"
	"slices"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// charge takes one automatic restart of a child from the budget that it shares:
// that of its failure group if it is in one, else that of its supervisor. It is
// false when there is none left; then what follows from that was done, and the
// child does not restart by itself. A sidecar has only its own limit, because its
// failures must not touch its primary.
func (t *Tree) charge(s *state, why string) bool {
	p := t.parentOf(s)
	if p == nil || s.isSidecar() {
		return true
	}
	last := fmt.Sprintf("the last was %s: %s", s.id, why)
	if g := failureGroup(p, s); g != nil {
		if t.countInGroup(p, g) {
			return true
		}
		t.quarantineGroup(p, g, fmt.Sprintf("failure group %s of %s: %s; %s", g.Tag, p.id, limitReason(&g.RestartLimit), last))
		return false
	}
	if t.countRestart(p) {
		if p.spec.RestartLimit != nil {
			t.follow(p)
			t.save(p)
		}
		return true
	}
	t.idle(s)
	t.failUpward(p, last)
	return false
}

// failureGroup is the group of a supervisor that a child belongs to: the first
// one whose tag it carries. Nil: none.
func failureGroup(p, s *state) *child.FailureGroup {
	for i := range p.spec.FailureGroups {
		if g := &p.spec.FailureGroups[i]; slices.Contains(s.spec.Tags, g.Tag) {
			return g
		}
	}
	return nil
}

func (t *Tree) countInGroup(p *state, g *child.FailureGroup) bool {
	t.forgetOldRestarts(p)
	used := p.groups[g.Tag]
	if len(used) >= g.RestartLimit.MaxRestarts {
		return false
	}
	if p.groups == nil {
		p.groups = map[string][]Instant{}
	}
	p.groups[g.Tag] = append(used, t.now)
	t.follow(p)
	t.save(p)
	return true
}

// quarantineGroup quarantines the members of a failure group that should run, and
// only those. Its count begins anew: who releases one of them wants to try.
func (t *Tree) quarantineGroup(p *state, g *child.FailureGroup, reason string) {
	delete(p.groups, g.Tag)
	t.follow(p)
	t.fact(p, GroupQuarantined, reason)
	t.save(p)
	for _, id := range t.members[p.id] {
		m := t.children[id]
		ended := m.phase == child.Completed || m.phase == child.FailedPhase
		if failureGroup(p, m) == g && !m.isSidecar() && !m.isSupervisor() && m.operation == child.Active && !ended {
			t.quarantine(m, reason)
		}
	}
}

// quarantine takes a child out of service for a reason of the runtime's own.
func (t *Tree) quarantine(s *state, reason string) {
	cause := child.Cause{RequestedBy: runtimeItself, Reason: reason}
	t.follow(s)
	t.setOperation(s, child.OperationQuarantined, cause)
	t.cancelRestart(s, reason)
	s.hold = &child.Hold{Cause: cause, At: t.wall}
	t.factBy(s, ChildQuarantined, cause)
	if s.hasAttempt() {
		t.beginStop(s, string(Quarantine), cause)
	} else {
		t.idle(s)
	}
	t.saveSync(s)
}

// failUpward is what a supervisor does whose members used up its limit. For its
// own supervisor it is one failed child: it counts against that one's limit, rests,
// and restarts by that one's strategy, with everything in it, as if nothing had
// happened to them before. A supervisor that has no other above it ends the runtime.
// last names the child that was one too many.
func (t *Tree) failUpward(s *state, last string) {
	reason := limitReason(s.spec.RestartLimit) + "; " + last
	t.follow(s)
	t.fact(s, SupervisorFailed, reason)
	ran := ranFor(s.live.readyAt, t.wall)
	t.forgiveBelow(s)
	p := t.parentOf(s)
	switch {
	case p == nil:
		t.failRuntime(s, reason)
		return
	case !t.countRestart(p):
		t.failUpward(p, last)
		return
	}
	t.save(p)
	if ran >= s.spec.Backoff.ResetAfter.Duration() {
		s.quick = 0
	} else {
		s.quick++
	}
	s.live, s.phase, s.rest = attempt{}, child.Pending, moment{}
	s.failure = &child.Failure{Phase: "restart_limit", Reason: reason, Recoverable: true}
	t.spread(s, string(s.id)+" failed: "+reason)
	s.phase = child.BackingOff
	t.backOff(s, ran, reason)
}

// forgiveBelow clears the counters of whatever stands in a supervisor, and what
// it counted itself.
func (t *Tree) forgiveBelow(s *state) {
	s.restarts, s.groups = nil, nil
	t.eachBelow(s, func(m *state) {
		if m != s {
			m.forgive()
			m.groups = nil
			t.save(m)
		}
	})
	t.save(s)
}

// failRuntime ends the run: there is nobody left to decide.
func (t *Tree) failRuntime(s *state, reason string) {
	reason = fmt.Sprintf("supervisor %s failed: %s", s.id, reason)
	t.beginShutdown(child.Cause{RequestedBy: runtimeItself, Reason: reason}, s.about())
	t.shutdown.failure = &child.Failure{Phase: "restart_limit", Reason: reason, Recoverable: true}
}
