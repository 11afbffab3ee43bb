//go:build linux

package scenarios

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reconciler-dev/reconciler/pkg/runtime"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

func TestAFreshRuntimeIsAlive(t *testing.T) {
	r := newRig(t)

	h := r.Health()

	if !h.Alive || h.State != runtime.StateAlive || h.StartedAt.IsZero() || h.LastObserved.Before(h.StartedAt) || h.Report != nil {
		t.Errorf("health = %+v", h)
	}
	if first := r.told()[0]; first.Kind != machine.RuntimeStarted {
		t.Errorf("the journal begins with %s", first.Kind)
	}
}

func TestAnAddedChildIsThereWhenTheCommandIsAnswered(t *testing.T) {
	r := newRig(t)
	spec := polite()

	_, err := r.Add(t.Context(), "jobs/web", spec, child.Origin{File: "jobs/web.yaml"}, alice)
	r.must(err)

	s, ok := r.Child("jobs/web")
	if !ok || s.Generation != 0 || s.Attempt != 1 || s.Spec != spec || s.Origin.File != "jobs/web.yaml" {
		t.Errorf("after the add: %+v", s)
	}
	var refused *runtime.CommandError
	if _, err := r.Add(t.Context(), "jobs/web", spec, child.Origin{}, alice); !errors.As(err, &refused) || refused.Code != machine.ErrChildExists {
		t.Errorf("the second add: %v", err)
	}
	for _, id := range []child.ID{"1bad", "a.b", "", "jobs/"} {
		if _, err := r.Add(t.Context(), id, spec, child.Origin{}, alice); !errors.As(err, &refused) || refused.Code != machine.ErrInvalid {
			t.Errorf("add of %q: %v", id, err)
		}
	}
	if n := len(r.Children()); n != 1 {
		t.Errorf("%d children, want 1", n)
	}
}

func TestACommandWithoutAnActorOrAReasonIsRefused(t *testing.T) {
	r := newRig(t)
	before := r.add("web", polite())

	for verb, command := range r.commands() {
		for field, cause := range map[string]child.Cause{
			"requested_by": {RequestedBy: " \t", Reason: "why"}, "reason": {RequestedBy: "me", Reason: ""},
		} {
			var refused *runtime.CommandError
			if _, err := command(t.Context(), "web", cause); !errors.As(err, &refused) || !strings.Contains(refused.Message, field) {
				t.Errorf("%s without %s: %v", verb, field, err)
			}
		}
	}
	if _, err := r.ShutdownTree(t.Context(), child.Cause{}); err == nil {
		t.Error("a shutdown by nobody was accepted")
	}

	if now, _ := r.Child("web"); now != before {
		t.Errorf("something changed:\n%s", cmp.Diff(before, now))
	}
	if n := count(r.kinds("web", ""), machine.CommandRefused); n != 2*len(r.commands()) {
		t.Errorf("%d refusals are told, want %d", n, 2*len(r.commands()))
	}
}

func TestAnUnknownSignalIsNeverSent(t *testing.T) {
	r := newRig(t)
	before := r.add("web", script("trap 'echo $$ >> hups' HUP", "echo $$ >> ready", forever))
	r.awaitLines("ready", 1)

	_, err := r.Signal(t.Context(), "web", "SIGFOO", alice)
	if err == nil || !strings.Contains(err.Error(), "SIGHUP") || !strings.Contains(err.Error(), "SIGUSR1") {
		t.Errorf("SIGFOO: %v; want the names of those that there are", err)
	}
	_, err = r.Signal(t.Context(), "web", "SIGHUP", alice)
	r.must(err)

	r.awaitLines("hups", 1)
	if now, _ := r.Child("web"); now.PID != before.PID || now.Phase != child.Running {
		t.Errorf("web is %s as %d", now.Phase, now.PID)
	}
}

func TestACrashAndItsRestartAreOneStoryInOrder(t *testing.T) {
	r := newRig(t)
	s := script("[ -e again ] || { touch again; exit 3; }", "echo $$ >> ready", forever)
	s.RestartLimit = &child.RestartLimit{MaxRestarts: 5, Window: child.Seconds(patience)}
	_, err := r.Add(t.Context(), "web", s, child.Origin{}, alice)
	r.must(err)
	r.await("web", "running again", func(s *child.Snapshot) bool { return s.Phase == child.Running && s.Attempt == 2 })
	r.until("it is told", func() bool { return count(r.kinds("web", ""), machine.ChildRunning) == 2 })

	exit := r.awaitFact("web", machine.ChildExited)

	if *exit.Exit.Code != 3 || exit.Attempt != 1 {
		t.Errorf("the exit is told as %+v", exit)
	}
	story := r.kinds("web", exit.Correlation)
	want := []machine.FactKind{
		machine.ChildExited, machine.BackoffScheduled, machine.RestartLimitUpdated, machine.ChildRestarting,
		machine.ChildStarting, machine.ChildRunning, machine.ChildReady,
	}
	if diff := cmp.Diff(want, story); diff != "" {
		t.Errorf("the story (-want +got):\n%s", diff)
	}
	for _, f := range r.told() {
		if f.Correlation == exit.Correlation && slices.Contains([]machine.FactKind{machine.ChildStarting, machine.ChildRunning}, f.Kind) && f.Attempt != 2 {
			t.Errorf("%s is of attempt %d, want 2", f.Kind, f.Attempt)
		}
	}
}

func TestTheControlPlaneEndsWithoutItsChildren(t *testing.T) {
	r := newRig(t)
	before := r.add("web", polite())
	r.awaitLines("ready", 1)
	if _, err := r.Leave(t.Context(), child.Cause{RequestedBy: "alice"}); err == nil || !strings.Contains(err.Error(), "reason") {
		t.Errorf("leave without a reason: %v", err)
	}

	var reports [3]runtime.ExitReport
	var racing sync.WaitGroup
	for i := range reports {
		racing.Go(func() {
			var err error
			if reports[i], err = r.Leave(t.Context(), alice); err != nil {
				t.Errorf("leave %d: %v", i, err)
			}
		})
	}
	racing.Wait()

	for _, rep := range reports {
		if rep.State != runtime.StateCompleted || rep.Phase != "leave" || rep.Panic || !rep.CompletedAt.Equal(reports[0].CompletedAt) {
			t.Errorf("report %+v, the first was %+v", rep, reports[0])
		}
	}
	var ended *runtime.EndedError
	if _, err := r.Restart(t.Context(), "web", alice); !errors.As(err, &ended) {
		t.Errorf("a restart after the end: %v", err)
	}
	if !lives(before.PID) {
		t.Error("the child did not live on")
	}
	r.leave()
	r.begin()
	if now := r.awaitPhase("web", child.Running); now.PID != before.PID || now.Attempt != 1 {
		t.Errorf("adopted as attempt %d with pid %d, it was %d", now.Attempt, now.PID, before.PID)
	}
}
