package machine

import (
	"slices"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// maxRecorded is how many restarts within a window outlive the process: a record is
// written at each of them, and must not grow with a generous limit.
const maxRecorded = 1000

// record is the durable image of a child.
func (t *Tree) record(s *state) Record {
	if s.gone {
		return Record{ID: s.id, Gone: true, Incarnation: s.incarnation, Operation: s.operation, Phase: s.phase, Sync: s.sync}
	}
	r := Record{
		Apart: true,
		Hook:  s.hookRecord(), NextRun: s.nextRun.wall, BetweenRuns: s.betweenRuns, QueuedRun: s.queuedRun,
		Files: s.live.files, ReloadFailed: s.reloadFailed,
		ID: s.id, Incarnation: s.incarnation, Spec: s.spec, Origin: s.origin, Observed: s.observed,
		Operation: s.operation, Hold: s.hold, Removing: s.removal, Phase: s.phase,
		Generation: s.generation, Attempt: s.attempt, Fence: s.fence, Restarts: s.restartCount(),
		PID: s.live.pid, StartedAt: s.live.startedAt,
		NextStart: s.rest.wall, LastDelay: child.Millis(s.lastDelay), Quick: s.quick,
		Exits: s.exits, Failure: s.failure, StopState: s.stopState, PendingRestart: s.pendingRestart,
		UpdatedAt: s.updatedAt, Correlation: s.correlation, Sync: s.sync, Again: s.again,
	}
	if s.live.ready {
		r.ReadyAt = s.live.readyAt
	}
	r.PendingSince, r.Waited, r.Began = s.pendingSince, child.Seconds(s.waited), s.began
	t.recordProbes(s, &r)
	if g := s.part.in; g != nil {
		r.Group = &GroupRecord{Of: g.of, Reason: g.reason}
	}
	if s.stop != nil {
		r.Stopping = &StopRecord{
			Why: s.stop.why, Stage: string(s.stop.stage), Deadline: s.stop.deadline.wall, Cause: s.stop.cause,
			Sent: s.stop.sent, Unwell: s.stop.unwell, UnwellWords: s.stop.unwellWords, UnwellKind: s.stop.unwellKind,
			Hooked: s.stop.hooked, HookFailed: s.stop.hookFailed,
		}
	}
	for _, at := range s.restarts[max(0, len(s.restarts)-maxRecorded):] {
		r.RestartedAt = append(r.RestartedAt, t.wallOf(at))
	}
	for tag, restarts := range s.groups {
		if r.GroupRestarts == nil {
			r.GroupRestarts = map[string][]time.Time{}
		}
		for _, at := range restarts[max(0, len(restarts)-maxRecorded):] {
			r.GroupRestarts[tag] = append(r.GroupRestarts[tag], t.wallOf(at))
		}
	}
	for _, c := range s.conditions {
		r.Conditions = append(r.Conditions, Transition{Type: c.Type, Status: c.Status, At: c.LastTransitionTime})
	}
	return r
}

// Restore is the tree that an earlier run left behind. Of several records of one
// ID the last one counts. It is detached: no effect comes before the first
// Adopted, and until then an attempt that was recorded counts as alive. The child
// whose end ended the earlier run is not in it: whoever adds it starts it anew, and
// as it is declared then.
func Restore(cfg Config, now Instant, wall time.Time, recs []Record) *Tree {
	t := New(cfg)
	t.now, t.wall = now, wall
	last := make(map[child.ID]int, len(recs))
	for i, r := range recs {
		last[r.ID] = i
		t.incarnation = max(t.incarnation, r.Incarnation)
	}
	parts, reasons := map[child.ID][]*state{}, map[child.ID]string{}
	for i, r := range recs {
		if last[r.ID] != i || r.Gone || r.Again || r.Spec == nil {
			continue
		}
		s := t.restore(apart(r))
		if r.Group != nil {
			parts[r.Group.Of], reasons[r.Group.Of] = append(parts[r.Group.Of], s), r.Group.Reason
		}
	}
	t.restoreGroups(parts, reasons)
	t.settle()
	for _, s := range t.children {
		s.changed = false
	}
	t.out.changed, t.out.facts = nil, nil
	return t
}

func (t *Tree) restore(r Record) *state {
	s := t.put(&state{
		id: r.ID, incarnation: r.Incarnation, spec: r.Spec, origin: r.Origin, observed: r.Observed,
		operation: r.Operation, hold: r.Hold, removal: r.Removing, phase: r.Phase,
		generation: r.Generation, attempt: r.Attempt,
		lastDelay: r.LastDelay.Duration(), quick: r.Quick,
		exits: slices.Clip(r.Exits), failure: r.Failure, reloadFailed: r.ReloadFailed, updatedAt: r.UpdatedAt, correlation: r.Correlation,
	})
	if t.cfg.LookTime > 0 {
		s.unseen = t.in(t.cfg.LookTime)
	}
	s.pendingSince, s.waited, s.began = r.PendingSince, r.Waited.Duration(), r.Began
	s.fence = r.Fence
	if r.Attempt > 0 {
		s.fence = max(r.Fence, r.Generation+1)
	}
	if r.StopState != "" {
		s.stopState = r.StopState
	}
	for _, c := range r.Conditions {
		s.conditions = append(s.conditions, child.ConditionState{Type: c.Type, Status: c.Status, LastTransitionTime: c.At})
	}
	t.restoreRestarts(s, r)
	t.restoreSchedule(s, r)
	t.restorePhase(s, r)
	t.restoreHook(s, r.Hook)
	t.lookAt(s)
	return s
}

func (t *Tree) restoreRestarts(s *state, r Record) {
	if s.spec.RestartLimit != nil {
		s.restarts = t.instants(r.RestartedAt, s.spec.RestartLimit)
	}
	for i := range s.spec.FailureGroups {
		g := &s.spec.FailureGroups[i]
		if restarts := t.instants(r.GroupRestarts[g.Tag], &g.RestartLimit); len(restarts) > 0 {
			if s.groups == nil {
				s.groups = map[string][]Instant{}
			}
			s.groups[g.Tag] = restarts
		}
	}
	t.forgetOldRestarts(s)
}

// instants are recorded times on the clock of this run.
func (t *Tree) instants(times []time.Time, limit *child.RestartLimit) (all []Instant) {
	for _, at := range times {
		ago := min(max(t.wall.Sub(at), 0), limit.Window.Duration())
		all = append(all, t.now-Instant(ago))
	}
	slices.Sort(all) // the wall clock may have been set meanwhile
	return all
}

// restorePhase brings back what belongs to the phase that was recorded. What is
// not a phase counts as an attempt that may be alive.
func (t *Tree) restorePhase(s *state, r Record) {
	switch r.Phase {
	case child.BackingOff:
		s.rest = t.momentOf(r.NextStart, s.spec.Backoff.MaxDelay.Duration())
	case child.Completed, child.FailedPhase:
	case child.Pending, child.Stopped, child.Quarantined:
		t.restoreIdle(s)
	case child.Running:
		if s.isSupervisor() {
			t.restoreIdle(s)
			s.live.readyAt = r.ReadyAt
			return
		}
		t.restoreAttempt(s, r)
	case child.Starting, child.Stopping:
		t.restoreAttempt(s, r)
	default:
		s.phase = child.Running
		t.restoreAttempt(s, r)
	}
}

// restoreIdle starts what a shutdown stopped, and finishes a removal.
func (t *Tree) restoreIdle(s *state) {
	phase := s.phase
	if s.operation == child.Removed {
		return // see restoreHook
	}
	t.idle(s)
	s.unsaved = s.phase != phase
}

func (t *Tree) restoreAttempt(s *state, r Record) {
	s.live = attempt{pid: r.PID, startedAt: r.StartedAt, readyAt: r.ReadyAt, ready: !r.ReadyAt.IsZero()}
	s.live.stale = r.Observed != r.Origin.Generation
	restoreProbes(s, r)
	s.live.files = r.Files
	hooked := r.Hook != nil && r.Hook.Role == child.PreStart // hooks before a start hold no slot
	if s.live.pid == 0 && s.phase != child.Running && !hooked {
		t.ask(s)
	}
	if s.phase != child.Stopping {
		return
	}
	s.pendingRestart = r.PendingRestart
	s.live.ready = false
	s.stop = &stop{stage: stopRequested, cause: child.Cause{RequestedBy: runtimeItself, Reason: "a stop that was under way"}}
	if r.Stopping == nil {
		return
	}
	s.stop.why, s.stop.cause = r.Stopping.Why, r.Stopping.Cause
	s.stop.sent, s.stop.hooked = r.Stopping.Sent, r.Stopping.Hooked
	s.stop.unwell, s.stop.unwellWords, s.stop.unwellKind = r.Stopping.Unwell, r.Stopping.UnwellWords, r.Stopping.UnwellKind
	s.stop.hookFailed = r.Stopping.HookFailed
	switch stage := stopStage(r.Stopping.Stage); stage {
	case stopRequested:
		if r.Hook != nil && r.Hook.Role == child.PreStop { // it takes from the grace
			s.stop.deadline = t.momentOf(r.Stopping.Deadline, s.spec.Shutdown.GracefulTimeout.Duration())
		}
	case stopSignalled:
		s.stop.stage, s.stop.deadline = stage, t.momentOf(r.Stopping.Deadline, s.spec.Shutdown.GracefulTimeout.Duration())
		s.stop.latest = t.latestStop(s)
	case stopKilled:
		s.stop.stage, s.stop.deadline = stage, t.momentOf(r.Stopping.Deadline, s.spec.Shutdown.AbortWait.Duration())
	case stopGivenUp:
		s.stop.stage, s.stop.deadline = stage, t.momentOf(r.Stopping.Deadline, killEvery(s.spec))
	}
}
