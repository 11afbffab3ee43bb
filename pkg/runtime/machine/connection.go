package machine

import (
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// detached: nothing is known of any process from now on. Phases stay as they
// are, and nothing is emitted; what was emitted but not taken yet is lost.
func (t *Tree) detached(ev Detached) {
	if t.connected {
		t.treeFact(ShimLost, ev.Reason)
	}
	t.connected, t.lost = false, ev.Reason
	t.out.effects = nil
	for _, id := range t.ids() {
		t.lookAt(t.children[id])
	}
}

// adopted brings the tree in line with the processes that live.
func (t *Tree) adopted(ev Adopted) {
	t.connected, t.noRealTime = true, ev.NoRealTime
	t.epoch++
	t.treeFact(ShimConnected, "")
	for _, p := range ev.Processes {
		t.adopt(p)
	}
	for _, key := range ev.Starting {
		t.adoptStart(key)
	}
	t.markOver(ev.Exits)
	for _, e := range ev.Exits {
		t.exited(e)
	}
	for _, g := range t.sortedStrays() {
		if g.epoch != t.epoch {
			t.strayGone(g)
		}
	}
	for _, id := range t.IDs() {
		if s, ok := t.children[id]; ok {
			t.account(s)
			t.lookAt(s)
		}
	}
}

// markOver marks the attempts that are known to have ended, so that none of them
// is taken for stopped when the end of another one stops it.
func (t *Tree) markOver(exits []Exited) {
	for _, id := range t.ids() {
		s := t.children[id]
		s.live.over = s.hasAttempt() && s.live.epoch != t.epoch && s.phase != child.Starting && !s.live.asked && s.hook.role != child.PreStart
	}
	for _, e := range exits {
		if s, ok := t.children[e.Key.ID]; ok && s.key() == e.Key && s.hasAttempt() {
			s.live.over = true
		}
	}
}

func (t *Tree) adopt(p Process) {
	if s := t.hookOf(p.Key); s != nil {
		t.hookRuns(s)
		return
	}
	s, ok := t.children[p.Key.ID]
	if !ok || s.key() != p.Key || !s.hasAttempt() {
		t.stray(p)
		return
	}
	if s.live.pid == 0 || !s.live.seen {
		t.runs(s, p, ChildAdopted)
		return
	}
	s.live.epoch, s.live.weakKill, s.live.log = t.epoch, p.WeakKill, p.Log
	t.touch(s)
	if s.stop != nil {
		t.stopAgain(s)
	}
}

// adoptStart waits on for the answer of a start that was asked for through an
// earlier connection. One that nobody wants any more is dealt with when it runs.
func (t *Tree) adoptStart(key child.Key) {
	if s := t.hookOf(key); s != nil {
		t.hookAsked(s)
		t.touch(s)
		return
	}
	s, ok := t.children[key.ID]
	if !ok || s.key() != key || !s.hasAttempt() || s.live.pid > 0 {
		t.stale(key, "a start of it is under way")
		t.raiseFence(key)
		return
	}
	if s.hook.role == child.PreStart {
		t.dropHook(s) // they are over
	}
	t.ask(s)
	s.live.epoch, s.live.retry, s.live.wantsSlot = t.epoch, moment{}, false
}

// account decides about an attempt of which the new connection says nothing.
func (t *Tree) account(s *state) {
	if t.accountHook(s); s.gone {
		return
	}
	switch {
	case s.hook.role == child.PreStart:
		s.live.epoch = t.epoch
	case !s.hasAttempt() || s.live.epoch == t.epoch:
	case s.phase == child.Starting && !s.live.asked:
		s.live.epoch, s.live.retry, s.live.wantsSlot = t.epoch, moment{}, true
	case s.phase == child.Starting && (t.shutdown != nil || len(t.straysOf(s.id)) > 0):
		t.ended(s, nil) // it never ran, and may not start now
	case s.phase == child.Starting: // its start was lost on the way: it takes its turn again
		t.answered(s)
		s.live.epoch, s.live.wantsSlot = t.epoch, true
	case s.phase == child.Stopping && s.live.asked:
		t.ended(s, nil) // its start was lost on the way: it never ran
	default:
		t.attemptExited(s, Exited{Key: s.key(), Attempt: s.attempt, Lost: true})
	}
}
