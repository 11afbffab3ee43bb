package machine

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

func TestPostStopHookIsToldHowItEndedAsSystemdTells(t *testing.T) {
	tests := map[string]struct{ how, want string }{
		"well":      {"exit a 0", "SERVICE_RESULT=success EXIT_CODE=exited EXIT_STATUS=0"},
		"badly":     {"exit a 3", "SERVICE_RESULT=exit-code EXIT_CODE=exited EXIT_STATUS=3"},
		"by signal": {"exit a SIGSEGV", "SERVICE_RESULT=signal EXIT_CODE=killed EXIT_STATUS=SEGV"},
		"oom":       {"exit a oom", "SERVICE_RESULT=oom-kill EXIT_CODE=killed EXIT_STATUS=KILL"},
		"unseen":    {"exit a lost", "SERVICE_RESULT=protocol"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "connect", "add a hooks=post_stop:1", "started a")

			r := w.do(tt.how)

			start := startOf(t, r)
			if diff := cmp.Diff(strings.Fields(tt.want), start.Env); diff != "" {
				t.Errorf("environment, want and got:\n%s", diff)
			}
			if start.Command[0] != "post_stop" || start.Key.Role != child.PostStop {
				t.Errorf("started %v as %s", start.Command, start.Key)
			}
		})
	}
}

func startOf(t *testing.T, r Ready) Start {
	t.Helper()
	for _, e := range r.Effects {
		if s, ok := e.(Start); ok {
			return s
		}
	}
	t.Fatalf("no start in %+v", r.Effects)
	return Start{}
}

func TestFailedPreStartHookIsInTheExitReport(t *testing.T) {
	w := newWorld(t, "connect", "add a hooks=pre_start:2", "hook a 0")

	w.do("hook a 3")

	s := w.snapshot("a")
	if s.Phase != child.BackingOff || s.LastExit == nil || s.LastExit.Kind != child.StartFailure {
		t.Fatalf("%s, last exit %+v; want Backoff after a failed start", s.Phase, s.LastExit)
	}
	if want := "pre_start hook 2 of 2: exit code 3"; s.LastExit.Reason != want || s.LastExit.LogTail[0] != "last words of a hook" {
		t.Errorf("last exit %+v; want %q and its last words", s.LastExit, want)
	}
}

func TestFailedPostStartHookReplacesTheAttempt(t *testing.T) {
	w := newWorld(t, "connect", "add a hooks=post_start:1", "started a")
	if w.snapshot("a").Ready {
		t.Error("it is ready before its post_start hook is done")
	}

	w.do("hook a 1")
	stopped := w.effects()
	w.do("exit a SIGTERM")

	s := w.snapshot("a")
	if !strings.Contains(stopped, "SIGTERM to the tree of a#1.0") {
		t.Errorf("effects %q, want a stop", stopped)
	}
	if e := s.LastExit; s.Phase != child.BackingOff || e.Kind != child.FailedExit || e.Reason != "post_start hook 1 of 1: exit code 1" {
		t.Errorf("%s, last exit %+v", s.Phase, e)
	}
}

func TestPreStopHookTakesFromTheGrace(t *testing.T) {
	w := newWorld(t, "connect", "add a hooks=pre_stop:2 grace=5s timeout=30s", "started a", "pause a")

	w.do("advance 5s") // the hook takes all of it
	late := w.effects()
	w.do("advance 1900ms")
	patient := w.effects()
	w.do("advance 100ms")
	killed := w.effects()

	if late != "SIGKILL to the tree of a#1.0:pre_stop.1, SIGTERM to the tree of a#1.0" {
		t.Errorf("at the end of the grace: %q", late)
	}
	if patient != "" || killed != "SIGKILL to the tree of a#1.0" {
		t.Errorf("after the signal: %q, and two seconds later %q", patient, killed)
	}
}

func TestHookOfAStopThatIsNotNeededAnyMoreIsEnded(t *testing.T) {
	w := newWorld(t, "connect", "add a hooks=pre_stop:1", "started a", "pause a")

	w.do("exit a 0") // the hook made it end

	if s := w.snapshot("a"); s.Phase != child.Stopped || s.LastExit.Kind != child.Cancelled {
		t.Errorf("%s, last exit %+v; want Stopped and cancelled", s.Phase, s.LastExit)
	}
	if got := w.effects(); !strings.Contains(got, "SIGKILL to the tree of a#1.0:pre_stop.1") {
		t.Errorf("effects %q, want an end of the hook", got)
	}
}

func TestRemovedChildIsGoneAfterItsPostStopHooks(t *testing.T) {
	w := newWorld(t, "connect", "add a hooks=post_stop:1", "started a", "remove a", "exit a SIGTERM")
	if _, there := w.tree.Snapshot("a"); !there {
		t.Fatal("it is gone before its post_stop hook is done")
	}
	w.do("crash", "adopt")

	w.do("hook a 0")

	if _, there := w.tree.Snapshot("a"); there {
		t.Error("it is still there")
	}
}

func TestShutdownWaitsForPostStopHooksBeforeItStopsDependencies(t *testing.T) {
	w := newWorld(t, "connect", "add db", "started db", "add web deps=db hooks=post_stop:1", "started web", "shutdown")

	w.do("exit web SIGTERM")
	waits := w.effects()
	w.do("hook web 0")
	goesOn := w.effects()

	if strings.Contains(waits, "tree of db") || !strings.Contains(goesOn, "SIGTERM to the tree of db#1.0") {
		t.Errorf("when web is gone: %q; when its hook is done: %q", waits, goesOn)
	}
}

func TestHookThatCannotBeKilledHoldsNothingUpForEver(t *testing.T) {
	w := newWorld(t, "connect", "add a hooks=post_stop:1 timeout=10s", "started a", "detach", "shutdown")

	w.do("advance 1m") // nobody can be asked

	if !w.tree.Done() {
		t.Error("the shutdown does not end")
	}
	if limit := 30 * time.Second; w.now > Instant(60*time.Second)+Instant(limit) {
		t.Errorf("it took %v", time.Duration(w.now))
	}
}

func TestHookInTheWayOfItsSuccessorIsWaitedFor(t *testing.T) {
	w := newWorld(t, "connect", "add a hooks=pre_start:1", "hook a busy")

	w.do("advance 100ms")

	if got := w.effects(); got != "start a#1.0:pre_start.1" {
		t.Errorf("effects %q, want the hook once more", got)
	}
}

func TestFailedHooksAroundAnEndAreInTheExitReport(t *testing.T) {
	w := newWorld(t, "connect", "add a hooks=pre_stop:1,post_stop:2", "started a", "pause a", "hook a 4", "crash", "adopt a", "exit a SIGTERM")
	before := w.snapshot("a").LastExit.Reason

	w.do("hook a 5", "hook a 0")

	s := w.snapshot("a")
	if want := "; pre_stop hook 1 of 1: exit code 4"; !strings.HasSuffix(before, want) {
		t.Errorf("after the end: %q, want it to end with %q", before, want)
	}
	if want := before + "; post_stop hook 1 of 2: exit code 5"; s.LastExit.Reason != want || s.LastExit.Kind != child.Cancelled {
		t.Errorf("after the hooks: %s, %q, want %q", s.LastExit.Kind, s.LastExit.Reason, want)
	}
}

func TestHooksOfARunningChildAreToldItsMainProcess(t *testing.T) {
	w := newWorld(t, "connect", "add a hooks=post_start:1,pre_stop:1")

	begun := startOf(t, w.do("started a"))
	w.do("hook a 0")
	stopping := startOf(t, w.do("pause a"))

	want := []string{fmt.Sprintf("MAINPID=%d", w.snapshot("a").PID)}
	if diff := cmp.Diff([][]string{want, want}, [][]string{begun.Env, stopping.Env}); diff != "" || want[0] == "MAINPID=0" {
		t.Errorf("environments of post_start and pre_stop, want and got:\n%s", diff)
	}
}
