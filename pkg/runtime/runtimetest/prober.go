package runtimetest

import (
	"slices"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

// look is one probe under way in a brain: its answer is known when it comes.
type look struct {
	machine.Probe
	at time.Duration // when it is answered
}

// probe begins a look. A newer one of a child and role replaces an older one.
func (b *brain) probe(ask machine.Probe) {
	b.dropLooks(func(l look) bool { return l.Key.ID == ask.Key.ID && l.Role == ask.Role })
	at := b.s.now + b.s.upTo(100*time.Millisecond)
	if !b.s.calm && b.s.chance(b.s.habits.slowProbes) {
		at = b.s.now + b.s.upTo(3*time.Second)
	}
	b.looks = append(b.looks, look{ask, at})
}

func isNoProbe(e machine.Effect) bool {
	switch e.(type) {
	case machine.Probe, machine.CancelProbe:
		return false
	}
	return true
}

// dropLooks forgets looks, except that now and then an answer was already on its
// way: it arrives too late.
func (b *brain) dropLooks(which func(look) bool) {
	b.looks = slices.DeleteFunc(b.looks, func(l look) bool {
		if !which(l) {
			return false
		}
		if b.s.chance(20) {
			b.probed = append(b.probed, b.s.looksAt(l))
		}
		return true
	})
}

// answerDue reports whether a look is answered by now.
func (b *brain) answerDue() bool {
	return slices.ContainsFunc(b.looks, func(l look) bool { return l.at <= b.s.now })
}

// answer ends the first look that is due; some answers come twice.
func (b *brain) answer() {
	i := slices.IndexFunc(b.looks, func(l look) bool { return l.at <= b.s.now })
	l := b.looks[i]
	b.looks = slices.Delete(b.looks, i, i+1)
	result := b.s.looksAt(l)
	b.probed = append(b.probed, result)
	if !b.s.calm && b.s.chance(5) {
		b.probed = append(b.probed, result)
	}
}

// looksAt is what one look finds.
func (s *sim) looksAt(l look) machine.Probed {
	result := machine.Probed{Key: l.Key, Role: l.Role, Number: l.Number, OK: s.well(s.kernel.mainOf(l.Key)), Latency: time.Millisecond}
	if !result.OK {
		result.Message = "no answer"
	}
	return result
}

// well reports whether a process answers probes.
func (s *sim) well(p *process) bool {
	return p != nil && s.now >= p.made+p.habit.readyAfter && s.now < after(p.made, p.habit.sickAfter)
}

func (b *brain) stepProbed() {
	ev := b.probed[0]
	b.probed = b.probed[1:]
	b.spins = 0
	b.s.count.Probes++
	b.s.truth.probed(b.tree, ev)
	b.step(ev)
}

// probed counts the failures that the tree is told of: enough of them in a row
// allow it to end the attempt. Results that come too late or twice count here and
// not in the tree, which then ends nothing.
func (t *truth) probed(tree *machine.Tree, ev machine.Probed) {
	snap, ok := tree.Snapshot(ev.Key.ID)
	if !ok || keyOf(snap) != ev.Key || ev.Role != child.LivenessRole || snap.Spec.HealthCheck == nil {
		return
	}
	f := t.of(ev.Key)
	if ev.OK {
		f.failures = 0
		return
	}
	if f.failures++; f.failures >= snap.Spec.HealthCheck.MaxRetries {
		f.unwell = true
	}
}

// mayEnd lets an attempt be stopped that failed its liveness, or did not become
// ready in time.
func (t *truth) mayEnd(f *fate) {
	deadline, has := t.deadline[f.key.ID]
	late := has && !f.wasReady && (t.s.now-f.begunAt >= deadline || t.s.fault.jump > 0)
	if f.timedOut || !f.unwell && !late {
		return
	}
	f.mayStop, f.timedOut = true, true
	t.s.count.Unwell++
}

// mayFollow lets an attempt be stopped after a dependency with restart began a
// newer attempt than it did itself. A folder has no process that could tell when:
// one that was removed and added again is a newer one too.
func (t *truth) mayFollow(f *fate) {
	for on := range t.follows[f.key.ID] {
		if b := t.s.brain; b != nil {
			snap, ok := b.tree.Snapshot(on)
			f.mayStop = f.mayStop || ok && snap.Spec.Kind == child.Supervisor
		}
		if newest := t.of(t.newest[place{id: on}]); newest.begun && newest.begunAt >= f.startedAt {
			f.mayStop = true
		}
	}
}

// declared remembers what a child was ever told to follow, and the shortest
// deadline that it was given.
func (t *truth) declared(id child.ID, spec *child.Spec) {
	for _, d := range spec.Dependencies {
		if d.Restart {
			if t.follows[id] == nil {
				t.follows[id] = map[child.ID]bool{}
			}
			t.follows[id][d.ID] = true
		}
	}
	if r := spec.Readiness; r != nil && r.Deadline > 0 {
		if was, has := t.deadline[id]; !has || r.Deadline.Duration() < was {
			t.deadline[id] = r.Deadline.Duration()
		}
	}
}

// randomProbes gives a spec probes with short times.
func (s *sim) randomProbes(spec *child.Spec) {
	handler := child.Probe{TCP: &child.TCPProbe{Port: 80}}
	interval := func() child.Seconds { return child.Seconds(100*time.Millisecond + s.upTo(400*time.Millisecond)) }
	if s.chance(35) {
		spec.Readiness = &child.Readiness{
			CheckInterval: interval(), Timeout: child.Seconds(time.Second), InitialDelay: child.Seconds(s.upTo(200 * time.Millisecond)),
			SuccessThreshold: 1 + s.rng.IntN(2), FailureThreshold: 1 + s.rng.IntN(3), Probe: handler,
		}
		if s.chance(50) {
			spec.Readiness.Deadline = child.Seconds(4*time.Second + s.upTo(4*time.Second))
		}
	}
	if s.chance(35) {
		spec.HealthCheck = &child.HealthCheck{
			CheckInterval: interval(), Timeout: child.Seconds(time.Second), InitialDelay: child.Seconds(s.upTo(200 * time.Millisecond)),
			MaxRetries: 1 + s.rng.IntN(3), Probe: handler,
		}
	}
}

// checkReady checks that a child at rest shows what its probes must have found.
func (s *sim) checkReady(snap *child.Snapshot) {
	if snap.Phase != child.Running || snap.Spec.Kind == child.Supervisor {
		return
	}
	well := snap.Spec.Readiness == nil || s.well(s.kernel.mainOf(keyOf(snap)))
	if snap.Ready != well {
		s.failf("at rest: %s is ready: %v, want %v", snap.ID, snap.Ready, well)
	}
	if snap.Spec.HealthCheck != nil && !s.well(s.kernel.mainOf(keyOf(snap))) && snap.Spec.Readiness == nil {
		s.failf("at rest: %s fails its liveness and runs on", snap.ID)
	}
}
