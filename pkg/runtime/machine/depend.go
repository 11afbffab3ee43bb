package machine

import (
	"fmt"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// This file is what follows for a child from what happens to its dependencies
// while it waits, rests or runs. Running children are never stopped because a
// dependency goes; only `restart: true` restarts them, and only once it is back.

// trouble is why a child does not come as far as its dependants want, if waiting
// alone will not change that: a reason for programs, and words for people.
type trouble struct{ reason, words string }

func troubleOf(s *state) trouble {
	switch {
	case s.operation == child.Removed:
		return trouble{"DependencyRemoved", "which is being removed"}
	case s.operation == child.Paused:
		return trouble{"DependencyPaused", "which is paused"}
	case s.operation == child.OperationQuarantined:
		return trouble{"DependencyQuarantined", "which is quarantined"}
	case s.spec.Suspend:
		return trouble{"DependencySuspended", "which is suspended by its manifest"}
	case s.phase == child.FailedPhase:
		return trouble{"DependencyFailed", "which has failed and is not started again"}
	case s.phase == child.Completed:
		return trouble{"DependencyCompleted", "which has completed and is not started again"}
	}
	return trouble{}
}

// lack is one dependency that is not satisfied: its name for people, and a reason.
func (t *Tree) lack(d child.Dependency) (name, reason string) {
	condition := d.Condition
	if condition == "" {
		condition = child.WhenReady
	}
	name = fmt.Sprintf("%s (%s)", d.ID, condition)
	on, ok := t.children[d.ID]
	if !ok {
		return name + ", which is declared nowhere", reasonUndeclared
	}
	if why := troubleOf(on); why.reason != "" {
		return name + ", " + why.words, why.reason
	}
	return name, reasonNotReady
}

const (
	reasonUndeclared = "DependencyUndeclared"
	reasonNotReady   = "DependencyNotReady"
)

// graver is the reason that the condition of a child gives when it lacks several:
// one that waiting alone does not change, before one that it may.
func graver(a, b string) string {
	switch {
	case a == reasonUndeclared || b == reasonUndeclared:
		return reasonUndeclared
	case a == "" || a == reasonNotReady:
		return b
	}
	return a
}

// lacks reports whether a dependency of a child is not there.
func (t *Tree) lacks(s *state) bool {
	for _, d := range s.spec.Dependencies {
		if !t.satisfied(d) {
			return true
		}
	}
	return false
}

// depend brings a child in line with its dependencies.
func (t *Tree) depend(s *state) {
	t.timeWait(s)
	t.wakeWithDependencies(s)
	t.followDependencies(s)
}

// timeWait keeps since when a child waits for its start.
func (t *Tree) timeWait(s *state) {
	switch pending := s.phase == child.Pending; {
	case pending && s.pendingSince.IsZero():
		s.pendingSince = t.wall
	case !pending:
		s.pendingSince = time.Time{}
	}
}

// wakeWithDependencies cuts the rest of a child short that failed while a
// dependency was not there, once all of them are: it rests no longer than after a
// first failure.
func (t *Tree) wakeWithDependencies(s *state) {
	switch {
	case s.phase != child.BackingOff:
		s.deprived = false
	case t.lacks(s):
		s.deprived = true
	case s.deprived:
		s.deprived = false
		first := min(s.spec.Backoff.InitialDelay.Duration(), s.spec.Backoff.MaxDelay.Duration())
		if last := s.lastExit(); last != nil {
			first -= ranFor(last.FinishedAt, t.wall)
		}
		if soonest := t.in(max(first, 0)); soonest.at < s.rest.at {
			s.rest, s.lastDelay = soonest, 0
			t.save(s)
		}
	}
}

// noteAttempts remembers with which attempts of its dependencies an attempt of a
// child begins. What was noted before stays, if keep says so.
func (t *Tree) noteAttempts(s *state, keep bool) {
	var noted map[child.ID]child.Key // a new one: records share it
	for _, d := range s.spec.Dependencies {
		if !d.Restart {
			continue
		}
		key, known := s.began[d.ID]
		if on, ok := t.children[d.ID]; ok && !(keep && known) {
			key = on.key()
		}
		if noted == nil {
			noted = map[child.ID]child.Key{}
		}
		noted[d.ID] = key
	}
	s.began = noted
}

// followDependencies restarts a child after a dependency with `restart: true` that is back as
// a newer attempt than the one the child began with.
func (t *Tree) followDependencies(s *state) {
	if t.shutdown != nil || !s.hasAttempt() || s.stop != nil || s.part.in != nil || s.operation == child.Removed {
		return
	}
	for _, d := range s.spec.Dependencies {
		if !d.Restart || !t.satisfied(d) || s.began[d.ID] == t.children[d.ID].key() {
			continue
		}
		t.renewAttempt(s, Restart, child.Cause{RequestedBy: runtimeItself, Reason: "its dependency " + string(d.ID) + " was restarted"})
		return
	}
}

// checkDependencies: a child that runs has followed its dependencies, and one that
// waits knows since when.
func (t *Tree) checkDependencies(s *state) error {
	if (s.phase == child.Pending) != !s.pendingSince.IsZero() {
		return fmt.Errorf("it is pending since %v", s.pendingSince)
	}
	if t.shutdown != nil || !s.hasAttempt() || s.stop != nil || s.part.in != nil || s.operation == child.Removed {
		return nil
	}
	for _, d := range s.spec.Dependencies {
		if d.Restart && t.satisfied(d) && s.began[d.ID] != t.children[d.ID].key() {
			return fmt.Errorf("it runs with %s of its dependency, which is at %s", s.began[d.ID], t.children[d.ID].key())
		}
	}
	return nil
}
