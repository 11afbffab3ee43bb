package machine

import (
	"cmp"
	"slices"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// Snapshot is what is known of one child now; false when there is none of that
// ID. The caller may keep it: it is never written again.
func (t *Tree) Snapshot(id child.ID) (*child.Snapshot, bool) {
	s, ok := t.children[id]
	if !ok {
		return nil, false
	}
	var stopDeadline time.Time
	if s.stop != nil {
		stopDeadline = s.stop.deadline.wall
	}
	place := 0
	if s.ticket > 0 {
		place = s.place
	}
	return &child.Snapshot{
		ID: s.id, Incarnation: s.incarnation, Spec: s.spec, Origin: s.origin, Observed: s.observed,
		Phase: s.phase, Operation: s.operation, Hold: s.hold,
		Generation: s.generation, Attempt: s.attempt, RestartCount: s.restartCount(),
		PID: s.live.pid, StartedAt: s.live.startedAt, Ready: s.live.ready, ReadyAt: s.live.readyAt,
		Liveness: s.live.liveness.shown, Readiness: s.live.readiness.shown,
		Said:         s.live.said,
		Log:          s.live.log,
		Files:        s.live.files,
		NextRunAt:    s.nextRun.wall,
		PendingSince: s.pendingSince, Waited: child.Seconds(s.waited),
		WaitsFor:      s.waits,
		QueuePlace:    place,
		CannotRun:     s.cannotRun(),
		RestartLimit:  limitUse(s),
		FailureGroups: groupUse(s),
		NextRestartAt: nextRestart(s).wall,
		StopState:     s.stopState, StopDeadline: stopDeadline, PendingRestart: s.pendingRestart,
		Failure: s.failure, LastExit: s.lastExit(), Exits: s.exits,
		Conditions: s.conditions, UpdatedAt: s.updatedAt,
	}, true
}

// nextRestart is when a child starts at the earliest, if that is known.
func nextRestart(s *state) moment {
	if s.phase == child.Pending && s.part.in != nil {
		return s.part.in.until
	}
	return s.rest
}

func (s *state) restartCount() uint64 { return uint64(max(s.attempt, 1) - 1) }

func (s *state) lastExit() *child.Exit {
	if len(s.exits) == 0 {
		return nil
	}
	return s.exits[len(s.exits)-1]
}

// conditionsOf appends the conditions of a child to list, in their fixed order.
func (t *Tree) conditionsOf(s *state, list []child.ConditionState) []child.ConditionState {
	add := func(typ child.ConditionType, status bool, reason, message string) {
		list = append(list, child.ConditionState{Type: typ, Status: truth(status), Reason: reason, Message: message})
	}
	add(child.ConditionReady, s.live.ready, readyReason(s), readyMessage(s))
	if s.spec.HealthCheck != nil {
		list = append(list, healthy(s))
	}
	if len(s.spec.Dependencies) > 0 || s.isSidecar() {
		missing, reason := t.missing(s)
		add(child.ConditionDependenciesReady, len(missing) == 0, cmp.Or(reason, "DependenciesReady"), waiting(missing))
	}
	if s.reloadFailed != "" {
		add(child.ConditionReloadFailed, true, "AfterReload", s.reloadFailed)
	}
	if s.live.unread != "" {
		add(child.ConditionFilesRead, false, "NotRead", s.live.unread)
	}
	if s.quick >= crashLoop && s.wanted() {
		add(child.ConditionCrashLooping, true, crashLoopReason(s), crashLoopMessage(s))
	}
	if fields := s.spec.NotEnforced(); len(fields) > 0 {
		add(child.ConditionNotEnforced, true, "FieldsNotEnforced", notEnforcedMessage(fields))
	}
	if s.late {
		add(child.ConditionManifestSeen, false, "NotLookedAt", t.lateWords())
	}
	if s.live.weakKill {
		add(child.ConditionTreeKill, false, "NoCgroup", "there is no cgroup for it: a stop reaches its process group, not a grandchild that left that")
	}
	if l := s.live.log; l.Blocked != "" {
		add(child.ConditionLogWritable, false, logReason(l), logMessage(l))
	}
	if s.phase == child.Pending || s.phase == child.Starting || s.phase == child.Stopping {
		add(child.ConditionReconciling, true, string(s.phase), waitMessage(s))
	}
	if reason := stalledReason(s); reason != "" {
		add(child.ConditionStalled, true, reason, s.failure.Reason)
	}
	return list
}

// refreshConditions replaces the conditions of a child if one of them changed.
func (t *Tree) refreshConditions(s *state) {
	if !s.live.stale {
		s.observed = s.origin.Generation
	}
	t.scratch = t.conditionsOf(s, t.scratch[:0])
	for i := range t.scratch {
		c := &t.scratch[i]
		c.ObservedGeneration = s.observed
		c.LastTransitionTime = t.wall
		if old := find(s.conditions, c.Type); old != nil && old.Status == c.Status {
			c.LastTransitionTime = old.LastTransitionTime
		}
	}
	if !slices.Equal(t.scratch, s.conditions) {
		s.conditions = slices.Clone(t.scratch)
		t.publish(s)
	}
}

func find(list []child.ConditionState, typ child.ConditionType) *child.ConditionState {
	for i := range list {
		if list[i].Type == typ {
			return &list[i]
		}
	}
	return nil
}
