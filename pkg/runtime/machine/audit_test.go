package machine

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// isCommand tells the lines of the matrix that are commands.
func isCommand(line string) bool {
	verb, _, _ := strings.Cut(line, " ")
	return slices.Contains([]string{"add", "update", "replace", "remove", "restart", "pause", "resume", "quarantine", "signal", "shutdown", "hurry", "leave"}, verb)
}

func TestEveryCommandInEveryStateIsAuditedOnce(t *testing.T) {
	for _, s := range situations {
		for _, line := range matrixEvents {
			if !isCommand(line) {
				continue
			}
			w := newWorld(t, s.lines...)

			r := w.do(line)

			var told []Fact
			for _, f := range r.Facts {
				if f.Command != nil {
					told = append(told, f)
				}
			}
			if len(told) != 1 || r.Facts[0].Command == nil {
				t.Errorf("%s, %q: the command is told %d times, first by %s", s.name, line, len(told), r.Facts[0].Kind)
				continue
			}
			f := told[0]
			id := CommandID(fmt.Sprint("cmd-", w.command))
			if f.Command.ID != id || f.Correlation != string(id) || f.Cause.RequestedBy != "alice" || f.Command.Decision == "" {
				t.Errorf("%s, %q is told as %+v", s.name, line, f)
			}
			if (f.Command.Decision == Rejected) != (f.Kind == CommandRefused) || (f.Command.Code != "") != (f.Kind == CommandRefused) {
				t.Errorf("%s, %q: %s with decision %s and code %q", s.name, line, f.Kind, f.Command.Decision, f.Command.Code)
			}
			for _, reply := range r.Replies {
				if reply.To == id && reply.Decision != f.Command.Decision {
					t.Errorf("%s, %q: answered %s and told %s", s.name, line, reply.Decision, f.Command.Decision)
				}
			}
			if f.Kind == CommandRefused && len(r.Facts)+len(r.Records)+len(r.Effects)+len(r.Changed) != 1 {
				t.Errorf("%s, %q was refused and changed something: %+v", s.name, line, r)
			}
		}
	}
}

// story is the kinds of all facts of one correlation, in order.
func story(facts []Fact, correlation string) []FactKind {
	var kinds []FactKind
	for _, f := range facts {
		if f.Correlation == correlation {
			kinds = append(kinds, f.Kind)
		}
	}
	return kinds
}

// happen is do that keeps the facts of all lines.
func (w *world) happen(lines ...string) (facts []Fact) {
	for _, line := range lines {
		facts = append(facts, w.do(line).Facts...)
	}
	return facts
}

func TestAnExitItsRestAndItsRestartAreOneStory(t *testing.T) {
	w := newWorld(t, running("limit=3/60s")...)

	facts := w.happen("exit a 1", "advance 100ms", "started a", "exit a 1")

	want := []FactKind{ChildExited, BackoffScheduled, RestartLimitUpdated, ChildRestarting, ChildStarting, ChildRunning, ChildReady}
	if diff := cmp.Diff(want, story(facts, "a#1.0")); diff != "" {
		t.Errorf("the story of attempt 1 (-want +got):\n%s", diff)
	}
	want = []FactKind{ChildExited, BackoffScheduled, RestartLimitUpdated}
	if diff := cmp.Diff(want, story(facts, "a#1.1")); diff != "" {
		t.Errorf("the story of attempt 2 (-want +got):\n%s", diff)
	}
}

func TestAFailedLivenessIsTheBeginningOfAStory(t *testing.T) {
	w := newWorld(t, "connect", "add a live=http", "started a", "advance 1s")

	facts := w.happen("fail a liveness", "exit a 0", "advance 100ms", "started a")

	got := story(facts, "a#1.0")
	want := []FactKind{
		ChildUnhealthy, ChildStopping, ChildExited, ChildStopCompleted, BackoffScheduled, ChildRestarting, ChildStarting, ChildRunning, ChildReady,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the story (-want +got):\n%s", diff)
	}
}

func TestSiblingsThatRestartTogetherShareTheStoryOfTheOneThatFell(t *testing.T) {
	w := newWorld(t, "connect", "add f supervisor strategy=one_for_all", "add f/a", "started f/a", "add f/b", "started f/b")

	facts := w.happen("exit f/b 1", "exit f/a 0", "advance 1s")

	siblings := map[FactKind]bool{}
	for _, f := range facts {
		if f.Child == "f/a" && f.Correlation == "f/b#3.0" {
			siblings[f.Kind] = true
		}
	}
	for _, kind := range []FactKind{ChildStopping, ChildExited, ChildStarting} {
		if !siblings[kind] {
			t.Errorf("%s of f/a is not in the story of f/b: %+v", kind, facts)
		}
	}
}

func TestAStoryGoesOnAfterACrashOfTheReconciler(t *testing.T) {
	w := newWorld(t, running("", "exit a 1", "crash", "connect")...)

	facts := w.happen("advance 100ms", "started a")

	if got := story(facts, "a#1.0"); !slices.Contains(got, ChildRestarting) || !slices.Contains(got, ChildRunning) {
		t.Errorf("the restart after the crash is no part of the exit's story: %v", got)
	}
}

func TestEverythingThatACommandLeadsToIsItsStory(t *testing.T) {
	w := newWorld(t, running("")...)

	facts := w.happen("restart a", "restart a", "advance 5s", "exit a SIGKILL", "started a")

	want := []FactKind{
		CommandAccepted, RestartFenceEntered, ChildStopping, ChildKilled, RestartFenceAbort,
		ChildExited, ChildStopCompleted, RestartFenceReleased, ChildStarting, ChildRunning, ChildReady,
	}
	if diff := cmp.Diff(want, story(facts, "cmd-2")); diff != "" {
		t.Errorf("the story of the first restart (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]FactKind{CommandAccepted, RestartConflict}, story(facts, "cmd-3")); diff != "" {
		t.Errorf("the story of the second (-want +got):\n%s", diff)
	}
}

func TestAnUpdateThatDisturbsNothingLeavesTheStoryAsItIs(t *testing.T) {
	w := newWorld(t, running("", "exit a 1")...)

	facts := w.happen("update a grace=9s", "advance 100ms")

	if diff := cmp.Diff([]FactKind{ChildRestarting, ChildStarting}, story(facts, "a#1.0")); diff != "" {
		t.Errorf("the story of the exit (-want +got):\n%s", diff)
	}
}

func TestAShutdownIsOneStoryOfAllChildren(t *testing.T) {
	w := newWorld(t, "connect", "add a", "started a", "add b deps=a", "started b", "add c deps=x")

	facts := w.happen("shutdown", "exit b 0", "exit a 0")

	shutdown := fmt.Sprint("cmd-", w.command)
	for _, f := range facts {
		if f.Correlation != shutdown {
			t.Errorf("%s of %q belongs to %s, not to the shutdown", f.Kind, f.Child, f.Correlation)
		}
	}
	if got := story(facts, shutdown); !slices.Contains(got, ShutdownCompleted) || got[0] != CommandAccepted {
		t.Errorf("the story of the shutdown is %v", got)
	}
}

func TestARefusedSecretIsNotRepeated(t *testing.T) {
	secret := "hunter2"
	spec := testSpec()
	spec.Environment = []child.EnvVar{{Name: "TOKEN", Value: &secret}}
	w := newWorld(t, "connect")
	for _, verb := range []Verb{Add, Add, Update, Replace} {
		w.step(Command{ID: "cmd-9", Verb: verb, Child: "a", Spec: spec, Cause: child.Cause{RequestedBy: "alice", Reason: "test"}})
	}
	w.do("started a", "refused a", "exit a 1", "restart a", "pause a", "remove a")

	for _, f := range w.last.Facts {
		if text := fmt.Sprintf("%+v", f); strings.Contains(text, secret) {
			t.Errorf("a fact tells a value of the environment: %s", text)
		}
	}
}

// factsOf are the kinds that must tell of a phase. Pending has many ways.
var factsOf = map[child.Phase][]FactKind{
	child.Starting:    {ChildStarting},
	child.Running:     {ChildRunning, ChildAdopted, ChildReady},
	child.Stopping:    {ChildStopping},
	child.BackingOff:  {BackoffScheduled},
	child.Stopped:     {ChildStopped, ChildPaused, ChildResumed, ChildAdded, OperationChanged},
	child.Completed:   {ChildCompleted},
	child.FailedPhase: {ChildFailed},
	child.Quarantined: {ChildQuarantined, ChildStopped},
}

// checkFacts sees to it that every change of a phase is told, and every fact
// belongs to a story.
func checkFacts(t tester, before, after map[child.ID]child.Phase, facts []Fact) {
	t.Helper()
	told := map[child.ID][]FactKind{}
	for _, f := range facts {
		if f.Correlation == "" {
			t.Fatalf("%s of %q has no correlation", f.Kind, f.Child)
		}
		told[f.Child] = append(told[f.Child], f.Kind)
	}
	for id, phase := range after {
		if before[id] == phase {
			continue
		}
		want, known := factsOf[phase]
		if len(told[id]) == 0 || known && !slices.ContainsFunc(want, func(k FactKind) bool { return slices.Contains(told[id], k) }) {
			t.Fatalf("%s went from %q to %s, told by %v", id, before[id], phase, told[id])
		}
	}
	for id := range before {
		if _, still := after[id]; !still && !slices.Contains(told[id], ChildRemoved) {
			t.Fatalf("%s is gone, told by %v", id, told[id])
		}
	}
}

func phasesOf(t *Tree) map[child.ID]child.Phase {
	phases := map[child.ID]child.Phase{}
	for id, s := range t.children {
		phases[id] = s.phase
	}
	return phases
}
