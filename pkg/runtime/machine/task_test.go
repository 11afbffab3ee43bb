package machine

import (
	"strings"
	"testing"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// taskRuns is a world in which a, a task of a temporary child, runs.
func taskRuns(t *testing.T) (w *world, p Process) {
	w = newWorld(t, "connect", "add a policy=temporary")
	p = w.process("a")
	p.Task = true
	w.step(Started{p})
	return w, p
}

func TestATaskSaysItselfHowItEnded(t *testing.T) {
	for kind, want := range map[child.ExitKind]child.Phase{child.Succeeded: child.Completed, child.FailedExit: child.FailedPhase} {
		w, p := taskRuns(t)

		w.step(Exited{Key: p.Key, Attempt: 1, PID: p.PID, Kind: kind, Reason: "in its own words", FinishedAt: w.wall()})

		s, _ := w.tree.Snapshot("a")
		if e := s.LastExit; s.Phase != want || e.Kind != kind || e.Reason != "in its own words" || e.Code != nil || e.Signal != "" {
			t.Errorf("a task that ended as %s is %s with exit %+v, want %s", kind, s.Phase, e, want)
		}
	}
}

func TestATaskThatWasStoppedIsCancelledWhateverItSays(t *testing.T) {
	w, p := taskRuns(t)
	w.line([]string{"pause", "a"})

	w.step(Exited{Key: p.Key, Attempt: 1, PID: p.PID, Kind: child.FailedExit, Reason: "context canceled", FinishedAt: w.wall()})

	if s, _ := w.tree.Snapshot("a"); s.LastExit.Kind != child.Cancelled || !strings.HasPrefix(s.LastExit.Reason, "stopped: ") {
		t.Errorf("exit = %+v, want it cancelled", s.LastExit)
	}
}

func TestATaskThatDoesNotReturnIsNotSaidToBeKilled(t *testing.T) {
	w, _ := taskRuns(t)
	w.line([]string{"pause", "a"})

	w.line([]string{"advance", "5s"})
	w.line([]string{"advance", "1s"})

	s, _ := w.tree.Snapshot("a")
	if s.StopState != child.StopFailed || s.Failure == nil || !strings.Contains(s.Failure.Reason, "a goroutine cannot be killed") {
		t.Errorf("stop state %s, failure %+v; want it failed, with the reason", s.StopState, s.Failure)
	}
}
