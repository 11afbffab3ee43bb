package machine

import (
	"fmt"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// orphans is what a shutdown leaves behind, in order: attempts that could not be
// ended, what they or earlier ones left of their tree, and strays.
func (t *Tree) orphans() []child.Orphan {
	var all []child.Orphan
	for _, id := range t.IDs() {
		s := t.children[id]
		if s.hasAttempt() && !s.live.folder {
			all = append(all, child.Orphan{ID: id, PID: s.live.pid, Reason: t.survived(s)})
			continue
		}
		e := s.lastExit()
		if e == nil {
			continue
		}
		for _, left := range e.Leftovers {
			o := child.Orphan{ID: id, Reason: left + " was left behind and survived SIGKILL"}
			_, _ = fmt.Sscanf(left, "pid %d", &o.PID) // what cannot be seen from here has none
			all = append(all, o)
		}
	}
	for _, g := range t.sortedStrays() {
		all = append(all, child.Orphan{ID: g.key.ID, PID: g.pid, Reason: "nobody knew it, as " + g.key.String() + ", and it did not end"})
	}
	return all
}
