package machine

import (
	"maps"
	"slices"
	"strings"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// regroup is a restart of several children together. All their attempts are
// stopped first, dependants before what they depend on and otherwise all at once,
// told in the reverse order of their start. When all are gone and the rest of
// each that failed is over, they start, in their order. A child is in at most one
// regroup: two that meet become one.
//
// A member that is paused, suspended, quarantined or removed meanwhile is still
// waited for until its attempt is gone, and does not start. So it is with one that
// has ended for good.
type regroup struct {
	of          child.ID // the supervisor whose members restart, or that restarts itself
	reason      string
	correlation string
	members     []*state // in the order of their start

	alive    int    // members that have an attempt
	draining int    // those of them that are being stopped
	until    moment // the latest end of a member's rest
	stirred  bool   // that may have changed
	marked   bool   // it must be seen how far it has come
	over     bool
}

// part is a child's part in a regroup.
type part struct {
	in         *regroup
	rest       moment // as far as the group knows
	draining   bool   // its attempt is being stopped
	dependants int    // members that must be gone before it is stopped
}

// GroupRecord is a member's part in a restart of a group.
type GroupRecord struct {
	Of     child.ID `json:"of"`
	Reason string   `json:"reason"`
}

// whyGroup is what members are stopped for.
const whyGroup = "group_restart"

func (g *regroup) name() string { return "the group restart of " + string(g.of) }

func (g *regroup) cause() child.Cause {
	return child.Cause{RequestedBy: runtimeItself, Reason: "group restart of " + string(g.of) + ": " + g.reason}
}

// spread restarts with a child whatever the strategy of its supervisor says. The
// child itself has no attempt any more; its rest is planned.
func (t *Tree) spread(s *state, reason string) {
	p := t.parentOf(s)
	switch {
	case s.part.in != nil:
		t.mark(s.part.in)
	case p == nil || s.isSidecar():
	case strategyOf(p) != child.OneForOne:
		t.regroup(p.id, []*state{s}, reason)
	case s.isSupervisor():
		t.regroup(s.id, []*state{s}, reason)
	}
}

func strategyOf(supervisor *state) child.Strategy {
	if supervisor.spec.Strategy == "" {
		return child.OneForOne
	}
	return supervisor.spec.Strategy
}

// scope is what restarts together when some members of a supervisor, or it itself,
// are to: by its strategy, in the order of the start.
func (t *Tree) scope(of child.ID, failed []*state) []*state {
	supervisor := t.children[of]
	if supervisor == nil || slices.Contains(failed, supervisor) {
		return t.expand(failed)
	}
	order := t.startOrder(of)
	first := slices.IndexFunc(order, func(m *state) bool {
		return slices.ContainsFunc(failed, func(s *state) bool { return m == s || isBelow(m.id, s.id) })
	})
	switch strategy := strategyOf(supervisor); {
	case first < 0 || strategy == child.OneForOne:
		return t.expand(failed)
	case strategy == child.OneForAll:
		return t.expand(order)
	}
	return t.expand(order[first:])
}

func isBelow(folder, id child.ID) bool {
	return len(id) > len(folder) && id[:len(folder)] == folder && id[len(folder)] == '/'
}

func (t *Tree) expand(members []*state) (all []*state) {
	seen := map[*state]bool{}
	for _, m := range members {
		for _, s := range t.subtree(m) {
			if !seen[s] {
				seen[s] = true
				all = append(all, s)
			}
		}
	}
	return all
}

// regroup begins a restart of a group, or widens those under way that it meets.
func (t *Tree) regroup(of child.ID, failed []*state, reason string) {
	g := &regroup{of: of, reason: reason, correlation: failed[0].about(), members: t.scope(of, failed)}
	if len(g.members) == 1 && !g.members[0].isSupervisor() {
		return // it restarts alone
	}
	t.absorb(g)
	t.regroups[g.of] = g
	for _, s := range g.members {
		s.part = part{in: g}
		if s.live.folder {
			s.live, s.phase = attempt{}, child.Pending
		}
		s.correlation = g.correlation
		t.save(s)
	}
	t.groupFact(g, GroupRestartBegan)
	t.recount(g)
}

// absorb makes the regroups that g meets a part of it.
func (t *Tree) absorb(g *regroup) {
	met := map[*regroup]bool{}
	if old := t.regroups[g.of]; old != nil {
		met[old] = true
	}
	for _, s := range g.members {
		if s.part.in != nil {
			met[s.part.in] = true
		}
	}
	if len(met) == 0 {
		return
	}
	all := map[*state]bool{}
	for _, s := range g.members {
		all[s] = true
	}
	for old := range met { // in any order: the outermost one gives its name, and there is only one
		old.over = true
		delete(t.regroups, old.of)
		for _, s := range old.members {
			all[s] = true
		}
		if d := depth(old.of) - depth(g.of); d < 0 || d == 0 && old.of < g.of {
			g.of = old.of
		}
	}
	g.members = t.inOrder(g.of, all)
}

// inOrder puts members into the order of their start.
func (t *Tree) inOrder(of child.ID, all map[*state]bool) []*state {
	ordered := make([]*state, 0, len(all))
	take := func(s *state) {
		if all[s] {
			delete(all, s)
			ordered = append(ordered, s)
		}
	}
	if supervisor := t.children[of]; supervisor != nil {
		for _, s := range t.subtree(supervisor) {
			take(s)
		}
	}
	others := make([]*state, 0, len(all)) // what stands elsewhere by now
	for s := range all {
		others = append(others, s)
	}
	slices.SortFunc(others, func(a, b *state) int { return strings.Compare(string(a.id), string(b.id)) })
	return append(ordered, others...)
}

// recount finds out who of a regroup is to be stopped now, and stops them.
func (t *Tree) recount(g *regroup) {
	g.alive, g.draining, g.stirred = 0, 0, true
	for _, s := range g.members {
		s.part = part{in: g, rest: s.rest, draining: s.stop != nil}
		if s.hasAttempt() {
			g.alive++
		}
		if s.part.draining {
			g.draining++
		}
	}
	for _, s := range g.members {
		if s.hasAttempt() {
			t.eachStoppedAfter(s, func(on *state) {
				if on.part.in == g {
					on.part.dependants++
				}
			})
		}
	}
	for _, s := range slices.Backward(g.members) {
		if s.part.dependants == 0 {
			t.drainMember(s)
		}
	}
	t.mark(g)
}

func (t *Tree) drainMember(s *state) {
	if s.hasAttempt() && s.stop == nil {
		t.beginStop(s, whyGroup, s.part.in.cause())
	}
}

// memberStops is called when a stop of a member begins, whatever for.
func (t *Tree) memberStops(s *state) {
	if s.part.in != nil && !s.part.draining {
		s.part.draining = true
		s.part.in.draining++
	}
}

// memberGone is called when the attempt of a member has ended, by whatever.
func (t *Tree) memberGone(s *state) {
	g := s.part.in
	if g == nil {
		return
	}
	g.alive--
	if s.part.draining {
		s.part.draining = false
		g.draining--
	}
	t.mark(g)
	t.eachStoppedAfter(s, func(on *state) {
		if on.part.in != g {
			return
		}
		on.part.dependants--
		if on.part.dependants == 0 {
			t.drainMember(on)
		}
	})
}

// leaveGroup takes a member without an attempt out of its regroup.
func (t *Tree) leaveGroup(s *state) {
	if g := s.part.in; g != nil {
		g.members = slices.DeleteFunc(g.members, func(m *state) bool { return m == s })
		s.part, g.stirred = part{}, true
		t.mark(g)
	}
}

// stir tells the group of a child that its rest is another one, or that nothing
// else may keep the group.
func (t *Tree) stir(s *state) {
	g := s.part.in
	if g == nil {
		return
	}
	if s.rest != s.part.rest {
		s.part.rest, g.stirred = s.rest, true
	}
	if g.stirred || g.alive == 0 {
		t.mark(g)
	}
}

func (t *Tree) mark(g *regroup) {
	if !g.marked {
		g.marked = true
		t.marked = append(t.marked, g)
	}
}

// gather moves the regroups along that were marked. It reports whether that
// changed anything.
func (t *Tree) gather() bool {
	for len(t.marked) > 0 {
		g := t.marked[0]
		t.marked = t.marked[1:]
		g.marked = false
		if g.over {
			continue
		}
		if g.stirred {
			t.retime(g)
		}
		switch {
		case g.alive > 0 && g.draining == 0: // they depend on each other in a circle
			for _, s := range slices.Backward(g.members) {
				t.drainMember(s)
			}
			return true
		case g.alive == 0 && !g.until.set:
			t.regroupEnds(g)
			return true
		}
	}
	return false
}

// retime finds out when the last member has rested, and tells all of them.
func (t *Tree) retime(g *regroup) {
	var until moment
	for _, s := range g.members {
		if s.rest.set && (!until.set || s.rest.at > until.at) {
			until = s.rest
		}
	}
	g.stirred = false
	if until != g.until {
		g.until = until
		for _, s := range g.members {
			t.publish(s)
		}
	}
}

// regroupEnds lets the members start, each supervisor before what is in it.
func (t *Tree) regroupEnds(g *regroup) {
	t.endGroup(g)
	for _, s := range g.members {
		t.save(s)
		if s.phase == child.Pending {
			t.idle(s)
		}
	}
	t.groupFact(g, GroupRestarted)
}

func (t *Tree) groupFact(g *regroup, kind FactKind) {
	t.out.facts = append(t.out.facts, Fact{Kind: kind, Child: g.of, Reason: g.reason, Correlation: g.correlation})
}

func (t *Tree) endGroup(g *regroup) {
	g.over = true
	delete(t.regroups, g.of)
	for _, s := range g.members {
		s.part = part{}
		t.save(s)
	}
}

// endGroups forgets all regroups: a shutdown stops everything in an order of its
// own.
func (t *Tree) endGroups() {
	for _, of := range slices.Sorted(maps.Keys(t.regroups)) {
		t.endGroup(t.regroups[of])
	}
	t.marked = nil
}

// restoreGroups begins anew what an earlier run was at. Whom it restarts is found
// out again, because that run may have died before it recorded all of them.
func (t *Tree) restoreGroups(parts map[child.ID][]*state, reasons map[child.ID]string) {
	for _, of := range slices.Sorted(maps.Keys(parts)) {
		there := slices.DeleteFunc(parts[of], func(s *state) bool { return s.gone })
		if len(there) > 0 {
			t.regroup(of, there, reasons[of])
		}
	}
}
