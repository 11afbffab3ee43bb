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

func TestExtensionsHaveACeilingForAMessageAndForAStop(t *testing.T) {
	const forever = 104_166 * 24 * time.Hour
	for _, asked := range []time.Duration{forever, 1<<63 - 1, 2 * time.Hour} {
		w := newWorld(t, "connect", "add a grace=5s", "started a", "pause a")

		w.says("a", Notified{Extend: asked})
		w.do("advance 59m")
		patient := w.effects()
		w.says("a", Notified{Extend: asked}) // again, and again
		w.do("advance 1m")
		w.says("a", Notified{Extend: asked})
		still := w.effects()
		w.do("advance 5s") // an hour and the grace

		if patient != "" || still != "" || w.effects() != "SIGKILL to the tree of a#1.0" {
			t.Errorf("asked for %v: after 59 min %q, after an hour %q, after an hour and 5 s %q", asked, patient, still, w.effects())
		}
	}
}

func TestExtensionOfAStartIsGrantedForAnHourAtATime(t *testing.T) {
	w := newWorld(t, "connect", "add a probe=notify,deadline=10s", "started a")

	w.says("a", Notified{Extend: 1<<63 - 1})
	w.do("advance 59m")
	w.says("a", Notified{Extend: time.Hour})
	w.do("advance 59m")
	if s := w.snapshot("a"); s.Phase != child.Running {
		t.Fatalf("%s, though it asked again in time", s.Phase)
	}
	w.do("advance 61s")

	if s := w.snapshot("a"); s.Phase != child.Stopping {
		t.Errorf("%s two hours after its start, and it is not ready", s.Phase)
	}
}

func TestHeartbeatsComeNoFasterAndNoSlowerThanIsGoodForUs(t *testing.T) {
	for _, row := range []struct{ asked, want time.Duration }{
		{1, shortestBeat}, {3 * time.Second, 3 * time.Second}, {1<<63 - 1, longestAsked}, {-5, shortestBeat},
	} {
		if got := asked(row.asked); got != row.want {
			t.Errorf("asked for %v: %v, want %v", row.asked, got, row.want)
		}
	}
	w := newWorld(t, "connect", "add a live=heartbeat", "started a")

	w.says("a", Notified{Every: 1<<63 - 1})

	if got := w.tree.children["a"].live.liveness.every; got != longestAsked {
		t.Errorf("a heartbeat each %v", got)
	}
}

// toldOf counts the facts of a kind, and says the reason of the last.
func toldOf(r Ready, kind FactKind) (n int, last string) {
	for _, f := range r.Facts {
		if f.Kind == kind {
			n, last = n+1, f.Words.With(f.Reason)
		}
	}
	return n, last
}

func TestMessagesThatWereNotHeardAreOneEntryInTenMinutes(t *testing.T) {
	w := newWorld(t, "connect", "add a", "started a")

	first, told := 0, ""
	for i := range 9000 {
		n, why := toldOf(w.says("a", Notified{Foreign: 1, Refused: "a message from pid 7"}), NoticeRefused)
		if first += n; i == 0 {
			told = why
		}
	}
	later, sum := toldOf(w.do("advance 10m"), NoticeRefused)
	rest, _ := toldOf(w.do("advance 10m"), NoticeRefused)

	if first != 1 || told != "a message from pid 7" {
		t.Errorf("%d entries for 9,000 messages, the first %q", first, told)
	}
	if later != 1 || sum != "8999 messages, the last: a message from pid 7" || rest != 0 {
		t.Errorf("after ten minutes %d entries (%q), after twenty %d", later, sum, rest)
	}
	if got := w.snapshot("a").Said; got.Foreign != 9000 || got.Refusals != 0 {
		t.Errorf("shown: %+v", got)
	}
}

func TestReadinessThatTurnsTooOftenIsLeftOutAndItsLastWordTold(t *testing.T) {
	yes, no := true, false
	w := newWorld(t, "connect", "add a probe=notify", "started a")

	told := 0
	for i := range 5_000 {
		r := w.says("a", Notified{Ready: []*bool{&yes, &no}[i%2]})
		for _, kind := range []FactKind{ChildReady, ChildNotReady} {
			n, _ := toldOf(r, kind)
			told += n
		}
	}
	w.says("a", Notified{Ready: &yes})
	n, why := toldOf(w.do("advance 10s"), ChildReady)

	if told != 1+turnsAtOnce {
		t.Errorf("%d entries for 5,000 turns", told)
	}
	if n != 1 || why != "4950 changes before it are left out" {
		t.Errorf("ten seconds later %d entries: %q", n, why)
	}
	quiet, _ := toldOf(w.do("advance 1h"), ChildReady)
	again, why := toldOf(w.says("a", Notified{Ready: &no}), ChildNotReady)
	if quiet != 0 || again != 1 || why != "it says itself that it is not ready" {
		t.Errorf("after an hour %d, then %d: %q", quiet, again, why)
	}
}

func TestEveryAttemptThatBecomesReadyIsTold(t *testing.T) {
	yes, no := true, false
	w := newWorld(t, "connect", "add a probe=notify", "started a")
	for i := range 1000 {
		w.says("a", Notified{Ready: []*bool{&yes, &no}[i%2]})
	}

	w.do("exit a 1", "advance 1s", "started a")

	if n, _ := toldOf(w.says("a", Notified{Ready: &yes}), ChildReady); n != 1 {
		t.Errorf("%d entries", n)
	}
}
