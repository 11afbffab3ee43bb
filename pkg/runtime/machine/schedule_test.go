package machine

import (
	"strings"
	"testing"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// eachMinute is due when the wall clock shows a whole minute.
func eachMinute(_ *child.Schedule, after time.Time) time.Time {
	return after.Truncate(time.Minute).Add(time.Minute)
}

func scheduled(t *testing.T, overlap child.Overlap, missed child.Missed) *world {
	w := newWorld(t)
	w.cfg.Next = eachMinute
	w.tree = New(w.cfg)
	spec := testSpec()
	spec.RestartPolicy, spec.Schedule = child.Transient, &child.Schedule{Cron: "* * * * *", Overlap: overlap, Missed: missed}
	w.do("connect", "advance 10s")
	w.step(Command{ID: "cmd-0", Verb: Add, Child: "a", Spec: spec, Cause: child.Cause{RequestedBy: "test", Reason: "test"}})
	w.specs["a"] = spec
	return w
}

func TestScheduledJobRunsWhenItIsDueAndWaitsBetween(t *testing.T) {
	w := scheduled(t, child.OverlapSkip, child.MissedSkip)
	s := w.snapshot("a")
	if s.Phase != child.Pending || len(s.WaitsFor) != 1 || !strings.HasPrefix(s.WaitsFor[0], "its next run at 20") || !s.NextRunAt.Equal(epochWall.Add(time.Minute)) {
		t.Fatalf("%s, waits for %q, next run at %v", s.Phase, s.WaitsFor, s.NextRunAt)
	}

	for run := range 3 {
		w.do("advance 49s")
		if got := w.effects(); strings.Contains(got, "start") {
			t.Fatalf("run %d: %q before its time", run, got)
		}
		w.do("advance 1s")
		if got := w.effects(); !strings.Contains(got, "start a#1.") {
			t.Fatalf("run %d: %q when it was due", run, got)
		}
		w.do("started a", "advance 10s", "exit a 0")
	}

	if s := w.snapshot("a"); s.Phase != child.Completed || s.Attempt != 3 || len(s.Exits) != 3 {
		t.Errorf("%s, attempt %d, %d exits", s.Phase, s.Attempt, len(s.Exits))
	}
}

func TestFailedRunIsTriedAgainAtOnce(t *testing.T) {
	w := scheduled(t, child.OverlapSkip, child.MissedSkip)
	w.do("advance 50s", "started a", "exit a 1")

	w.do("advance 1s")

	if got := w.effects(); got != "start a#1.1" {
		t.Errorf("effects %q, want a retry", got)
	}
}

func TestRunThatIsDueDuringTheLastOne(t *testing.T) {
	for overlap, want := range map[child.Overlap]struct{ atOnce, afterwards string }{
		child.OverlapSkip:    {"", ""},
		child.OverlapQueue:   {"", "start a#1.1"},
		child.OverlapReplace: {"SIGTERM to the tree of a#1.0", "start a#1.1"},
	} {
		t.Run(string(overlap), func(t *testing.T) {
			w := scheduled(t, overlap, child.MissedSkip)
			w.do("advance 50s", "started a")

			w.do("advance 60s")
			atOnce := w.effects()
			w.do("exit a 0")

			if afterwards := w.effects(); atOnce != want.atOnce || !strings.Contains(afterwards, want.afterwards) || want.afterwards == "" && strings.Contains(afterwards, "start") {
				t.Errorf("when it is due: %q, when the last one is over: %q; want %q and %q", atOnce, afterwards, want.atOnce, want.afterwards)
			}
		})
	}
}

func TestRunsThatWereMissed(t *testing.T) {
	for missed, want := range map[child.Missed]string{child.MissedSkip: "", child.MissedRunOnce: "start a#1.0"} {
		t.Run(string(missed), func(t *testing.T) {
			w := scheduled(t, child.OverlapSkip, missed)
			w.now += Instant(5*time.Minute + 10*time.Second) // nobody is there

			w.do("crash", "adopt", "advance 1ms")

			if got := w.effects(); got != want {
				t.Errorf("effects %q, want %q", got, want)
			}
		})
	}
}

func TestRestartRunsAScheduledJobNow(t *testing.T) {
	w := scheduled(t, child.OverlapSkip, child.MissedSkip)

	w.do("restart a")

	if got := w.effects(); got != "start a#1.0" {
		t.Errorf("effects %q", got)
	}
	w.do("started a", "exit a 0", "pause a", "resume a", "update a grace=9s")
	if s := w.snapshot("a"); s.Attempt != 1 || s.Phase != child.Pending && s.Phase != child.Completed {
		t.Errorf("after a pause: %s, attempt %d; want it to wait for its next run", s.Phase, s.Attempt)
	}
}

func TestCrashForgetsNeitherTheNextRunNorTheOneThatIsQueued(t *testing.T) {
	w := scheduled(t, child.OverlapQueue, child.MissedSkip)
	w.do("advance 50s", "started a", "advance 60s") // the second run is due during the first one
	due := w.snapshot("a").NextRunAt

	w.do("crash", "adopt a")
	after := w.snapshot("a").NextRunAt
	w.do("exit a 0")

	if got := w.effects(); !strings.Contains(got, "start a#1.1") {
		t.Errorf("effects %q, want the run that was queued", got)
	}
	if !after.Equal(due) {
		t.Errorf("next run at %v, want it at %v as before", after, due)
	}
}

func TestTimeOfTheNextRunIsThatOfTheRecord(t *testing.T) {
	w := scheduled(t, child.OverlapSkip, child.MissedSkip)
	due := w.snapshot("a").NextRunAt
	w.cfg.Next = func(*child.Schedule, time.Time) time.Time { return time.Time{} } // such as "@every 1h", which counts from now

	w.do("crash", "adopt")

	if got := w.snapshot("a").NextRunAt; !got.Equal(due) {
		t.Errorf("next run at %v, want %v", got, due)
	}
}
