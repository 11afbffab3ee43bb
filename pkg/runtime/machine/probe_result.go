package machine

import (
	"fmt"
	"reflect"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// showEvery is how old the published result of a probe may be while nothing else
// changes: a thousand probes a second must not be a thousand files a second.
const showEvery = 30 * time.Second

// found takes note of one result. As in Kubernetes, a status changes when as many
// results in a row say so as the threshold wants.
func (t *Tree) found(s *state, role child.ProbeRole, plan schedule, ev Probed) {
	p := s.probing(role)
	if ev.Unknown {
		t.notFound(s, role, ev)
		return
	}
	p.state.CheckedAt, p.state.Latency = t.wall, child.Seconds(ev.Latency)
	if ev.OK {
		p.successes++
		p.state.Failures, p.state.Message, p.state.Words = 0, "", ""
		if p.successes >= plan.successes {
			t.passes(s, role)
		}
	} else {
		p.successes = 0
		p.state.Failures++
		p.state.Message, p.state.Words = ev.Message, ev.Words
		if p.state.Failures == 1 {
			t.turn(s, ProbeFailed, string(role)+": "+ev.Message, ev.Words)
		}
		if p.state.Failures >= plan.failures {
			t.fails(s, role)
		}
	}
	t.show(s, s.probing(role))
}

// notFound takes note that nobody could look. That says nothing about the child, and
// so changes nothing but the message: as in Kubernetes, a mistake of the probe does
// not end who is probed.
func (t *Tree) notFound(s *state, role child.ProbeRole, ev Probed) {
	p := s.probing(role)
	message := "could not be made: " + ev.Message
	if p.state.Message != message || p.state.Words != ev.Words {
		p.state.Message, p.state.Words = message, ev.Words
		t.turn(s, ProbeFailed, string(role)+" "+message, ev.Words)
	}
	t.show(s, p)
}

func (t *Tree) passes(s *state, role child.ProbeRole) {
	p := s.probing(role)
	if p.state.Status != child.ProbePassing {
		p.state.Status = child.ProbePassing
		t.save(s)
	}
	if role == child.ReadinessRole {
		t.becomeReady(s)
	}
}

func (t *Tree) fails(s *state, role child.ProbeRole) {
	p := s.probing(role)
	if p.state.Status != child.ProbeFailing {
		p.state.Status = child.ProbeFailing
		t.save(s)
	}
	if role == child.ReadinessRole {
		t.becomeNotReady(s, p.state)
		return
	}
	defer t.failing(s)()
	t.fact(s, ChildUnhealthy, p.state.Message).Words = p.state.Words
	t.failAttempt(s, fmt.Sprintf("liveness failed %s: %s", times(p.state.Failures), p.state.Message), p.state.Words)
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times in a row", n)
}

// becomeNotReady is all that a failing readiness does: nothing is restarted.
func (t *Tree) becomeNotReady(s *state, found child.ProbeState) {
	if !s.live.ready {
		return
	}
	t.blameReload(s, "it was not ready")
	s.live.ready, s.live.readyAt = false, time.Time{}
	t.turn(s, ChildNotReady, found.Message, found.Words)
	t.save(s)
}

// missedDeadline: an attempt that does not become ready has failed.
func (t *Tree) missedDeadline(s *state) {
	s.live.deadline = moment{}
	defer t.failing(s)()
	why := fmt.Sprintf("not ready within %s", s.spec.Readiness.Deadline.Duration())
	last := s.live.readiness.state
	if last.Message != "" {
		why += ": " + last.Message
	}
	t.failAttempt(s, why, last.Words)
}

// failAttempt ends an attempt that runs and does not do what it should. That
// counts like an exit with a failure.
func (t *Tree) failAttempt(s *state, why string, words child.Words) {
	t.failAs(s, child.TimedOut, why, words)
}

// failAs is failAttempt with the kind of the exit that will be reported.
func (t *Tree) failAs(s *state, kind child.ExitKind, why string, words child.Words) {
	if s.phase != child.Running || t.shutdown != nil {
		return
	}
	t.beginStop(s, whyUnwell, child.Cause{RequestedBy: runtimeItself, Reason: why})
	if s.stop != nil {
		s.stop.unwell, s.stop.unwellWords, s.stop.unwellKind = why, words, kind
		t.save(s)
	}
}

// notified is what an attempt says of itself.
func (t *Tree) notified(ev Notified) {
	s, ok := t.children[ev.Key.ID]
	if !ok || s.key() != ev.Key || !s.hasAttempt() {
		return
	}
	if t.heard(s, ev); s.stop != nil {
		return
	}
	if ev.Ready != nil {
		t.saidReady(s, *ev.Ready)
	}
	plan, has := scheduleOf(s.spec, child.LivenessRole)
	if !has || plan.handler != child.HeartbeatHandler {
		return
	}
	p := &s.live.liveness
	if ev.Every > 0 {
		p.every = asked(ev.Every)
		t.save(s)
	}
	_, on := t.probes(s, child.LivenessRole)
	switch {
	case ev.Broken && s.phase == child.Running:
		p.state.Status, p.state.Message, p.state.Words = child.ProbeFailing, "it says itself that it is broken (WATCHDOG=trigger)", ""
		t.show(s, p)
		defer t.failing(s)()
		t.fact(s, ChildUnhealthy, p.state.Message)
		t.failAttempt(s, p.state.Message, "")
	case on && ev.Heartbeat:
		p.next = t.in(s.heartbeat(plan))
		t.found(s, child.LivenessRole, plan, Probed{OK: true})
	case on && ev.Every > 0:
		p.next = t.in(p.every)
	}
	t.lookAt(s)
}

func (t *Tree) saidReady(s *state, ready bool) {
	s.live.saidReady = ready
	plan, has := scheduleOf(s.spec, child.ReadinessRole)
	if !has || plan.handler != child.NotifyHandler || s.phase != child.Running {
		return // it counts once the attempt is known to run, if then
	}
	p := &s.live.readiness
	p.state.CheckedAt = t.wall
	if ready {
		p.state.Message, p.state.Words = "", ""
		t.passes(s, child.ReadinessRole)
	} else {
		p.state.Status, p.state.Message, p.state.Words = child.ProbeFailing, "it says itself that it is not ready", ""
		t.becomeNotReady(s, p.state)
	}
	t.show(s, p)
}

// show publishes what a probe found, if that is worth it.
func (t *Tree) show(s *state, p *probing) {
	was, is := p.shown, p.state
	counts := was.Failures != is.Failures && (is.Status != child.ProbeFailing || is.Failures < was.Failures)
	if counts || was.Status != is.Status || was.Message != is.Message || was.Words != is.Words || age(is.CheckedAt, was.CheckedAt) >= showEvery {
		p.shown = is
		t.touch(s)
	}
}

func sameProbe(a, b *child.Spec, role child.ProbeRole) bool {
	if role == child.LivenessRole {
		return reflect.DeepEqual(a.HealthCheck, b.HealthCheck)
	}
	return reflect.DeepEqual(a.Readiness, b.Readiness)
}
