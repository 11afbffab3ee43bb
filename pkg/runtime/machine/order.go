package machine

import (
	"slices"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// offer is what the dependants of a child see of it.
type offer struct {
	started, ready, completed, there bool
	trouble                          trouble
}

// links visits the IDs of the children that a child waits for before it starts.
func links(spec *child.Spec, visit func(child.ID)) {
	for _, d := range spec.Dependencies {
		visit(d.ID)
	}
	if spec.SidecarOf != "" {
		visit(spec.SidecarOf)
	}
}

// index enters a child with its dependencies.
func (t *Tree) index(s *state) {
	links(s.spec, func(on child.ID) {
		list := t.dependants[on]
		if at, found := slices.BinarySearch(list, s.id); !found {
			t.dependants[on] = slices.Insert(list, at, s.id)
		}
	})
}

func (t *Tree) unindex(s *state) {
	links(s.spec, func(on child.ID) {
		list := t.dependants[on]
		if at, found := slices.BinarySearch(list, s.id); found {
			list = slices.Delete(list, at, at+1)
		}
		if len(list) == 0 {
			delete(t.dependants, on)
		} else {
			t.dependants[on] = list
		}
	})
}

// offer tells the dependants of a child when they see something new of it.
func (t *Tree) offer(s *state) {
	if now := offering(s); now != s.offers {
		s.offers = now
		t.tellDependants(s.id)
	}
}

func offering(s *state) offer {
	return offer{
		started:   s.phase == child.Running,
		ready:     s.live.ready,
		completed: s.phase == child.Completed,
		there:     s.phase.HasProcess(),
		trouble:   troubleOf(s),
	}
}

func (t *Tree) tellDependants(id child.ID) {
	for _, d := range t.dependants[id] {
		t.lookAt(t.children[d])
	}
}

// satisfied reports whether a dependency has come as far as it must.
func (t *Tree) satisfied(d child.Dependency) bool {
	s, ok := t.children[d.ID]
	switch {
	case !ok:
		return false
	case d.Condition == child.WhenStarted:
		return s.phase == child.Running
	case d.Condition == child.WhenCompleted:
		return s.phase == child.Completed
	}
	return s.live.ready
}

// missing names the dependencies of a child that are not satisfied, for people,
// and gives the reason for its condition; "" when none is missing.
func (t *Tree) missing(s *state) (names []string, reason string) {
	for _, d := range s.spec.Dependencies {
		if t.satisfied(d) {
			continue
		}
		name, why := t.lack(d)
		names, reason = append(names, name), graver(reason, why)
	}
	if name, nowhere := t.missingPrimary(s); name != "" {
		why := reasonNotReady
		if nowhere {
			why = reasonUndeclared
		}
		names, reason = append(names, name), graver(reason, why)
	}
	return names, reason
}
