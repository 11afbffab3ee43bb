package machine

import (
	"fmt"
	"slices"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// offer is what the dependants of a child see of it.
type offer struct{ started, ready, completed bool }

// index enters a child with its dependencies.
func (t *Tree) index(s *state) {
	for _, d := range s.spec.Dependencies {
		list := t.dependants[d.ID]
		if at, found := slices.BinarySearch(list, s.id); !found {
			t.dependants[d.ID] = slices.Insert(list, at, s.id)
		}
	}
}

func (t *Tree) unindex(s *state) {
	for _, d := range s.spec.Dependencies {
		list := t.dependants[d.ID]
		if at, found := slices.BinarySearch(list, s.id); found {
			list = slices.Delete(list, at, at+1)
		}
		if len(list) == 0 {
			delete(t.dependants, d.ID)
		} else {
			t.dependants[d.ID] = list
		}
	}
}

// offer tells the dependants of a child when they see something new of it.
func (t *Tree) offer(s *state) {
	now := offer{
		started:   s.phase == child.Running,
		ready:     s.live.ready,
		completed: s.phase == child.Completed,
	}
	if now != s.offers {
		s.offers = now
		t.tellDependants(s.id)
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

// missing names the dependencies of a child that are not satisfied, for people.
func (t *Tree) missing(s *state) (names []string, undeclared bool) {
	for _, d := range s.spec.Dependencies {
		if t.satisfied(d) {
			continue
		}
		condition := d.Condition
		if condition == "" {
			condition = child.WhenReady
		}
		name := fmt.Sprintf("%s (%s)", d.ID, condition)
		if _, ok := t.children[d.ID]; !ok {
			undeclared = true
			name += ", which is declared nowhere"
		}
		names = append(names, name)
	}
	return names, undeclared
}
