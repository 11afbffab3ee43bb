package machine

import (
	"testing"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

func job(t *testing.T, deadline time.Duration) *world {
	w := newWorld(t, "connect")
	spec := testSpec()
	spec.RestartPolicy, spec.Deadline = child.Transient, child.Seconds(deadline)
	w.step(Command{ID: "cmd-0", Verb: Add, Child: "a", Spec: spec, Cause: child.Cause{RequestedBy: "test", Reason: "test"}})
	w.specs["a"] = spec
	w.do("started a")
	return w
}

func TestJobThatIsNotDoneInTimeFailsAndIsTriedAgain(t *testing.T) {
	w := job(t, 10*time.Second)
	w.do("advance 4s", "crash", "adopt a") // the time goes on while nobody looks

	w.do("advance 6s")
	stopped := w.effects()
	w.do("exit a SIGTERM")

	s := w.snapshot("a")
	if stopped != "SIGTERM to the tree of a#1.0" {
		t.Errorf("after ten seconds: %q", stopped)
	}
	if e := s.LastExit; s.Phase != child.BackingOff || e.Kind != child.TimedOut || e.Reason != "not done within 10s" {
		t.Errorf("%s, last exit %+v", s.Phase, e)
	}
}

func TestJobThatIsDoneInTimeIsNotRunAgain(t *testing.T) {
	w := job(t, 10*time.Second)

	w.do("exit a 0", "crash", "adopt", "advance 1h")

	if s := w.snapshot("a"); s.Phase != child.Completed || s.Attempt != 1 {
		t.Errorf("%s after %d attempts, want Completed after one", s.Phase, s.Attempt)
	}
	w.do("replace a command=new")
	if s := w.snapshot("a"); s.Phase != child.Starting || s.Attempt != 2 {
		t.Errorf("with a new manifest: %s, attempt %d", s.Phase, s.Attempt)
	}
}

func TestLongerDeadlineHoldsForTheRunningAttempt(t *testing.T) {
	w := job(t, 10*time.Second)
	longer := *w.specs["a"]
	longer.Deadline = child.Seconds(time.Minute)
	w.do("advance 5s")
	w.step(Command{ID: "cmd-9", Verb: Update, Child: "a", Spec: &longer, Origin: child.Origin{Generation: 2}, Cause: child.Cause{RequestedBy: "test", Reason: "test"}})

	w.do("advance 54s")
	early := w.effects()
	w.do("advance 1s")

	if early != "" || w.effects() != "SIGTERM to the tree of a#1.0" {
		t.Errorf("after 59 s: %q, after 60: %q", early, w.effects())
	}
}
