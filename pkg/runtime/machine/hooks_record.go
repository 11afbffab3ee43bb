package machine

import (
	"cmp"
	"fmt"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// HookRecord is a hook under way, so that it is not run again.
type HookRecord struct {
	Role     child.Role `json:"role"`
	Run      int        `json:"run"`
	Deadline time.Time  `json:"deadline"`
	Killed   string     `json:"killed,omitempty"` // why
	Next     int        `json:"next,omitempty"`   // its place in the list, if that is not Run
	Queued   bool       `json:"queued,omitempty"` // its turn has not come yet
}

func (s *state) hookRecord() *HookRecord {
	if !s.hook.on() {
		return nil
	}
	r := &HookRecord{Role: s.hook.role, Run: s.hook.run, Deadline: s.hook.deadline.wall, Killed: s.hook.killed, Queued: !s.hook.begun}
	if s.hook.next != s.hook.run {
		r.Next = s.hook.next
	}
	return r
}

// restoreHook brings a hook back, unless the record contradicts itself, and
// finishes a removal that waited for it, or for nothing.
func (t *Tree) restoreHook(s *state, r *HookRecord) {
	if r != nil {
		t.restoreHooking(s, r)
	}
	if s.operation == child.Removed && !s.hasAttempt() {
		t.leave(s)
	}
}

func (t *Tree) restoreHooking(s *state, r *HookRecord) {
	h := hooking{role: r.Role, run: r.Run, next: cmp.Or(r.Next, r.Run), killed: r.Killed, begun: !r.Queued, e: s.lastExit()}
	limit := hookWait
	if s.spec.Hooks != nil {
		limit = max(limit, s.spec.Hooks.Timeout.Duration())
	}
	h.deadline = t.momentOf(r.Deadline, limit)
	if r.Queued {
		h.deadline = t.in(hookTurn)
	}
	if r.Run > 0 && s.fits(h) {
		s.hook = h
		t.hooks++
	}
}

// fits reports whether a hook may be under way in the phase of its child.
func (s *state) fits(h hooking) bool {
	switch h.role {
	case child.PreStart:
		return !s.live.asked && s.live.pid == 0 && (s.phase == child.Starting || s.phase == child.Stopping)
	case child.PostStart:
		return s.phase == child.Running && !s.live.folder
	case child.PreStop:
		return s.phase == child.Stopping && s.stop.stage == stopRequested && s.stop.hooked
	case child.PostStop:
		return !s.hasAttempt() && s.attempt > 0
	}
	return false
}

func (t *Tree) checkHook(s *state) error {
	h := s.hook
	switch {
	case !h.on():
		return nil
	case !s.fits(h):
		return fmt.Errorf("%s is under way", s.hookName())
	case h.run < 1 || !h.deadline.set:
		return fmt.Errorf("%s has no deadline: %+v", s.hookName(), h)
	case h.asked && !h.begun || h.queued && h.seen:
		return fmt.Errorf("%s is begun and is not: %+v", s.hookName(), h)
	case t.connected && h.epoch != t.epoch:
		return fmt.Errorf("%s was not accounted for in this connection", s.hookName())
	}
	return nil
}

func (t *Tree) checkHooks() error {
	n := 0
	for _, s := range t.children {
		if s.hook.on() {
			n++
		}
	}
	if n != t.hooks {
		return fmt.Errorf("%d hooks are under way; %d were counted", n, t.hooks)
	}
	return nil
}
