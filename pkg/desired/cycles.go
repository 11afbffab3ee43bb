package desired

import (
	"fmt"
	"slices"
	"strings"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// breakCycles finds children that wait for each other in a circle: for their
// dependencies, and a sidecar for its primary to start. Each of them
// keeps what it had; one that is new is not added. Because what they had depends
// on others again, it looks until nothing changes.
func (m *merger) breakCycles() {
	for {
		changed := false
		for _, group := range m.circles() {
			reason := "the dependencies form a circle: " + circleText(m.oneCircle(group))
			for _, id := range group {
				changed = m.revert(id, circleField(m.entries[id].Spec), reason, "remove one of them; what was in force stays") || changed
			}
		}
		if !changed {
			return
		}
	}
}

// revert takes back what a document says about id, and reports it; false if that
// is done already.
func (m *merger) revert(id child.ID, field, reason, hint string) bool {
	e := m.entries[id]
	bad := Problem{File: e.Origin.File, Document: e.Origin.Document, Child: id}
	switch {
	case e.made != nil:
		bad = e.made.document.at(field, "", "")
	case m.before[id] != nil:
		return false
	}
	bad.Reason, bad.Hint = reason, hint
	m.next.Problems = append(m.next.Problems, bad)
	if before := m.before[id]; before != nil && before.Spec.Kind != child.Supervisor {
		m.stay(id, []Problem{bad})
	} else { // new, or a folder until now: nothing to go back to
		delete(m.entries, id)
	}
	return true
}

// need is the i-th child that one of this spec waits for: its dependencies, then
// its primary.
func need(s *child.Spec, i int) (child.ID, bool) {
	switch {
	case i < len(s.Dependencies):
		return s.Dependencies[i].ID, true
	case i == len(s.Dependencies) && s.SidecarOf != "":
		return s.SidecarOf, true
	}
	return "", false
}

// circleField is where a manifest takes part in a circle.
func circleField(s *child.Spec) string {
	if len(s.Dependencies) == 0 {
		return "sidecar_of"
	}
	return "dependencies"
}

// circles are the groups of children each of which depends on itself through the
// others: the strongly connected components with more than one member, by Tarjan's
// algorithm, with a stack of its own because a chain may be 10,000 long.
func (m *merger) circles() [][]child.ID {
	var roots []child.ID
	for id, e := range m.entries {
		if _, ok := need(e.Spec, 0); ok {
			roots = append(roots, id)
		}
	}
	slices.Sort(roots)
	t := tarjan{entries: m.entries, nodes: map[child.ID]*visit{}}
	for _, id := range roots {
		if t.nodes[id] == nil {
			t.walk(id)
		}
	}
	return t.groups
}

type tarjan struct {
	entries map[child.ID]*item
	nodes   map[child.ID]*visit
	open    []*visit // met, but not yet in a group
	groups  [][]child.ID
}

type visit struct {
	id         child.ID
	index, low int
	next       int // the dependency to look at next
	isOpen     bool
}

func (t *tarjan) meet(id child.ID) *visit {
	v := &visit{id: id, index: len(t.nodes), low: len(t.nodes), isOpen: true}
	t.nodes[id] = v
	t.open = append(t.open, v)
	return v
}

func (t *tarjan) walk(from child.ID) {
	path := []*visit{t.meet(from)}
	for len(path) > 0 {
		v := path[len(path)-1]
		if to, ok := need(t.entries[v.id].Spec, v.next); ok {
			v.next++
			if _, declared := t.entries[to]; !declared {
				continue
			}
			if w := t.nodes[to]; w == nil {
				path = append(path, t.meet(to))
			} else if w.isOpen {
				v.low = min(v.low, w.index)
			}
			continue
		}
		path = path[:len(path)-1]
		if len(path) > 0 {
			above := path[len(path)-1]
			above.low = min(above.low, v.low)
		}
		if v.low == v.index {
			t.close(v)
		}
	}
}

// close makes a group of all that is open from v on.
func (t *tarjan) close(v *visit) {
	at := slices.Index(t.open, v)
	var group []child.ID
	for _, w := range t.open[at:] {
		w.isOpen = false
		group = append(group, w.id)
	}
	t.open = t.open[:at]
	if len(group) > 1 {
		slices.Sort(group)
		t.groups = append(t.groups, group)
	}
}

// oneCircle is a shortest circle through the first member of a group, in the order
// of the dependencies.
func (m *merger) oneCircle(group []child.ID) []child.ID {
	start := group[0]
	from := map[child.ID]child.ID{}
	for queue := []child.ID{start}; len(queue) > 0; queue = queue[1:] {
		spec := m.entries[queue[0]].Spec
		for i := 0; ; i++ {
			to, ok := need(spec, i)
			if !ok {
				break
			}
			if to == start {
				return backTrack(from, start, queue[0])
			}
			_, member := slices.BinarySearch(group, to)
			if _, met := from[to]; member && !met {
				from[to] = queue[0]
				queue = append(queue, to)
			}
		}
	}
	return group
}

func backTrack(from map[child.ID]child.ID, start, end child.ID) []child.ID {
	circle := []child.ID{end}
	for end != start {
		end = from[end]
		circle = append(circle, end)
	}
	slices.Reverse(circle)
	return circle
}

// circleText is a circle for people: "a → b → a". Of a long one it shows the
// first members.
func circleText(circle []child.ID) string {
	const most = 12
	var b strings.Builder
	for i, id := range circle {
		if i == most {
			fmt.Fprintf(&b, "%d more → ", len(circle)-most)
			break
		}
		b.WriteString(string(id) + " → ")
	}
	return b.String() + string(circle[0])
}
