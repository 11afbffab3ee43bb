package machine

import (
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// firstSpread bounds the chance that spreads the first look at a child that is
// not ready: a thousand children that start together are not asked in one
// instant, and none waits long for its first look.
const firstSpread = 500 * time.Millisecond

// roles are in the order in which they are dealt with.
var roles = [...]child.ProbeRole{child.ReadinessRole, child.LivenessRole}

// probing is one probe of the newest attempt.
type probing struct {
	number  uint64 // of the newest Probe
	asked   bool   // it is not answered; next is then not set
	askedAt Instant

	// next is when the next Probe is due; for a heartbeat, when one is missing.
	next  moment
	every time.Duration // between heartbeats, as the attempt asked for it; 0: it did not

	successes int // in a row
	state     child.ProbeState
	shown     child.ProbeState // state as it was published
}

func (s *state) probing(role child.ProbeRole) *probing {
	if role == child.LivenessRole {
		return &s.live.liveness
	}
	return &s.live.readiness
}

// schedule is what a spec says about the times of one role.
type schedule struct {
	handler             string
	interval, initial   time.Duration
	successes, failures int // thresholds
}

// scheduleOf is false where there is nothing to probe.
func scheduleOf(spec *child.Spec, role child.ProbeRole) (schedule, bool) {
	switch h, r := spec.HealthCheck, spec.Readiness; {
	case role == child.LivenessRole && h != nil:
		p := schedule{h.Handler(), h.CheckInterval.Duration(), h.InitialDelay.Duration(), 1, max(h.MaxRetries, 1)}
		return p, true
	case role == child.ReadinessRole && r != nil:
		p := schedule{r.Handler(), r.CheckInterval.Duration(), r.InitialDelay.Duration(), max(r.SuccessThreshold, 1), max(r.FailureThreshold, 1)}
		return p, true
	}
	return schedule{}, false
}

// probes reports whether an attempt should be probed now: while it runs and
// somebody can ask. Liveness waits for the first time that it is ready. In a
// shutdown nobody looks any more: what is unwell then is stopped in its turn.
func (t *Tree) probes(s *state, role child.ProbeRole) (schedule, bool) {
	plan, has := scheduleOf(s.spec, role)
	switch {
	case !has || !t.connected || t.shutdown != nil || s.phase != child.Running || s.live.folder || s.hook.role == child.PostStart:
		return plan, false
	case role == child.LivenessRole:
		return plan, s.live.wasReady
	case plan.handler == "" || plan.handler == child.LogMatchHandler:
		return plan, !s.live.ready // one success is enough for good
	}
	return plan, plan.handler != child.NotifyHandler
}

// arrange gives every probe that should be made its time, and drops the others.
func (t *Tree) arrange(s *state) {
	if s.live.folder {
		return
	}
	if s.phase == child.Running && !s.live.ready && s.hook.role != child.PostStart {
		t.readyAtOnce(s)
	}
	for _, role := range roles {
		plan, on := t.probes(s, role)
		p := s.probing(role)
		switch {
		case !on:
			t.drop(s, role)
		case !p.asked && !p.next.set:
			p.next = t.firstProbe(s, role, plan)
		}
	}
	t.arrangeDeadline(s)
}

// readyAtOnce is for children of which nothing is awaited but that they run, and
// for those that have said already that they are ready.
func (t *Tree) readyAtOnce(s *state) {
	switch plan, has := scheduleOf(s.spec, child.ReadinessRole); {
	case !has || plan.handler == "" && plan.initial == 0:
		t.becomeReady(s)
	case plan.handler == child.NotifyHandler && s.live.saidReady:
		t.saidReady(s, true)
	}
}

// firstProbe is when the first look is due. A child that is ready, or was when an
// earlier run or connection saw it, can wait: its looks are spread over the whole
// interval.
func (t *Tree) firstProbe(s *state, role child.ProbeRole, plan schedule) moment {
	delay := max(plan.initial-ranFor(s.live.startedAt, t.wall), 0)
	spread := plan.interval
	switch {
	case plan.handler == child.HeartbeatHandler:
		return t.in(delay + s.heartbeat(plan))
	case plan.handler == "":
		return t.in(delay)
	case role == child.ReadinessRole && !s.live.ready:
		spread = min(spread, firstSpread)
	}
	return t.in(delay + time.Duration(s.chance()*float64(spread)))
}

func (s *state) heartbeat(plan schedule) time.Duration {
	if s.live.liveness.every > 0 {
		return s.live.liveness.every
	}
	return plan.interval
}

// arrangeDeadline sets when the attempt must be ready. A deadline that passed
// while nobody could look leaves time for one look.
func (t *Tree) arrangeDeadline(s *state) {
	r := s.spec.Readiness
	if r == nil || r.Deadline == 0 || s.live.wasReady || s.phase != child.Running || !t.connected || t.shutdown != nil {
		s.live.deadline = moment{}
		return
	}
	if !s.live.deadline.set {
		limit := r.Deadline.Duration()
		least := min(limit, r.CheckInterval.Duration()+r.Timeout.Duration())
		s.live.deadline = t.in(max(limit-ranFor(s.live.startedAt, t.wall), least))
	}
}

// drop ends a probe that should not be made any more.
func (t *Tree) drop(s *state, role child.ProbeRole) {
	p := s.probing(role)
	if p.asked {
		t.emit(CancelProbe{Key: s.key(), Role: role, Number: p.number})
	}
	p.asked, p.next = false, moment{}
}

func (t *Tree) dropProbes(s *state) {
	for _, role := range roles {
		t.drop(s, role)
	}
}

// reprobe makes a changed spec hold for a running attempt: what was changed
// begins anew, and until the new probe says otherwise the child is what it was.
func (t *Tree) reprobe(s *state, old *child.Spec) {
	if !s.hasAttempt() {
		return
	}
	for _, role := range roles {
		if sameProbe(old, s.spec, role) {
			continue
		}
		t.drop(s, role)
		p := s.probing(role)
		p.successes, p.state.Failures, p.state.Message, p.state.Words = 0, 0, "", ""
		if _, has := scheduleOf(s.spec, role); !has {
			p.state = child.ProbeState{}
		}
		t.show(s, p)
		if role == child.ReadinessRole {
			s.live.deadline = moment{}
		}
	}
}

// probesDue does what is due of the probes of one child.
func (t *Tree) probesDue(s *state) {
	if s.live.deadline.due(t.now) {
		t.missedDeadline(s)
	}
	for _, role := range roles {
		p := s.probing(role)
		if !p.next.due(t.now) {
			continue
		}
		switch plan, on := t.probes(s, role); {
		case !on:
			t.drop(s, role)
		case plan.handler == child.HeartbeatHandler:
			p.next = t.in(s.heartbeat(plan))
			t.found(s, role, plan, Probed{Message: "no WATCHDOG=1 within " + s.heartbeat(plan).String()})
		case plan.handler == "":
			p.next = moment{}
			t.found(s, role, plan, Probed{OK: true})
		default:
			t.askProbe(s, role)
		}
	}
}

// askProbe asks for one look.
func (t *Tree) askProbe(s *state, role child.ProbeRole) {
	t.lastProbe++
	p := s.probing(role)
	p.number, p.asked, p.askedAt, p.next = t.lastProbe, true, t.now, moment{}
	t.emit(Probe{Key: s.key(), Attempt: s.attempt, Role: role, Number: p.number, Spec: s.spec})
}

// probed is the answer to one look. The next one is due an interval after this
// one began, and never before it ended.
func (t *Tree) probed(ev Probed) {
	s, ok := t.children[ev.Key.ID]
	if !ok || s.key() != ev.Key || ev.Role != child.LivenessRole && ev.Role != child.ReadinessRole {
		return
	}
	p := s.probing(ev.Role)
	plan, on := t.probes(s, ev.Role)
	if !on || !p.asked || p.number != ev.Number {
		return
	}
	p.asked = false
	p.next = t.in(max(time.Duration(p.askedAt-t.now)+plan.interval, 0))
	t.found(s, ev.Role, plan, ev)
	t.lookAt(s)
}
