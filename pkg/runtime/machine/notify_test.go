package machine

import (
	"testing"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

func (w *world) says(id string, n Notified) Ready {
	n.Key = w.key(id)
	w.last = Ready{}
	w.step(n)
	return w.last
}

func TestStatusAndRefusalsOfAnAttemptAreShownAndForgottenWithIt(t *testing.T) {
	w := newWorld(t, "connect", "add a", "started a")
	text := "serving"

	w.says("a", Notified{Status: &text})
	w.says("a", Notified{Refusals: 2, Refused: "a message from pid 7"})

	if got, want := w.snapshot("a").Said, (child.Said{Status: "serving", Refusals: 2, Refused: "a message from pid 7"}); got != want {
		t.Errorf("said %+v, want %+v", got, want)
	}
	w.do("exit a 1", "advance 1s", "started a")
	if got := w.snapshot("a").Said; got != (child.Said{}) {
		t.Errorf("the next attempt said %+v", got)
	}
}

func TestWhatItSaidAboutItsEndIsInTheExitReport(t *testing.T) {
	w := newWorld(t, "connect", "add a", "started a")
	w.says("a", Notified{Errno: 28, ExitStatus: "7"})

	w.do("exit a 7")

	if got, want := w.snapshot("a").LastExit.Reason, "exit code 7; it said: errno 28, exit status 7"; got != want {
		t.Errorf("reason %q, want %q", got, want)
	}
}

func TestReloadingIsShownUntilItIsReadyAgain(t *testing.T) {
	yes, no := true, false
	w := newWorld(t, "connect", "add a probe=notify", "started a")
	w.says("a", Notified{Ready: &yes})

	w.says("a", Notified{Ready: &no, Reloading: true})
	during := w.snapshot("a")
	w.says("a", Notified{Ready: &yes})
	after := w.snapshot("a")

	if during.Ready || !during.Said.Reloading {
		t.Errorf("while it reloads: ready %v, %+v", during.Ready, during.Said)
	}
	if !after.Ready || after.Said.Reloading {
		t.Errorf("afterwards: ready %v, %+v", after.Ready, after.Said)
	}
}

func TestExtendedTimeoutsLetAnAttemptBecomeReadyOrEndLater(t *testing.T) {
	w := newWorld(t, "connect", "add a probe=notify,deadline=10s grace=5s", "started a", "advance 9s")

	w.says("a", Notified{Extend: 30 * time.Second})
	w.do("advance 20s")
	if s := w.snapshot("a"); s.Phase != child.Running {
		t.Fatalf("%s, though it asked for more time to become ready", s.Phase)
	}
	w.do("pause a")
	w.says("a", Notified{Extend: time.Minute})
	w.do("advance 59s")
	patient := w.effects()
	w.do("advance 1s")

	if patient != "" || w.effects() != "SIGKILL to the tree of a#1.0" {
		t.Errorf("after 59 s: %q, after 60: %q", patient, w.effects())
	}
}
