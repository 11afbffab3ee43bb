//go:build linux

package scenarios

import (
	"errors"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/reconciler-dev/reconciler/pkg/runtime"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

func notifyTerm(c chan os.Signal) { signal.Notify(c, unix.SIGTERM) }

func TestARestartWaitsForTheOldAttempt(t *testing.T) {
	r := newRig(t)
	old := r.add("web", script("trap 'echo $$ >> terms; until [ -e go ]; do sleep 0.01; done; exit 0' TERM", "echo $$ >> ready", forever))
	r.awaitLines("ready", 1)

	first, err := r.Restart(t.Context(), "web", alice)
	r.must(err)
	again, err := r.Restart(t.Context(), "web", alice)
	r.must(err)

	if first.Decision != machine.QueuedAfterStop || again.Decision != machine.AlreadyPending {
		t.Errorf("the restarts are answered %s and %s", first.Decision, again.Decision)
	}
	r.awaitLines("terms", 1)
	s, _ := r.Child("web")
	if s.Phase != child.Stopping || s.Generation != 0 || s.Attempt != 1 || s.PID != old.PID || len(r.lines("ready")) != 1 {
		t.Errorf("while the old one stops: %+v", s)
	}
	want := &child.PendingRestart{OldGeneration: 0, OldAttempt: 1, TargetGeneration: 1, Cause: alice}
	if diff := cmp.Diff(want, s.PendingRestart); diff != "" {
		t.Errorf("pending restart (-want +got):\n%s", diff)
	}

	note(r.dir, "go")
	s = r.await("web", "running again", func(s *child.Snapshot) bool { return s.Phase == child.Running && s.Generation == 1 })
	if s.PID == old.PID || lives(old.PID) || len(r.lines("terms")) != 1 || s.PendingRestart != nil {
		t.Errorf("the new one has pid %d (old %d, alive: %v), %d SIGTERMs", s.PID, old.PID, lives(old.PID), len(r.lines("terms")))
	}
	if kinds := r.kinds("web", string(again.CommandID)); !slices.Contains(kinds, machine.RestartConflict) {
		t.Errorf("the second restart is told as %v", kinds)
	}
	r.awaitFact("web", machine.RestartFenceReleased)
}

func TestARestartKillsByItselfWhoIgnoresTerm(t *testing.T) {
	r := newRig(t)
	old := r.add("web", deaf())
	r.awaitLines("ready", 1)

	out, err := r.Restart(t.Context(), "web", alice)
	r.must(err)

	r.awaitLines("ready", 2) // nobody asked for anything else
	if lives(old.PID) {
		t.Error("both live")
	}
	s := r.await("web", "running again", func(s *child.Snapshot) bool { return s.Phase == child.Running })
	if s.LastExit.Signal != "SIGKILL" || s.LastExit.Attempt != 1 || s.Attempt != 2 {
		t.Errorf("attempt %d after %+v", s.Attempt, s.LastExit)
	}
	if kinds := r.kinds("web", string(out.CommandID)); !slices.Contains(kinds, machine.RestartFenceAbort) {
		t.Errorf("the restart is told as %v", kinds)
	}
}

func TestARestartOfAnIdleChildStartsAtOnce(t *testing.T) {
	r := newRig(t)
	s := script("exit 0")
	s.RestartPolicy = child.Temporary
	_, err := r.Add(t.Context(), "job", s, child.Origin{}, alice)
	r.must(err)
	r.awaitPhase("job", child.Completed)

	out, err := r.Restart(t.Context(), "job", alice)
	r.must(err)

	if out.Decision != machine.StartedImmediately {
		t.Errorf("answered %s", out.Decision)
	}
	r.await("job", "completed again", func(s *child.Snapshot) bool { return s.Phase == child.Completed && s.Attempt == 2 })
}

func TestAShutDownTreeStartsNothing(t *testing.T) {
	r := newRig(t)
	r.add("web", script("trap 'until [ -e go ]; do sleep 0.01; done; exit 0' TERM", "echo $$ >> ready", forever))
	r.awaitLines("ready", 1)
	var report *machine.ShutdownReport
	var down sync.WaitGroup
	down.Go(func() { report, _ = r.ShutdownTree(t.Context(), alice) })
	r.awaitPhase("web", child.Stopping)

	var refused *runtime.CommandError
	if _, err := r.Restart(t.Context(), "web", alice); !errors.As(err, &refused) || refused.Code != machine.ErrShuttingDown {
		t.Errorf("a restart in the shutdown: %v", err)
	}
	if _, err := r.Add(t.Context(), "late", polite(), child.Origin{}, alice); !errors.As(err, &refused) || refused.Code != machine.ErrShuttingDown {
		t.Errorf("an add in the shutdown: %v", err)
	}
	note(r.dir, "go")
	down.Wait()
	var ended *runtime.EndedError
	if _, err := r.Restart(t.Context(), "web", alice); !errors.As(err, &ended) {
		t.Errorf("a restart after it: %v", err)
	}
	if report == nil || len(r.lines("ready")) != 1 {
		t.Errorf("report %v; started %d times", report, len(r.lines("ready")))
	}
}

func TestATargetThatCannotStartKeepsTheStoryOfTheOldOne(t *testing.T) {
	r := newRig(t)
	old := r.add("web", polite())
	r.awaitLines("ready", 1)
	broken := polite()
	broken.Command = []string{"/nowhere/at/all"}

	_, err := r.Replace(t.Context(), "web", broken, child.Origin{Generation: 2}, alice)
	r.must(err)

	s := r.await("web", "failing to start", func(s *child.Snapshot) bool { return s.Failure != nil && s.Failure.Phase == "start" })
	if s.Exits[0].PID != old.PID || s.Exits[0].Kind != child.Cancelled || s.LastExit.Kind != child.StartFailure || !s.Failure.Recoverable {
		t.Errorf("exits %+v, failure %+v", s.Exits, s.Failure)
	}
	if s.PendingRestart != nil || lives(old.PID) {
		t.Errorf("pending restart %+v; the old one lives: %v", s.PendingRestart, lives(old.PID))
	}
	_, err = r.Replace(t.Context(), "web", polite(), child.Origin{Generation: 3}, alice)
	r.must(err)
	r.await("web", "mended", func(s *child.Snapshot) bool { return s.Phase == child.Running && s.Failure == nil })
}

// TestTenThousandConcurrentRestartsNeverGiveTwoProcesses: the children
// themselves prove with a lock of the kernel that they are alone. Now and then the
// reconciler dies in between.
func TestTenThousandConcurrentRestartsNeverGiveTwoProcesses(t *testing.T) {
	const rounds, askers, each = 50, 20, 10
	r := newRig(t)
	self, err := os.Executable()
	r.must(err)
	s := polite()
	s.Command = []string{self, asWitness, r.dir}
	s.Shutdown.GracefulTimeout = child.Seconds(10 * time.Second)
	r.add("web", s)

	decisions := map[machine.Decision]int{}
	var mu sync.Mutex
	for round := range rounds {
		r.awaitLines("starts", round+1)
		before := r.await("web", "running", func(s *child.Snapshot) bool { return s.Phase == child.Running })
		var asking sync.WaitGroup
		for range askers {
			asking.Go(func() {
				for range each {
					out, err := r.Restart(t.Context(), "web", alice)
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					decisions[out.Decision]++
					mu.Unlock()
				}
			})
		}
		asking.Wait()
		if round%10 == 9 { // the reconciler is killed while restarts are under way
			r.leave()
			r.begin()
		}
		r.await("web", "running anew", func(s *child.Snapshot) bool { return s.Phase == child.Running && s.Generation > before.Generation })
	}

	last := r.await("web", "running", func(s *child.Snapshot) bool { return s.Phase == child.Running })
	if got := r.lines("overlaps"); len(got) > 0 {
		t.Errorf("processes that were not alone: %v", got)
	}
	starts := r.awaitLines("starts", rounds+1)
	alive := 0
	for _, text := range starts {
		if pid, _ := strconv.Atoi(text); lives(pid) && pid == last.PID {
			alive++
		}
	}
	if alive > 1 || uint64(len(starts)) > uint64(last.Attempt) {
		t.Errorf("%d processes live; %d started in %d attempts", alive, len(starts), last.Attempt)
	}
	t.Logf("%d restarts asked for, %v, %d attempts", rounds*askers*each, decisions, last.Attempt)
}
