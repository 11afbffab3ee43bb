package machine

import (
	"slices"
	"strings"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// parentID is the supervisor in whose folder a child stands; "" for the root
// supervisor, which stands in none.
func parentID(id child.ID) child.ID {
	switch folder := id.Folder(); {
	case id == child.RootSupervisor:
		return ""
	case folder == "":
		return child.RootSupervisor
	default:
		return folder
	}
}

// parentOf is the supervisor of a child; nil when none is declared: then the
// child stands alone, whatever stands beside it.
func (t *Tree) parentOf(s *state) *state {
	if p := t.children[parentID(s.id)]; p != nil && p.isSupervisor() {
		return p
	}
	return nil
}

// enroll enters a child with its supervisor, whether that is declared or not.
func (t *Tree) enroll(s *state) {
	p := parentID(s.id)
	list := t.members[p]
	if at, found := slices.BinarySearch(list, s.id); !found && p != "" {
		t.members[p] = slices.Insert(list, at, s.id)
	}
}

func (t *Tree) strike(s *state) {
	p := parentID(s.id)
	list := t.members[p]
	if at, found := slices.BinarySearch(list, s.id); found {
		list = slices.Delete(list, at, at+1)
	}
	if len(list) == 0 {
		delete(t.members, p)
	} else {
		t.members[p] = list
	}
}

// subtree is a child and, if it is a supervisor, everything in it: each
// supervisor before its members, and those in the order of their start.
func (t *Tree) subtree(s *state) []*state { return t.appendSubtree(nil, s) }

func (t *Tree) appendSubtree(list []*state, s *state) []*state {
	list = append(list, s)
	if s.isSupervisor() {
		for _, m := range t.startOrder(s.id) {
			list = t.appendSubtree(list, m)
		}
	}
	return list
}

// startOrder is the order in which the members of a supervisor start when they
// start together: a member after those that it, or something in it, depends on;
// otherwise by ID. Members that depend on each other in a circle (two folders may,
// without a circle of children) are in the order of their IDs. They stop in the
// reverse order.
func (t *Tree) startOrder(supervisor child.ID) []*state {
	o := ordering{t: t, supervisor: supervisor, seen: make(map[child.ID]bool, len(t.members[supervisor]))}
	for _, id := range t.members[supervisor] {
		o.visit(id)
	}
	return o.ordered
}

type ordering struct {
	t          *Tree
	supervisor child.ID
	seen       map[child.ID]bool
	ordered    []*state
}

func (o *ordering) visit(id child.ID) {
	s := o.t.children[id]
	if s == nil || o.seen[id] {
		return
	}
	o.seen[id] = true
	var needs []child.ID
	o.t.eachBelow(s, func(m *state) {
		for _, d := range m.spec.Dependencies {
			needs = append(needs, o.owner(d.ID))
		}
		if m.spec.SidecarOf != "" {
			needs = append(needs, o.owner(m.spec.SidecarOf))
		}
	})
	slices.Sort(needs)
	for _, on := range slices.Compact(needs) {
		if on != "" && on != id {
			o.visit(on)
		}
	}
	o.ordered = append(o.ordered, s)
}

// owner is the member of the supervisor that is, or holds, a child; "" if that
// stands elsewhere.
func (o *ordering) owner(id child.ID) child.ID {
	if id == child.RootSupervisor {
		return ""
	}
	rest := string(id)
	var prefix child.ID
	if o.supervisor != child.RootSupervisor {
		prefix = o.supervisor
		var inside bool
		if rest, inside = strings.CutPrefix(rest, string(prefix)+"/"); !inside {
			return ""
		}
	}
	name, _, _ := strings.Cut(rest, "/")
	return child.Join(prefix, name)
}

// eachBelow visits a child and everything in it, by ID.
func (t *Tree) eachBelow(s *state, visit func(*state)) {
	visit(s)
	if !s.isSupervisor() {
		return
	}
	for _, id := range t.members[s.id] {
		if m := t.children[id]; m != nil {
			t.eachBelow(m, visit)
		}
	}
}

// depth is how deep a supervisor stands; the root's is 0.
func depth(id child.ID) int {
	if id == child.RootSupervisor {
		return 0
	}
	return 1 + strings.Count(string(id), "/")
}
