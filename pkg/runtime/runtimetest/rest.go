package runtimetest

import (
	"slices"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

// checkRest is called when the faults have ended and nothing is left to do:
// everything must be as it was asked for, and everybody must know the truth.
func (s *sim) checkRest() {
	b := s.brain
	switch {
	case b == nil || !b.tree.Connected():
		s.failf("at rest: no brain is connected")
	case len(s.shim.waiting) > 0:
		s.failf("at rest: a connection is not served")
	}
	if c, ok := s.operator.plan(); ok {
		s.failf("at rest: the plan is not empty: %s %s", c.Verb, c.Child)
	}
	var want []child.ID
	for _, id := range s.operator.ids {
		if s.operator.desired[id] != nil {
			want = append(want, id)
		}
	}
	slices.Sort(want)
	if got := b.tree.IDs(); !slices.Equal(got, want) {
		s.failf("at rest: the children are %v, want %v", got, want)
	}
	for _, id := range want {
		snap, _ := b.tree.Snapshot(id)
		s.checkChild(snap)
	}
	b.allPublished()
	b.unchanged()
	s.checkBounds()
	s.checkProcesses()
	s.checkExits()
}

// checkChild checks that one child rests where its spec and its operator want it.
func (s *sim) checkChild(snap *child.Snapshot) {
	may := restPhases(snap)
	if snap.Operation == child.Active && !snap.Spec.Suspend {
		missing := s.missing(snap)
		switch {
		case snap.Phase == child.Pending && !missing:
			s.failf("at rest: %s waits for %v, but all it depends on is there", snap.ID, snap.WaitsFor)
		case snap.Phase == child.Pending && len(snap.WaitsFor) == 0:
			s.failf("at rest: %s is pending and does not say for what", snap.ID)
		}
	}
	if !slices.Contains(may, snap.Phase) {
		s.failf("at rest: %s (%s, operation %s, suspend %v) is %s, want one of %v: %s",
			snap.ID, snap.Spec.RestartPolicy, snap.Operation, snap.Spec.Suspend, snap.Phase, may, s.encode(snap))
	}
	s.checkProcess(snap)
	s.checkReady(snap)
	if snap.Observed != snap.Origin.Generation {
		s.failf("at rest: %s observed generation %d of its manifest, want %d", snap.ID, snap.Observed, snap.Origin.Generation)
	}
}

// checkProcess checks that a child shows the process that it has.
func (s *sim) checkProcess(snap *child.Snapshot) {
	runs := snap.Phase == child.Running && snap.Spec.Kind != child.Supervisor
	p := s.kernel.mainOf(keyOf(snap))
	switch {
	case p == nil && runs:
		s.failf("at rest: %s is Running, its process: none", snap.ID)
	case p != nil && !runs:
		s.failf("at rest: %s is %s, its process: %d", snap.ID, snap.Phase, p.pid)
	case p != nil && p.pid != snap.PID:
		s.failf("at rest: %s shows pid %d, it is %d", snap.ID, snap.PID, p.pid)
	}
}

// restPhases are the phases in which a child may stay.
func restPhases(snap *child.Snapshot) []child.Phase {
	switch {
	case snap.Operation == child.Paused:
		return []child.Phase{child.Stopped, child.Completed, child.FailedPhase}
	case snap.Operation == child.OperationQuarantined:
		return []child.Phase{child.Quarantined}
	case snap.Operation != child.Active:
		return nil
	case snap.Spec.Suspend:
		return []child.Phase{child.Stopped}
	case snap.Spec.RestartPolicy == child.Permanent || snap.Spec.Kind == child.Supervisor:
		return []child.Phase{child.Running, child.Pending}
	case snap.Spec.RestartPolicy == child.Transient:
		return []child.Phase{child.Running, child.Pending, child.Completed}
	}
	return []child.Phase{child.Running, child.Pending, child.Completed, child.FailedPhase}
}

// missing reports whether something that a child depends on is not there.
func (s *sim) missing(snap *child.Snapshot) bool {
	if on := snap.Spec.SidecarOf; on != "" {
		if primary, ok := s.brain.tree.Snapshot(on); !ok || primary.Phase != child.Running {
			return true
		}
	}
	for _, d := range snap.Spec.Dependencies {
		on, ok := s.brain.tree.Snapshot(d.ID)
		there := ok
		switch d.Condition {
		case child.WhenStarted:
			there = ok && on.Phase == child.Running
		case child.WhenReady:
			there = ok && on.Ready
		case child.WhenCompleted:
			there = ok && on.Phase == child.Completed
		}
		if !there {
			return true
		}
	}
	return false
}

// checkBounds checks that whoever was told that a child is stopped was told the
// truth.
func (s *sim) checkBounds() {
	for _, b := range s.truth.bounds {
		snap, ok := s.brain.tree.Snapshot(b.id)
		if !ok || snap.Incarnation != b.incarnation {
			continue
		}
		if b.verb == machine.Remove || snap.Operation == child.Active {
			s.failf("at rest: %s was answered for %s, but its operation is %s", b.verb, b.id, snap.Operation)
		}
	}
}

// checkProcesses checks that no process lives that no child shows.
func (s *sim) checkProcesses() {
	for _, p := range s.kernel.procs {
		if p.key.IsZero() || s.weak && !p.main {
			continue
		}
		snap, ok := s.brain.tree.Snapshot(p.key.ID)
		if p.alive && (!ok || keyOf(snap) != p.key || snap.Phase != child.Running) {
			s.failf("at rest: pid %d of %s lives (main %v), and no child shows it", p.pid, p.key, p.main)
		}
	}
}

// checkExits checks that every end is recorded, seen or lost, and that nobody
// keeps one that is.
func (s *sim) checkExits() {
	for _, f := range s.truth.order {
		if f.key.Role == child.Main && f.tabled && f.over && !f.recorded && !f.loose && s.truth.gone[f.key.ID] < f.key.Incarnation {
			s.failf("at rest: the exit of %s is not recorded", f.key)
		}
	}
	for _, r := range s.shim.runs {
		if r.stage == done {
			s.failf("at rest: the exit of %s is not acknowledged", r.key)
		}
	}
}

// checkShutdown is called when the tree is down and all is carried out.
func (s *sim) checkShutdown() {
	rep := s.brain.tree.Report()
	if s.operator.report == nil && rep.Failure == nil {
		s.failf("the tree is down, and who asked for it has no report")
	}
	failed := map[child.ID]bool{}
	for _, o := range rep.Outcomes {
		if _, twice := failed[o.ChildID]; twice {
			s.failf("shutdown: two outcomes for %s", o.ChildID)
		}
		failed[o.ChildID] = o.Status == machine.AbortFailed
		s.checkOutcome(o)
	}
	for _, p := range s.kernel.procs {
		if p.key.IsZero() {
			continue
		}
		f := s.truth.of(p.key)
		named := f.loose || f.killed && p.key.Role != child.Main || !p.main && (s.weak || f.left)
		if p.alive && !failed[p.key.ID] && !named {
			s.failf("shutdown: pid %d of %s lives (main %v); its outcome is not abort_failed", p.pid, p.key, p.main)
		}
	}
	for _, id := range s.brain.tree.IDs() {
		if _, ok := failed[id]; !ok {
			s.failf("shutdown: no outcome for %s", id)
		}
	}
}

func (s *sim) checkOutcome(o machine.ShutdownOutcome) {
	killed := o.Exit != nil && o.Exit.Signal == "SIGKILL" // or an operator did
	for _, f := range s.truth.order {
		killed = killed || f.killed && f.key.ID == o.ChildID && f.key.Generation == o.Generation
	}
	if o.Status == machine.Aborted && !killed {
		s.failf("shutdown: %s is reported as aborted, but nobody killed it", o.ChildID)
	}
	if o.Status == machine.Graceful && o.Exit == nil {
		s.failf("shutdown: %s is reported as graceful without an exit", o.ChildID)
	}
}
