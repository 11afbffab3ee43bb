package machine

import (
	"slices"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// exited is how a process ended. Whatever it is, it is acknowledged, after the
// record that tells of it.
func (t *Tree) exited(ev Exited) {
	s, ok := t.children[ev.Key.ID]
	hooked := t.hookOf(ev.Key)
	switch {
	case hooked != nil:
		t.hookExited(hooked, ev)
	case t.strays[ev.Key] != nil:
		t.strayGone(t.strays[ev.Key])
	case !ok || s.key() != ev.Key || !s.hasAttempt():
		t.stale(ev.Key, "it ended")
	default:
		t.attemptExited(s, ev)
	}
	t.emit(Acknowledge{Key: ev.Key})
}

// stale notes a report of an attempt that the tree does not know, or no more.
// It changes nothing.
func (t *Tree) stale(key child.Key, reason string) {
	t.out.facts = append(t.out.facts, Fact{
		Kind: StaleReportIgnored, Child: key.ID, Generation: key.Generation, Reason: key.String() + ": " + reason,
		Correlation: key.String(),
	})
}

func (t *Tree) attemptExited(s *state, ev Exited) {
	if s.stop == nil {
		s.correlation = ev.Key.String()
	}
	defer t.within(s.about())()
	asked := s.stop != nil && s.stop.sent
	kind := classify(ev, s.spec, asked)
	if asked && s.stop.unwell != "" {
		kind = s.stop.unwellKind
	}
	e := t.exitReport(s, ev, kind)
	lastWords(e, s.live.said)
	if asked && s.stop.hookFailed != "" {
		e.Reason += "; " + s.stop.hookFailed
	}
	if e.Kind != child.Cancelled {
		if when := t.afterReload(s); when != "" {
			t.blameReload(s, "it ended")
			e.Reason += "; " + when
		}
	}
	f := t.fact(s, ChildExited, e.Reason)
	f.PID, f.Exit = e.PID, e
	t.ended(s, e)
}

// exitReport never invents what nobody saw: Code is set only when the process
// ended by itself and its end was seen.
func (t *Tree) exitReport(s *state, ev Exited, kind child.ExitKind) *child.Exit {
	e := &child.Exit{
		Incarnation: s.incarnation, Generation: s.generation, Attempt: s.attempt,
		PID: ev.PID, Kind: kind, Reason: exitReason(ev, kind, s.stop), Words: ev.Words,
		StartedAt: ev.StartedAt, FinishedAt: ev.FinishedAt,
		LogTail: ev.LogTail, Leftovers: ev.Leftovers,
	}
	if s.stop != nil && s.stop.sent && s.stop.unwell != "" {
		e.Words = s.stop.unwellWords
	}
	if e.PID == 0 {
		e.PID = s.live.pid
	}
	if e.StartedAt.IsZero() {
		e.StartedAt = s.live.startedAt
	}
	if e.FinishedAt.IsZero() {
		e.FinishedAt = t.wall
	}
	if !ev.Lost {
		e.Signal, e.CoreDumped, e.OOMKilled = ev.Signal, ev.CoreDumped, ev.OOMKilled
		if ev.Signal == "" {
			e.Code = ev.Code
		}
	}
	e.Duration = child.Seconds(ranFor(e.StartedAt, e.FinishedAt))
	return e
}

// ended takes note that the attempt of a child is no more, and decides what
// comes next. e is nil when there never was a process nor a failure.
func (t *Tree) ended(s *state, e *child.Exit) {
	stopped := s.stop
	t.answered(s)
	t.dropHook(s)
	if stopped != nil {
		t.fact(s, ChildStopCompleted, stopped.cause.Reason).Cause = stopped.cause
	}
	t.dropProbes(s)
	failed := stopped != nil && (stopped.unwell != "" && s.pendingRestart == nil || stopped.forOthers() && e != nil)
	t.fenceOpens(s)
	s.live, s.stop, s.failure = attempt{}, nil, nil
	if e != nil {
		kept := s.exits[max(0, len(s.exits)-child.MaxExits+1):]
		s.exits = append(slices.Clone(kept), e)
	}
	if stopped != nil {
		s.stopState = child.StopCompleted
	}
	if !t.beginPostStop(s, stopped, e) {
		t.wentDown(s, stopped, e)
	}
	t.memberGone(s)
	switch {
	case s.operation == child.Removed:
		t.leave(s)
	case stopped != nil && !failed || e == nil || !s.wanted():
		t.idle(s)
	default:
		t.fell(s, e)
	}
}

// fell decides about a child whose attempt failed, or ended without being asked to.
func (t *Tree) fell(s *state, e *child.Exit) {
	ran := e.Duration.Duration()
	switch {
	case !e.Kind.IsFailure() || ran >= s.spec.Backoff.ResetAfter.Duration():
		s.quick = 0
	default:
		s.quick++
	}
	s.phase = afterExit(s.spec.RestartPolicy, e.Kind)
	t.save(s)
	switch {
	case s.phase == child.Completed:
		t.fact(s, ChildCompleted, e.Reason)
		t.runOver(s)
	case s.phase == child.FailedPhase:
		t.fact(s, ChildFailed, e.Reason)
		t.runOver(s)
	case t.shutdown != nil:
		s.phase = child.Stopped // the next run starts it
		t.rested(s, child.BackingOff)
	case t.lacks(s): // it failed for want of a dependency: that is not held against it
		s.lastDelay = 0
		t.backOff(s, ran, e.Reason)
		t.spread(s, string(s.id)+" ended: "+e.Reason)
	case !t.countRestart(s):
		t.quarantine(s, limitReason(s.spec.RestartLimit))
	case !t.charge(s, e.Reason):
	default:
		t.backOff(s, ran, e.Reason)
		t.spread(s, string(s.id)+" ended: "+e.Reason)
	}
}

// backOff lets a child rest before its next start.
func (t *Tree) backOff(s *state, ran time.Duration, reason string) {
	s.lastDelay = nextDelay(s.lastDelay, ran, s.spec.Backoff)
	rest := jittered(s.lastDelay, s.spec.Backoff.JitterRatio, s.chance())
	t.fact(s, BackoffScheduled, reason).Delay = rest
	if rest <= 0 {
		t.fact(s, ChildRestarting, "without a rest")
		t.idle(s)
		return
	}
	s.rest = t.in(rest)
}
