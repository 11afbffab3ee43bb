package machine

import (
	"slices"
	"strings"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// strayGrace is how long a stray has to stop, and then between two SIGKILLs.
const strayGrace = 5 * time.Second

// stray is a live process that is no current attempt of any child: a record was
// lost, or somebody else's tree started it. It is stopped, and no child of its
// ID starts before it is gone.
type stray struct {
	key    child.Key
	pid    int
	killed bool // SIGKILL was sent
	lost   bool // and strayGrace passed: a shutdown does not wait for it
	epoch  uint64
	alarm  alarm
}

// stray deals with a process that should not be.
func (t *Tree) stray(p Process) {
	g := t.strays[p.Key]
	if g == nil {
		g = &stray{key: p.Key, killed: p.Key.Role != child.Main} // a hook gets no grace
		g.alarm = alarm{key: p.Key, stray: g}
		t.strays[p.Key] = g
		t.stale(p.Key, "a process of it is alive; stopping it")
		t.raiseFence(p.Key)
	}
	g.epoch, g.lost, g.pid = t.epoch, false, p.PID
	if g.killed {
		t.signal(p.Key, sigkill)
	} else {
		t.signal(p.Key, sigterm)
	}
	if g.alarm.place == 0 || !g.killed {
		t.alarms.set(&g.alarm, t.now+Instant(strayGrace), true)
	}
	t.lookAtID(p.Key.ID)
}

// raiseFence keeps numbers unique that no record tells of.
func (t *Tree) raiseFence(key child.Key) {
	t.incarnation = max(t.incarnation, key.Incarnation)
	if s, ok := t.children[key.ID]; ok && s.incarnation == key.Incarnation && s.fence <= key.Generation {
		s.fence = key.Generation + 1
		t.save(s)
	}
}

// straySurvived is called when a stray had its time.
func (t *Tree) straySurvived(g *stray) {
	g.lost = g.lost || g.killed || !t.connected
	g.killed = true
	t.signal(g.key, sigkill)
	t.alarms.set(&g.alarm, t.now+Instant(strayGrace), t.connected)
}

func (t *Tree) strayGone(g *stray) {
	delete(t.strays, g.key)
	t.alarms.set(&g.alarm, 0, false)
	t.lookAtID(g.key.ID)
}

func (t *Tree) lookAtID(id child.ID) {
	if s, ok := t.children[id]; ok {
		t.lookAt(s)
	}
}

// straysOf are the strays of one ID, in order. There are hardly ever any.
func (t *Tree) straysOf(id child.ID) []*stray {
	var found []*stray
	for key, g := range t.strays {
		if key.ID == id {
			found = append(found, g)
		}
	}
	slices.SortFunc(found, byKey)
	return found
}

func byKey(a, b *stray) int {
	if c := strings.Compare(string(a.key.ID), string(b.key.ID)); c != 0 {
		return c
	}
	if a.key.OlderThan(b.key) {
		return -1
	}
	return 1
}

// sortedStrays are all of them, in order.
func (t *Tree) sortedStrays() []*stray {
	all := make([]*stray, 0, len(t.strays))
	for _, g := range t.strays {
		all = append(all, g)
	}
	slices.SortFunc(all, byKey)
	return all
}
