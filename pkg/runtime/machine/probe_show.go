package machine

import (
	"fmt"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// The reasons of the conditions Ready and Healthy that probes give.
const (
	reasonSucceeded = "ProbeSucceeded"
	reasonFailed    = "ProbeFailed"
	reasonWaiting   = "WaitingForProbe"
)

// probedReason is why a running child is ready.
func probedReason(s *state) string {
	switch plan, _ := scheduleOf(s.spec, child.ReadinessRole); plan.handler {
	case "":
		return "Running"
	case child.NotifyHandler:
		return "Notified"
	case child.LogMatchHandler:
		return "LogMatched"
	}
	return reasonSucceeded
}

// unreadyReason is why a running child is not ready.
func unreadyReason(s *state) string {
	plan, _ := scheduleOf(s.spec, child.ReadinessRole)
	switch {
	case s.hook.on():
		return "WaitingForHook"
	case s.live.readiness.state.Message != "":
		return reasonFailed
	case plan.handler == "":
		return "WaitingForInitialDelay"
	case plan.handler == child.NotifyHandler:
		return "WaitingForNotify"
	case plan.handler == child.LogMatchHandler:
		return "WaitingForLogMatch"
	}
	return reasonWaiting
}

func readyMessage(s *state) string {
	if s.phase == child.Running && !s.live.ready && !s.hook.on() {
		return awaited(s)
	}
	return waitMessage(s)
}

// awaited says what a running child that is not ready is waited for.
func awaited(s *state) string {
	plan, _ := scheduleOf(s.spec, child.ReadinessRole)
	switch unreadyReason(s) {
	case "WaitingForInitialDelay":
		if plan.initial > 0 {
			return fmt.Sprintf("it is ready %s after its start (initial_delay_secs)", plan.initial)
		}
	case "WaitingForNotify":
		return notNotified(s.spec)
	case "WaitingForLogMatch":
		return "no line that it printed matches log_match"
	case reasonWaiting:
		if n := s.live.readiness.successes; n > 0 {
			return fmt.Sprintf("its readiness succeeded %d of %d times in a row", n, plan.successes)
		}
		return "its readiness was not looked at yet"
	}
	return s.live.readiness.state.Message
}

// notNotified has the way out for a child that cannot speak: its socket is open to the
// user that run_as names, and to no other that it may become.
func notNotified(spec *child.Spec) string {
	const silent = "it has not said READY=1 on its notify socket"
	if spec.RunAs == nil || spec.RunAs.User == "" {
		return silent + " (if it changes its user by itself, write run_as: only that user may send there)"
	}
	return silent
}

// healthy is the condition Healthy of a child with a health check.
func healthy(s *state) child.ConditionState {
	c := child.ConditionState{Type: child.ConditionHealthy, Status: "Unknown", Reason: reasonWaiting}
	switch found := s.live.liveness.state; {
	case found.Status == child.ProbeFailing:
		c.Status, c.Reason, c.Message = truth(false), reasonFailed, found.Message
	case s.phase != child.Running:
		c.Reason = string(s.phase)
	case found.Status == child.ProbePassing:
		c.Status, c.Reason = truth(true), reasonSucceeded
	case !s.live.wasReady:
		c.Reason = "WaitingForReady"
	}
	return c
}

// recordProbes adds what a crash must not forget: a child that was ready stays
// ready until a probe says otherwise.
func (t *Tree) recordProbes(s *state, r *Record) {
	r.WasReady, r.Heartbeat = s.live.wasReady && !s.live.folder, child.Millis(s.live.liveness.every)
	r.Readiness, r.Liveness = s.live.readiness.recorded(), s.live.liveness.recorded()
}

// recorded is a copy, nil for a probe that found nothing.
func (p *probing) recorded() *child.ProbeState {
	if p.state == (child.ProbeState{}) {
		return nil
	}
	state := p.state
	return &state
}

// restoreProbes brings it back. A row of failures that was not enough yet
// begins anew.
func restoreProbes(s *state, r Record) {
	s.live.wasReady = r.WasReady || s.live.ready
	s.live.liveness.every = r.Heartbeat.Duration()
	for p, recorded := range map[*probing]*child.ProbeState{&s.live.readiness: r.Readiness, &s.live.liveness: r.Liveness} {
		if recorded != nil {
			p.state = *recorded
			if p.state.Status != child.ProbeFailing {
				p.state.Failures = 0
			}
			p.shown = p.state
		}
	}
}

// checkProbes: what should be probed is under way or has a time, nothing else
// has, and a deadline stands exactly while it may be missed.
func (t *Tree) checkProbes(s *state) error {
	for _, role := range roles {
		p := s.probing(role)
		_, on := t.probes(s, role)
		switch {
		case p.asked && p.next.set:
			return fmt.Errorf("its %s is under way and planned", role)
		case on != (p.asked || p.next.set):
			return fmt.Errorf("its %s should be probed: %v; under way: %v, planned: %v", role, on, p.asked, p.next.set)
		case p.number > t.lastProbe:
			return fmt.Errorf("its %s has the number %d, the last one given is %d", role, p.number, t.lastProbe)
		}
	}
	l, r := s.live, s.spec.Readiness
	awaited := t.connected && t.shutdown == nil && s.phase == child.Running && !l.folder && !l.wasReady && r != nil
	switch {
	case l.deadline.set != (awaited && r.Deadline > 0):
		return fmt.Errorf("a deadline for becoming ready: %v, with a running attempt that never was: %v", l.deadline.set, awaited)
	case l.ready && !l.wasReady:
		return fmt.Errorf("it is ready and never was")
	case s.phase == child.Running && t.connected && !l.ready && r == nil && s.hook.role != child.PostStart:
		return fmt.Errorf("nothing keeps it from being ready")
	case s.stop != nil && s.stop.unwell != "" && l.folder:
		return fmt.Errorf("a folder has failed a probe")
	}
	return nil
}

// age is for showEvery: a clock that was set back makes a result old.
func age(newer, older time.Time) time.Duration {
	if d := newer.Sub(older); d >= 0 {
		return d
	}
	return showEvery
}
