package machine

import (
	"fmt"
	"slices"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// Hooks have places of their own, beside the start slots: the shutdown of 10,000
// children with pre_stop hooks is not 10,000 starts at once, and a hook that waits
// for another child keeps nobody from starting. A place is held for the start
// itself, from the question to its answer; while a hook runs it holds none.
//
// What a hook may take begins when its turn comes: its timeout, and the grace of
// the stop that it belongs to. Its turn comes within hookTurn, or it counts as
// failed: then something holds up all starts of this host.
const hookTurn = time.Minute

// hookTurns are the hooks whose start is under way or waits for its turn.
type hookTurns struct {
	used  int
	queue []*state // a child is in it once; it has no place any more if its hook is not queued
}

// askHook asks for the hook that is under way, for the first time or again, as
// soon as its turn comes.
func (t *Tree) askHook(s *state) {
	h := &s.hook
	t.hookAnswered(s)
	h.epoch, h.again, h.queued = t.epoch, moment{}, true
	t.queueHook(s)
	t.lookAt(s)
}

// queueHook gives a hook that waits for its turn a place in the queue. One before a
// start has none as long as the child may not start.
func (t *Tree) queueHook(s *state) {
	if s.hook.queued && !s.inHookQueue && !s.mayNotBegin() {
		s.inHookQueue = true
		t.hookTurns.queue = append(t.hookTurns.queue, s)
	}
}

func (s *state) mayNotBegin() bool { return s.hook.role == child.PreStart && s.unseen.set }

// takeHook is the next child whose hook may be asked for now; nil: none.
func (t *Tree) takeHook() *state {
	q := &t.hookTurns
	for q.used < t.cfg.HookSlots && t.connected && len(q.queue) > 0 {
		s := q.queue[0]
		q.queue[0], q.queue = nil, q.queue[1:]
		s.inHookQueue = false
		if s.hook.queued && !s.gone && !s.mayNotBegin() {
			return s
		}
	}
	return nil
}

// startHook asks for a hook whose turn has come.
func (t *Tree) startHook(s *state) {
	h := &s.hook
	h.queued = false
	if h.next > len(hooksOf(s.spec, h.role)) {
		t.hookOver(s, "", nil) // no such list was ever recorded by this version
		return
	}
	h.asked = true
	t.hookTurns.used++
	if !h.begun {
		h.begun = true
		h.deadline = t.in(t.hookLimit(s))
		t.fact(s, HookStarted, s.hookName())
	}
	t.emit(Start{
		Key: s.hookKey(), Attempt: s.attempt, Spec: s.spec,
		Command: hooksOf(s.spec, h.role)[h.next-1], Env: s.hookEnvironment(),
	})
	t.save(s)
	t.lookAt(s)
}

// hookMissed is the end of a hook whose turn did not come.
func (t *Tree) hookMissed(s *state) {
	why := "its turn to start did not come within " + hookTurn.String()
	if s.hook.role != child.PreStop {
		t.hookOver(s, why, nil)
		return
	}
	s.stop.hookFailed = s.hookName() + ": " + why // and the others wait no longer
	t.fact(s, HookFailed, s.stop.hookFailed)
	t.noHook(s)
	t.requestStop(s)
}

// rehook goes on with the hooks of a new spec: after the one that is under way, or
// the last one before it that is still there. One that was taken out is ended, and
// nobody holds that against the child.
func (t *Tree) rehook(s *state, old *child.Spec) {
	h := &s.hook
	if !h.on() {
		return
	}
	was, is := hooksOf(old, h.role), hooksOf(s.spec, h.role)
	at := min(h.next, len(was))
	there := func(i int) int {
		return 1 + slices.IndexFunc(is, func(command []string) bool { return slices.Equal(command, was[i-1]) })
	}
	gone := at > 0 && there(at) == 0
	h.next = 0
	for ; at > 0 && h.next == 0; at-- {
		h.next = there(at)
	}
	if gone {
		t.killHook(s, takenOut)
	}
	t.save(s)
}

// takenOut is why a hook was killed that its manifest has no more.
const takenOut = "it was taken out of its manifest"

// hookLimit is how long a hook whose turn has come may take. With the first one
// before a stop signal, the grace begins.
func (t *Tree) hookLimit(s *state) time.Duration {
	limit := s.spec.Hooks.Timeout.Duration()
	if s.hook.role != child.PreStop {
		return limit
	}
	if !s.stop.sent {
		s.stop.sent = true // the child may end because of it
		s.stop.deadline = t.in(s.spec.Shutdown.GracefulTimeout.Duration())
	}
	return min(limit, max(time.Duration(s.stop.deadline.at-t.now), 0))
}

// hookAsked takes note of a start that an earlier connection was asked for.
func (t *Tree) hookAsked(s *state) {
	h := &s.hook
	h.epoch, h.again, h.queued, h.begun = t.epoch, moment{}, false, true
	if !h.asked {
		h.asked = true
		t.hookTurns.used++
	}
}

// hookAnswered gives the place of a hook back whose start is under way no more.
func (t *Tree) hookAnswered(s *state) {
	if s.hook.asked {
		s.hook.asked = false
		t.hookTurns.used--
	}
}

func (t *Tree) checkHookTurns() error {
	used, queued := 0, map[*state]bool{}
	for _, s := range t.hookTurns.queue {
		if queued[s] {
			return fmt.Errorf("%s queues twice for a hook", s.key())
		}
		queued[s] = true
	}
	for _, s := range t.children {
		if s.hook.asked {
			used++
		}
		switch {
		case s.hook.queued && (s.hook.asked || !queued[s] && !s.mayNotBegin()):
			return fmt.Errorf("the %s of %s waits for its turn outside the queue: %+v", s.hookName(), s.key(), s.hook)
		case s.inHookQueue != queued[s]:
			return fmt.Errorf("%s believes to be in the queue for hooks: %v", s.key(), s.inHookQueue)
		case s.hook.queued && t.connected && t.hookTurns.used < t.cfg.HookSlots && !s.mayNotBegin():
			return fmt.Errorf("the %s of %s waits for its turn, and there is a place", s.hookName(), s.key())
		}
	}
	if used != t.hookTurns.used {
		return fmt.Errorf("%d places for hooks are marked as used, %d starts of hooks are under way", t.hookTurns.used, used)
	}
	return nil
}
