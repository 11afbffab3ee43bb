package machine

import (
	"fmt"
	"slices"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// Check is nil as long as every invariant of the tree holds. It looks at
// everything and is for tests.
func (t *Tree) Check() error {
	asked := 0
	for _, id := range t.ids() {
		s := t.children[id]
		if s.live.asked {
			asked++
		}
		for _, check := range []func(*state) error{t.checkNames, t.checkAttempt, t.checkProbes, t.checkDependencies, t.checkHook, t.checkRunLimit, t.checkSchedule, t.checkRest, t.checkProgress, t.checkAlarm, t.checkIndex, t.checkPart} {
			if err := check(s); err != nil {
				return fmt.Errorf("%s, phase %s: %w", s.key(), s.phase, err)
			}
		}
	}
	if asked != t.slots.used {
		return fmt.Errorf("%d start slots are marked as used, %d starts are under way", t.slots.used, asked)
	}
	for _, check := range []func() error{t.checkHeap, t.checkDependants, t.checkQueue, t.checkStrays, t.checkHooks, t.checkHookTurns, t.checkShutdown, t.checkMembers, t.checkRegroups} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (t *Tree) checkNames(s *state) error {
	switch {
	case s.gone:
		return fmt.Errorf("it is gone and still in the tree")
	case t.children[s.id] != s || s.incarnation == 0 || s.incarnation > t.incarnation:
		return fmt.Errorf("incarnation %d was not given by the tree, which is at %d", s.incarnation, t.incarnation)
	case !slices.Contains(child.Phases(), s.phase):
		return fmt.Errorf("unknown phase")
	case (s.hold != nil) != (s.operation == child.Paused || s.operation == child.OperationQuarantined):
		return fmt.Errorf("operation %s with hold %v", s.operation, s.hold)
	case s.operation == child.Removed && s.phase != child.Stopping && !s.hook.on() && len(t.removedBefore(s)) == 0 && t.shutdown == nil:
		return fmt.Errorf("removed, without a process, and still there")
	case s.attempt > 0 && s.fence <= s.generation:
		return fmt.Errorf("the fence %d is not above the generation", s.fence)
	case s.examining:
		return fmt.Errorf("it still has to be looked at")
	}
	return nil
}

func (t *Tree) checkAttempt(s *state) error {
	l := s.live
	switch {
	case !s.phase.HasProcess() && (l.asked || l.pid != 0 || l.ready || l.retry.set || l.wantsSlot || l.stale):
		return fmt.Errorf("traces of an attempt: %+v", l)
	case l.folder && (s.phase != child.Running || !l.ready || l.asked || l.pid != 0):
		return fmt.Errorf("a folder is running and ready, without a process: %+v", l)
	case s.hasAttempt() && s.attempt == 0:
		return fmt.Errorf("an attempt without a number")
	case s.phase == child.Running && !l.folder && t.connected && l.pid == 0 && l.seen:
		return fmt.Errorf("running without a pid")
	case s.hasAttempt() && t.connected && l.epoch != t.epoch:
		return fmt.Errorf("an attempt that this connection did not account for")
	case l.over:
		return fmt.Errorf("its end is known and was not dealt with")
	case l.asked && l.pid != 0:
		return fmt.Errorf("its start is answered and under way")
	case (s.phase == child.Stopping) != (s.stop != nil):
		return fmt.Errorf("a stop under way: %v", s.stop)
	case s.pendingRestart != nil && (s.phase != child.Stopping || s.operation != child.Active):
		return fmt.Errorf("operation %s with a pending restart", s.operation)
	case s.phase == child.Running && !s.wanted() && t.shutdown == nil && len(t.removedBefore(s)) == 0:
		return fmt.Errorf("it runs and should not: operation %s, suspend %v", s.operation, s.spec.Suspend)
	}
	return nil
}

func (t *Tree) checkRest(s *state) error {
	limit := s.spec.RestartLimit
	switch {
	case s.rest.set != (s.phase == child.BackingOff):
		return fmt.Errorf("rest until %v", s.rest)
	case limit == nil && len(s.restarts) > 0:
		return fmt.Errorf("%d restarts are counted without a limit", len(s.restarts))
	case !slices.IsSorted(s.restarts):
		return fmt.Errorf("restarts out of order: %v", s.restarts)
	case len(s.exits) > child.MaxExits:
		return fmt.Errorf("%d exits are kept", len(s.exits))
	}
	return nil
}

// checkProgress: a child that is not at rest has a deadline or awaits something
// that has a name.
func (t *Tree) checkProgress(s *state) error {
	_, wakes := t.wake(s)
	switch s.phase {
	case child.Pending:
		if len(s.waits) == 0 {
			return fmt.Errorf("it waits for nothing")
		}
		if s.waits[0] == waitsForSlot && s.ticket == 0 {
			return fmt.Errorf("it waits for a start slot outside the queue")
		}
	case child.Starting:
		if !s.live.asked && !wakes && len(s.waits) == 0 {
			return fmt.Errorf("it awaits no answer, and no time to ask again")
		}
	case child.Stopping:
		if !wakes && t.connected && !s.live.asked {
			return fmt.Errorf("a stop without a deadline: %+v", *s.stop)
		}
		if t.shutdown != nil && s.shutdown.draining && !wakes {
			return fmt.Errorf("a shutdown waits for it without end")
		}
	}
	return nil
}

func (t *Tree) checkAlarm(s *state) error {
	at, on := t.wake(s)
	if on != (s.alarm.place > 0) || on && at != s.alarm.at {
		return fmt.Errorf("it wants to wake at %d (%v); its alarm is set to %d (place %d)", at, on, s.alarm.at, s.alarm.place)
	}
	return nil
}

func (t *Tree) checkIndex(s *state) error {
	var err error
	links(s.spec, func(on child.ID) {
		if !slices.Contains(t.dependants[on], s.id) {
			err = fmt.Errorf("%s, which it waits for, does not know it", on)
		}
	})
	if s.offers != offering(s) {
		err = fmt.Errorf("its dependants believe %+v", s.offers)
	}
	return err
}

func (t *Tree) checkHeap() error {
	for i, a := range t.alarms {
		switch {
		case a.place != i+1:
			return fmt.Errorf("alarm %d of %s believes to be at %d", i+1, a.key, a.place)
		case i > 0 && t.alarms.Less(i, (i-1)/2):
			return fmt.Errorf("alarm %d of %s is before its parent in the heap", i+1, a.key)
		case a.child != nil && t.children[a.child.id] != a.child:
			return fmt.Errorf("an alarm of %s, which is gone", a.key)
		case a.stray != nil && t.strays[a.key] != a.stray:
			return fmt.Errorf("an alarm of the stray %s, which is gone", a.key)
		case a.asker != nil && (t.askers[a.asker.name] != a.asker || a.asker.leftOut == 0):
			return fmt.Errorf("an alarm of the asker %s, of whom nothing was left out", a.asker.name)
		}
	}
	return nil
}

func (t *Tree) checkDependants() error {
	for on, list := range t.dependants {
		for _, id := range list {
			s := t.children[id]
			linked := false
			if s != nil {
				links(s.spec, func(id child.ID) { linked = linked || id == on })
			}
			if !linked {
				return fmt.Errorf("%s is entered as a dependant of %s", id, on)
			}
		}
	}
	return nil
}

func (t *Tree) checkQueue() error {
	for _, q := range t.slots.queue {
		if q.void() {
			continue
		}
		if q.s.gone || !t.connected || t.slots.used < t.cfg.StartSlots {
			return fmt.Errorf("%s queues for a start slot; %d of %d are used, connected: %v", q.s.key(), t.slots.used, t.cfg.StartSlots, t.connected)
		}
	}
	return nil
}

func (t *Tree) checkStrays() error {
	for key := range t.strays {
		if s, ok := t.children[key.ID]; ok && s.hasAttempt() && s.key() == key {
			return fmt.Errorf("the current attempt %s is taken for a stray", key)
		}
	}
	return nil
}

func (t *Tree) checkShutdown() error {
	d := t.shutdown
	if d == nil {
		return nil
	}
	left, draining := 0, 0
	for _, s := range t.children {
		if s.shutdown.left {
			left++
		}
		if s.shutdown.draining {
			draining++
		}
		if s.phase == child.Pending || s.phase == child.BackingOff {
			return fmt.Errorf("%s waits for a start in a shutdown", s.key())
		}
	}
	switch {
	case left != d.left || draining != d.draining:
		return fmt.Errorf("the shutdown waits for %d children, %d of them stopping; it counted %d and %d", left, draining, d.left, d.draining)
	case d.report != nil && (left > 0 || len(d.waiting) > 0):
		return fmt.Errorf("the shutdown is over with %d children left and %d replies due", left, len(d.waiting))
	}
	return nil
}
