package machine

import (
	"fmt"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// A child with a schedule is started when it says so, and not when it is added. A
// run is over when the child is Completed or Failed; retries, restarts by command
// and whatever else happens to other children belong to it. Until the next run the
// child waits: after a pause, with a new manifest, after a crash.

// The facts about schedules.
const (
	RunDue     FactKind = "run_due"
	RunSkipped FactKind = "run_skipped" // the last one was not over, or nobody was there
)

// arrangeSchedule says when the next run is due.
func (t *Tree) arrangeSchedule(s *state) {
	if s.spec.Schedule == nil || t.cfg.Next == nil || s.isSupervisor() || s.operation == child.Removed || t.shutdown != nil {
		s.nextRun = moment{}
		return
	}
	if s.nextRun.set {
		return
	}
	if next := t.cfg.Next(s.spec.Schedule, t.wall); !next.IsZero() {
		s.nextRun = moment{at: t.now + Instant(max(next.Sub(t.wall), 0)), wall: next, set: true}
		t.save(s)
	}
}

// runDue begins a run, unless the last one is still under way.
func (t *Tree) runDue(s *state) {
	at := s.nextRun.wall
	s.nextRun = moment{} // the next one is arranged before the step ends
	cause := child.Cause{RequestedBy: runtimeItself, Reason: "its schedule: " + s.spec.Schedule.Cron}
	switch {
	case !s.wanted():
		t.fact(s, RunSkipped, "it should not run now: "+string(s.phase))
	case !s.underWay():
		t.fact(s, RunDue, at.Format(time.RFC3339))
		t.beginRun(s)
	case s.spec.Schedule.Overlap == child.OverlapQueue:
		s.queuedRun = true
		t.fact(s, RunDue, at.Format(time.RFC3339)+", after the one that is under way")
	case s.spec.Schedule.Overlap == child.OverlapReplace:
		t.fact(s, RunDue, at.Format(time.RFC3339)+", in place of the one that is under way")
		s.betweenRuns = false
		t.renew(s, Restart, cause)
	default:
		t.fact(s, RunSkipped, "the last one is still under way")
	}
	t.save(s)
}

// underWay reports whether a run is not over: it runs, rests before a retry, waits
// for a start, or the hooks after its end are running.
func (s *state) underWay() bool {
	return s.hasAttempt() || s.hook.on() || s.phase == child.BackingOff || s.phase == child.Pending && !s.betweenRuns
}

func (t *Tree) beginRun(s *state) {
	s.betweenRuns = false
	t.idle(s)
}

// runOver is called when a child is Completed or Failed.
func (t *Tree) runOver(s *state) {
	if s.spec.Schedule == nil {
		return
	}
	s.betweenRuns = true
	if s.queuedRun && t.shutdown == nil {
		s.queuedRun = false
		t.beginRun(s)
	}
}

// waitsForRun names what a child waits for that is not to be started now.
func (s *state) waitsForRun() []string {
	if s.spec.Schedule == nil || !s.betweenRuns {
		return nil
	}
	if !s.nextRun.set {
		return []string{fmt.Sprintf("its schedule (%s)", s.spec.Schedule.Cron)}
	}
	return []string{"its next run at " + s.nextRun.wall.Format(time.RFC3339)}
}

// restoreSchedule decides about a run that was due while nobody was there.
func (t *Tree) restoreSchedule(s *state, r Record) {
	s.betweenRuns, s.queuedRun = r.BetweenRuns, r.QueuedRun
	switch {
	case s.spec.Schedule == nil || r.NextRun.IsZero():
	case r.NextRun.After(t.wall):
		s.nextRun = moment{at: t.now + Instant(r.NextRun.Sub(t.wall)), wall: r.NextRun, set: true}
	case s.spec.Schedule.Missed == child.MissedRunOnce:
		s.nextRun = moment{at: t.now, wall: r.NextRun, set: true}
	}
}

func (t *Tree) checkSchedule(s *state) error {
	switch {
	case s.nextRun.set && (s.spec.Schedule == nil || s.isSupervisor()):
		return fmt.Errorf("a next run at %v without a schedule", s.nextRun.wall)
	case s.betweenRuns && s.hasAttempt() && s.spec.Schedule != nil:
		return fmt.Errorf("it runs, and waits for its next run")
	}
	return nil
}
