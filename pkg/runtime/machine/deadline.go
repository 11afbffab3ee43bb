package machine

import (
	"container/heap"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// alarm is the one deadline of a child, of a stray or of an asker in the heap of the
// tree: the earliest of those that its state holds.
type alarm struct {
	at    Instant
	key   child.Key // orders alarms of one instant, so that runs replay
	place int       // in the heap, from 1; 0: not in it

	child *state // exactly one of the three is set
	stray *stray
	asker *asker
}

type alarms []*alarm

func (h alarms) Len() int { return len(h) }

func (h alarms) Less(i, j int) bool {
	a, b := h[i], h[j]
	if a.at != b.at {
		return a.at < b.at
	}
	if a.key.ID != b.key.ID {
		return a.key.ID < b.key.ID
	}
	return a.key.OlderThan(b.key)
}

func (h alarms) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i+1, j+1
}

func (h *alarms) Push(x any) {
	a := x.(*alarm)
	*h = append(*h, a)
	a.place = len(*h)
}

func (h *alarms) Pop() any {
	last := len(*h) - 1
	a := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	a.place = 0
	return a
}

// set puts a where its time belongs; on false it takes it out.
func (h *alarms) set(a *alarm, at Instant, on bool) {
	switch {
	case !on && a.place > 0:
		heap.Remove(h, a.place-1)
	case !on:
	case a.place == 0:
		a.at = at
		heap.Push(h, a)
	case a.at != at:
		a.at = at
		heap.Fix(h, a.place-1)
	}
}

// wake is the earliest deadline of a child; false when it has none. Deadlines
// that would only lead to effects do not count while nobody could carry those
// out: Adopted brings them back.
func (t *Tree) wake(s *state) (Instant, bool) {
	var first moment
	consider := func(m moment) {
		if m.set && (!first.set || m.at < first.at) {
			first = m
		}
	}
	consider(s.rest)
	consider(s.unseen)
	consider(s.nextRun)
	consider(s.hook.deadline)
	if t.connected {
		consider(s.hook.again)
	}
	consider(s.live.stable)
	consider(s.live.readiness.next)
	consider(s.live.liveness.next)
	consider(s.live.deadline)
	consider(s.refusals.next)
	consider(s.turns.next)
	consider(t.limitDeadline(s))
	if t.connected {
		consider(s.live.runLimit)
		consider(s.live.retry)
	}
	if s.stop != nil && (t.connected || s.stop.mustEnd) {
		consider(s.stop.deadline)
	}
	return first.at, first.set
}

// tick does everything whose time has come.
func (t *Tree) tick() {
	for len(t.alarms) > 0 && t.alarms[0].at <= t.now {
		a := t.alarms[0]
		switch {
		case a.stray != nil:
			t.straySurvived(a.stray)
			continue
		case a.asker != nil:
			t.windowEnds(a.asker)
			continue
		}
		t.due(a.child)
		if a.child.gone {
			continue
		}
		at, on := t.wake(a.child)
		t.alarms.set(a, at, on)
	}
}

// due does what is due of one child. Each part clears or moves its deadline.
func (t *Tree) due(s *state) {
	defer t.within(s.about())()
	if t.hookDue(s); s.gone {
		return
	}
	if s.stop != nil && s.stop.deadline.due(t.now) && (t.connected || s.stop.mustEnd) {
		t.escalate(s)
	}
	if s.unseen.due(t.now) {
		t.lookTooLate(s)
	}
	if s.nextRun.due(t.now) {
		t.runDue(s)
	}
	if s.rest.due(t.now) {
		t.fact(s, ChildRestarting, "its rest is over")
		t.idle(s)
	}
	if s.live.retry.due(t.now) && t.connected {
		s.live.retry, s.live.wantsSlot = moment{}, true
	}
	if s.live.stable.due(t.now) {
		s.live.stable, s.quick, s.lastDelay = moment{}, 0, 0
		t.save(s)
	}
	if s.live.runLimit.due(t.now) && t.connected {
		t.ranTooLong(s)
	}
	t.probesDue(s)
	if s.refusals.next.due(t.now) {
		t.refusalsDue(s)
	}
	if s.turns.next.due(t.now) {
		t.turnsDue(s)
	}
	if limit := t.limitDeadline(s); limit.due(t.now) {
		t.forgetOldRestarts(s)
	}
	t.touch(s)
}
