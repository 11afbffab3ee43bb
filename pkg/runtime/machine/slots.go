package machine

import "slices"

// slots are the starts that may be under way at the same time. A machine that
// starts 10,000 processes at once starts none of them soon.
type slots struct {
	used  int
	last  uint64 // the last ticket given
	queue []ticket
}

// ticket is a place in the queue. It is void when its child has another one, or
// none, by now.
type ticket struct {
	number uint64
	s      *state
}

func (q ticket) void() bool { return q.s == nil || q.s.ticket != q.number }

// enqueue gives a child a place in the queue, unless it has one.
func (t *Tree) enqueue(s *state) {
	if s.ticket == 0 {
		if len(t.slots.queue) > 2*len(t.children)+16 { // mostly void ones, of children that left and came again
			t.slots.queue = slices.DeleteFunc(t.slots.queue, ticket.void)
		}
		t.slots.last++
		s.ticket = t.slots.last
		t.slots.queue = append(t.slots.queue, ticket{s.ticket, s})
		s.place = len(t.slots.queue)
	}
}

func (t *Tree) leaveQueue(s *state) { s.ticket = 0 }

// takeSlot is the next child that may start now, nil when there is none.
func (t *Tree) takeSlot() *state {
	for t.slots.used < t.cfg.StartSlots && len(t.slots.queue) > 0 {
		next := t.slots.queue[0]
		t.slots.queue[0] = ticket{}
		t.slots.queue = t.slots.queue[1:]
		if !next.void() {
			next.s.ticket = 0
			return next.s
		}
	}
	return nil
}

// ask marks that a start is under way and holds a slot.
func (t *Tree) ask(s *state) {
	if !s.live.asked {
		s.live.asked = true
		t.slots.used++
	}
}

// answered frees the slot of a start that is under way no more.
func (t *Tree) answered(s *state) {
	if s.live.asked {
		s.live.asked = false
		t.slots.used--
	}
}
