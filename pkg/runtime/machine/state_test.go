package machine

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// conditions are those of a child in words: "Ready=True".
func conditions(s *child.Snapshot) string {
	var words []string
	for _, c := range s.Conditions {
		words = append(words, string(c.Type)+"="+c.Status)
	}
	return strings.Join(words, " ")
}

func TestConditions(t *testing.T) {
	crash := []string{"exit a 1", "advance 10s", "started a"}
	for _, row := range []struct {
		sentence string
		lines    []string
		want     string
	}{
		{"a running child is ready", running(""), "Ready=True"},
		{"a starting child is reconciling", []string{"connect", "add a"}, "Ready=False Reconciling=True"},
		{"a stopping child is reconciling", running("", "restart a"), "Ready=False Reconciling=True"},
		{"a paused child is at rest", running("", "pause a", "exit a 0"), "Ready=False"},
		{"a pending child shows its dependencies", []string{"connect", "add a deps=b"}, "Ready=False DependenciesReady=False Reconciling=True"},
		{"so does a running one", []string{"connect", "add b", "started b", "add a deps=b", "started a", "exit b 1"}, "Ready=True DependenciesReady=False"},
		{"two quick failures are no crash loop", running("", append(crash, crash...)...), "Ready=True"},
		{"three are", running("", append(append(crash, crash...), crash...)...), "Ready=True CrashLooping=True"},
		{"it ends when an attempt runs for reset_after", running("", append(append(append(crash, crash...), crash...), "advance 30s")...), "Ready=True"},
		{"not a moment before", running("", append(append(append(crash, crash...), crash...), "advance 29999ms")...), "Ready=True CrashLooping=True"},
		{"slow failures are no crash loop", running("", "advance 30s", "exit a 1", "advance 10s", "started a", "advance 30s", "exit a 1", "advance 10s", "started a", "advance 30s", "exit a 1"), "Ready=False"},
		{"a restart by command clears it", running("", append(append(append(crash, crash...), "exit a 1"), "restart a")...), "Ready=False Reconciling=True"},
		{"fields that are not enforced are named", []string{"connect", "add a suspend=true umask=0027"}, "Ready=False NotEnforced=True"},
		{"a start that something is in the way of is stalled", []string{"connect", "add a", "busy a"}, "Ready=False Reconciling=True Stalled=True"},
		{"so is a failed one", []string{"connect", "add a", "refused a"}, "Ready=False Stalled=True"},
		{"until it runs", []string{"connect", "add a", "refused a", "advance 1s", "started a"}, "Ready=True"},
		{"so is a stop that failed", running("", "pause a", "advance 6s"), "Ready=False Reconciling=True Stalled=True"},
		{"also after a crash", running("", "pause a", "advance 6s", "crash", "adopt a"), "Ready=False Reconciling=True Stalled=True"},
		{"also after a restart was asked for", running("", "pause a", "advance 6s", "restart a"), "Ready=False Reconciling=True Stalled=True"},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			w := newWorld(t, row.lines...)

			if got := conditions(w.snapshot("a")); got != row.want {
				t.Errorf("after %q\n got %s\nwant %s", row.lines, got, row.want)
			}
		})
	}
}

func TestTreeKillIsFalseWithoutACgroup(t *testing.T) {
	w := newWorld(t, "connect", "add a")
	p := w.process("a")
	p.WeakKill = true

	w.step(Started{p})

	if got := conditions(w.snapshot("a")); got != "Ready=True TreeKill=False" {
		t.Errorf("conditions %s", got)
	}
}

func TestTransitionTimeIsThatOfTheChange(t *testing.T) {
	w := newWorld(t, running("")...)
	ready := w.snapshot("a").Conditions[0].LastTransitionTime

	w.do("advance 1m", "update a grace=9s", "detach", "adopt a")
	kept := w.snapshot("a").Conditions[0].LastTransitionTime
	w.do("crash", "adopt a")
	restored := w.snapshot("a").Conditions[0].LastTransitionTime
	w.do("exit a 1")
	changed := w.snapshot("a").Conditions[0].LastTransitionTime

	got := []time.Time{ready, kept, restored, changed}
	if diff := cmp.Diff([]time.Time{epochWall, epochWall, epochWall, epochWall.Add(time.Minute)}, got); diff != "" {
		t.Errorf("times of Ready (-want +got):\n%s", diff)
	}
}

func TestObservedFollowsOnceNoOlderAttemptIsLeft(t *testing.T) {
	w := newWorld(t, running("")...)
	observed := func() string {
		s := w.snapshot("a")
		return fmt.Sprintf("%d of %d", s.Observed, s.Origin.Generation)
	}

	var got []string
	for _, line := range []string{"update a grace=1s", "replace a command=new", "crash", "adopt a", "exit a 0", "started a"} {
		w.do(line)
		got = append(got, observed())
	}

	want := []string{"2 of 2", "2 of 3", "2 of 3", "2 of 3", "3 of 3", "3 of 3"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("observed (-want +got):\n%s", diff)
	}
}

func TestRestoreIsWhatWasRecorded(t *testing.T) {
	for _, s := range situations {
		t.Run(s.name, func(t *testing.T) {
			w := newWorld(t, s.lines...)
			want, ok := w.tree.Snapshot("a")

			w.do("detach", "crash")

			got, found := w.tree.Snapshot("a")
			if found != ok {
				t.Fatalf("restored: %v, want %v", found, ok)
			}
			if !ok {
				return
			}
			ignore := cmp.FilterPath(func(p cmp.Path) bool {
				switch p.String() {
				case "Conditions", "UpdatedAt", "WaitsFor": // these may tell of the lost connection
					return true
				case "Failure": // of a busy start: it is asked again at once
					return got.Phase == child.Starting
				}
				return false
			}, cmp.Ignore())
			if diff := cmp.Diff(want, got, ignore); diff != "" {
				t.Errorf("restored (-want +got):\n%s", diff)
			}
		})
	}
}

func TestShutdownStoppedChildrenRunAgainInTheNextRun(t *testing.T) {
	w := newWorld(t, running("", "add b", "started b", "pause b", "exit b 0", "add c policy=transient", "started c", "exit c 0",
		"add d", "started d", "exit d 1", "add f supervisor", "shutdown", "exit a 0")...)
	if !w.tree.Done() {
		t.Fatal("the shutdown is not done")
	}

	w.do("crash", "connect")

	want := "start a#1.1, start d#4.1"
	if got := w.effects(); got != want {
		t.Errorf("the next run: %s; want %s", got, want)
	}
	for id, phase := range map[child.ID]child.Phase{"b": child.Stopped, "c": child.Completed, "f": child.Running} {
		if got := w.snapshot(id).Phase; got != phase {
			t.Errorf("%s is %s; want %s", id, got, phase)
		}
	}
}

func TestShutdownOutcomes(t *testing.T) {
	for _, row := range []struct {
		sentence string
		lines    []string
		want     string
	}{
		{"no attempt", []string{"connect", "add a suspend=true", "shutdown"}, "a already_exited reconcile"},
		{"a rest is cancelled", running("", "exit a 1", "shutdown"), "a already_exited reconcile"},
		{"a wait is cancelled", []string{"connect", "add a deps=b", "shutdown"}, "a already_exited reconcile"},
		{"a busy start is cancelled", []string{"connect", "add a", "busy a", "shutdown"}, "a already_exited reconcile"},
		{"listens", running("", "shutdown", "exit a 0"), "a graceful graceful_drain"},
		{"listens during its start", []string{"connect", "add a", "shutdown", "started a", "exit a 0"}, "a graceful graceful_drain"},
		{"was being stopped already", running("", "pause a", "shutdown", "exit a 0"), "a graceful graceful_drain"},
		{"was being removed already", running("", "remove a", "shutdown", "exit a 0"), "a graceful graceful_drain"},
		{"is killed", running("", "shutdown", "advance 5s", "exit a SIGKILL"), "a aborted abort_stragglers"},
		{"cannot be killed", running("", "shutdown", "advance 6s"), "a abort_failed abort_stragglers"},
		{"could not be killed before", running("", "pause a", "advance 6s", "shutdown"), "a abort_failed abort_stragglers"},
		{"ends by itself while its dependant stops", running("", "add b deps=a", "started b", "shutdown", "exit a 0", "exit b 0"), "a late_report graceful_drain, b graceful graceful_drain"},
		{"is lost meanwhile", running("", "shutdown", "detach", "adopt"), "a graceful graceful_drain"},
		{"nobody can be asked", running("", "detach", "shutdown", "advance 6s"), "a abort_failed abort_stragglers"},
		{"hurried without a connection, and it never ran", []string{"connect", "add a", "detach", "shutdown", "hurry", "adopt"}, "a already_exited reconcile"},
		{"a cycle has no order", running("", "add b deps=a", "started b", "update a deps=b", "shutdown", "exit a 0", "exit b 0"), "a graceful graceful_drain, b graceful graceful_drain"},
		{"a chain goes down one by one", running("", "add b deps=a", "started b", "add c deps=b", "started c", "shutdown", "exit c 0", "exit b 0", "exit a 0"), "c graceful graceful_drain, b graceful graceful_drain, a graceful graceful_drain"},
		{"an empty tree is down at once", []string{"shutdown"}, ""},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			w := newWorld(t, row.lines...)

			if !w.tree.Done() || w.tree.shutdown.report == nil {
				t.Fatalf("after %q the shutdown is not done", row.lines)
			}
			var got []string
			for _, o := range w.tree.shutdown.report.Outcomes {
				got = append(got, fmt.Sprintf("%s %s %s", o.ChildID, o.Status, o.Phase))
			}
			if got := strings.Join(got, ", "); got != row.want {
				t.Errorf("after %q\n got %s\nwant %s", row.lines, got, row.want)
			}
		})
	}
}

func TestShutdownListsWhatItLeavesBehind(t *testing.T) {
	for _, row := range []struct {
		sentence string
		lines    []string
		want     string
	}{
		{"listens", running("", "shutdown", "exit a 0"), ""},
		{"is killed", running("", "shutdown", "advance 5s", "exit a SIGKILL"), ""},
		{"cannot be killed", running("", "shutdown", "advance 6s"), "a 100 still alive after SIGKILL"},
		{"nobody can be asked", running("", "detach", "shutdown", "advance 6s"), "a 100 nobody could say whether it ended: broken pipe"},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			w := newWorld(t, row.lines...)

			checkOrphans(t, w.tree.Report(), row.want)
		})
	}
	t.Run("a tree that was not empty", func(t *testing.T) {
		w := newWorld(t, running("", "shutdown")...)
		code := 0
		w.step(Exited{Key: child.Key{ID: "a", Incarnation: 1}, Attempt: 1, PID: 100, Code: &code, Leftovers: []string{"pid 9 (sh)"}})

		checkOrphans(t, w.tree.Report(), "a 9 pid 9 (sh) was left behind")
	})
}

func checkOrphans(t *testing.T, r *ShutdownReport, want string) {
	t.Helper()
	if r == nil {
		t.Fatal("the shutdown is not over")
	}
	got := ""
	for _, o := range r.Orphans {
		got += fmt.Sprintf("%s %d %s", o.ID, o.PID, o.Reason)
	}
	if r.VerifiedClean != (want == "") || !strings.HasPrefix(got, want) || want == "" && got != "" {
		t.Errorf("verified_clean = %v, orphans = %q; want %q", r.VerifiedClean, got, want)
	}
}

func TestEverybodyWhoAskedForTheShutdownGetsTheSameReport(t *testing.T) {
	w := newWorld(t, running("", "shutdown", "shutdown")...)

	replies := w.do("exit a 0").Replies
	late := w.do("shutdown").Replies

	if len(replies) != 2 || len(late) != 1 {
		t.Fatalf("%d replies at the end and %d after it; want 2 and 1", len(replies), len(late))
	}
	if replies[0].Report == nil || replies[1].Report != replies[0].Report || late[0].Report != replies[0].Report {
		t.Errorf("the reports differ: %p, %p, %p", replies[0].Report, replies[1].Report, late[0].Report)
	}
}

func TestNothingIsEmittedWhileDetached(t *testing.T) {
	for _, s := range situations {
		for _, line := range matrixEvents {
			if line == "tick" || strings.HasPrefix(line, "adopt") || line == "crash" {
				continue
			}
			w := newWorld(t, append(s.lines, "detach")...)

			r := w.do(line, "advance 1h")

			if len(r.Effects) != 0 {
				t.Errorf("%s, detached, %q: %s", s.name, line, w.effects())
			}
		}
	}
}

func TestLostEffectsAreDroppedWithTheConnection(t *testing.T) {
	w := newWorld(t, "connect")
	w.tree.Step(0, epochWall, w.commandOf([]string{"add", "a"}))
	w.tree.Step(0, epochWall, Detached{Reason: "gone"})

	r := w.tree.Ready()

	if len(r.Effects) != 0 || len(r.Records) != 1 || r.Records[0].Phase != child.Starting {
		t.Errorf("effects %v, records %+v; want no effect and one record of the start", r.Effects, r.Records)
	}
}

func TestOneRecordAChildTheNewest(t *testing.T) {
	w := newWorld(t, "connect")
	for _, line := range []string{"add a", "pause a", "resume a"} {
		w.tree.Step(0, epochWall, w.commandOf(strings.Fields(line)))
	}

	r := w.tree.Ready()

	if len(r.Records) != 1 || r.Records[0].Phase != child.Stopping || r.Records[0].Operation != child.Active || !r.Records[0].Sync {
		t.Errorf("records %+v; want one of a stop under way, active again, and sync for the pause", r.Records)
	}
	if len(r.Changed) != 1 {
		t.Errorf("changed %v; want a once", r.Changed)
	}
}

func TestAdoptionIsToldOnceAndReadinessDoesNotFlap(t *testing.T) {
	w := newWorld(t, running("")...)

	first := w.do("crash", "adopt a").Facts
	again := w.do("detach", "adopt a").Facts

	if n := countFacts(first, ChildAdopted); n != 1 {
		t.Errorf("the first adoption was told %d times: %v", n, first)
	}
	if n := countFacts(again, ChildAdopted) + countFacts(append(first, again...), ChildReady); n != 0 {
		t.Errorf("a reconnection told of adoption or readiness again: %v", again)
	}
	if s := w.snapshot("a"); !s.Ready || !s.ReadyAt.Equal(epochWall) {
		t.Errorf("ready %v since %v; want since the start", s.Ready, s.ReadyAt)
	}
}

func countFacts(facts []Fact, kind FactKind) (n int) {
	for _, f := range facts {
		if f.Kind == kind {
			n++
		}
	}
	return n
}

func TestRestartLimitUseIsShownAndEmptiesByItself(t *testing.T) {
	w := newWorld(t, running("limit=3/10s backoff=1s..1s", "exit a 1", "advance 1s", "started a", "advance 5s", "exit a 1")...)

	used := w.snapshot("a").RestartLimit
	w.do("advance 4s")
	left := w.snapshot("a").RestartLimit

	window := child.Seconds(10 * time.Second)
	if diff := cmp.Diff(child.RestartLimitUse{Window: window, Limit: 3, Used: 2, Remaining: 1}, used); diff != "" {
		t.Errorf("after two restarts (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(child.RestartLimitUse{Window: window, Limit: 3, Used: 1, Remaining: 2}, left); diff != "" {
		t.Errorf("after the first left the window (-want +got):\n%s", diff)
	}
}

func TestRestartLimitSurvivesACrash(t *testing.T) {
	w := newWorld(t, running("limit=1/60s backoff=1s..1s", "exit a 1", "advance 1s", "started a", "crash", "adopt a", "exit a 1")...)

	s := w.snapshot("a")

	if s.Phase != child.Quarantined || s.Hold == nil || s.Hold.Reason != "2nd restart within 60 s" || s.Hold.RequestedBy != "runtime" {
		t.Errorf("phase %s, hold %+v", s.Phase, s.Hold)
	}
}

func TestNoClockJumpMakesARestorationWaitLonger(t *testing.T) {
	w := newWorld(t, running("backoff=10s..10s", "exit a 1")...)

	tree := Restore(w.cfg, 0, epochWall.Add(-24*time.Hour), w.records) // the wall clock was set back a day

	if next, ok := tree.Next(); !ok || next > Instant(10*time.Second) {
		t.Errorf("the rest ends at %v (%v); want within 10s", time.Duration(next), ok)
	}
}
