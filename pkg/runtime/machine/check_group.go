package machine

import (
	"fmt"
	"slices"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// checkPart is about one child's part in a regroup, and as a sidecar or as one
// that others must know to be unwell.
func (t *Tree) checkPart(s *state) error {
	g := s.part.in
	_, unwell := t.unwell[s.id]
	switch {
	case unwell != (s.spec.Criticality == child.Critical && s.cannotRun()):
		return fmt.Errorf("listed as an unwell critical child: %v", unwell)
	case !slices.Contains(t.members[parentID(s.id)], s.id) && s.id != child.RootSupervisor:
		return fmt.Errorf("its supervisor does not know it")
	case s.isSidecar() && s.hasAttempt() && s.stop == nil && t.shutdown == nil && !t.primaryIsThere(s):
		return fmt.Errorf("a sidecar runs without its primary %s", s.spec.SidecarOf)
	case g == nil && s.part != part{}:
		return fmt.Errorf("traces of a regroup: %+v", s.part)
	case g == nil:
		return nil
	case g.over || t.regroups[g.of] != g || !slices.Contains(g.members, s):
		return fmt.Errorf("a member of %s, which does not know it", g.name())
	case t.shutdown != nil:
		return fmt.Errorf("a member of %s in a shutdown", g.name())
	case s.live.folder:
		return fmt.Errorf("it runs as a folder in %s", g.name())
	case s.hasAttempt() && s.stop == nil && s.part.dependants <= 0:
		return fmt.Errorf("it is not stopped for %s, and nothing is before it", g.name())
	case s.part.draining != (s.stop != nil):
		return fmt.Errorf("draining for %s: %v", g.name(), s.part.draining)
	case s.part.rest != s.rest:
		return fmt.Errorf("%s believes that it rests until %v", g.name(), s.part.rest)
	}
	return nil
}

func (t *Tree) checkMembers() error {
	for of, list := range t.members {
		if !slices.IsSorted(list) || len(list) == 0 {
			return fmt.Errorf("members of %s: %v", of, list)
		}
		for _, id := range list {
			if t.children[id] == nil || parentID(id) != of {
				return fmt.Errorf("%s is entered as a member of %s", id, of)
			}
		}
	}
	for id := range t.unwell {
		if t.children[id] == nil {
			return fmt.Errorf("%s is gone and unwell", id)
		}
	}
	return nil
}

// checkRegroups: a restart of a group makes progress. Something of it is being
// stopped, or rests; else it would be over.
func (t *Tree) checkRegroups() error {
	for of, g := range t.regroups {
		alive, draining := 0, 0
		var until moment
		for _, s := range g.members {
			if s.part.in != g || t.children[s.id] != s {
				return fmt.Errorf("%s has left %s", s.key(), g.name())
			}
			if s.hasAttempt() {
				alive++
			}
			if s.stop != nil {
				draining++
			}
			if s.rest.set && (!until.set || s.rest.at > until.at) {
				until = s.rest
			}
		}
		switch {
		case g.of != of || g.over || g.marked:
			return fmt.Errorf("%s is entered as %s: %+v", g.name(), of, *g)
		case alive != g.alive || draining != g.draining || until != g.until:
			return fmt.Errorf("%s counts %d alive, %d draining, rest until %v; there are %d, %d, %v", g.name(), g.alive, g.draining, g.until, alive, draining, until)
		case draining == 0 && !until.set:
			return fmt.Errorf("%s waits for nothing", g.name())
		}
	}
	return nil
}
