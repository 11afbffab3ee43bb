package runtimetest

import (
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

// lookTime is how long the next brain waits for a look at what is declared: some
// embed the runtime and do not wait at all, some looks never come.
func (s *sim) lookTime() time.Duration {
	if s.chance(30) {
		return 0
	}
	return 10*time.Millisecond + s.upTo(10*time.Second)
}

// notLookedAt is everything that the tree was restored with.
func (b *brain) notLookedAt() {
	b.unseen = map[child.ID]bool{}
	for _, id := range b.tree.IDs() {
		b.unseen[id] = b.wait > 0
	}
}

// looked are the children that are what is declared: nothing is planned for them.
func (o *operator) looked() (ids []child.ID) {
	b := o.s.brain
	if b == nil || b.told == 0 || b.tree.Done() || len(b.seen) > 0 {
		return nil
	}
	for _, id := range o.ids {
		if _, due := o.action(o.desired[id], b.board[id]); b.unseen[id] && !due && !o.planned[id] {
			ids = append(ids, id)
		}
	}
	return ids
}

func (s *sim) canLook() bool { return len(s.operator.looked()) > 0 }

func (o *operator) look() { o.s.brain.seen = o.looked() }

func (b *brain) stepSeen() {
	ids := b.seen
	b.seen = nil
	b.step(machine.Seen{IDs: ids})
	for _, id := range ids {
		b.s.count.Looks++
		delete(b.unseen, id)
	}
}

// mayStart checks that a child starts as it is declared now, not as it was in an
// earlier life, as long as somebody may still look.
func (b *brain) mayStart(e machine.Start) {
	switch {
	case e.Key.Role != child.Main && e.Key.Role != child.PreStart || !b.unseen[e.Key.ID]:
		return
	case b.instant() < machine.Instant(b.wait):
		b.s.failf("%s starts before anybody looked at what is declared, after %v of %v", e.Key, time.Duration(b.instant()), b.wait)
	}
	b.s.count.TooLate++
}
