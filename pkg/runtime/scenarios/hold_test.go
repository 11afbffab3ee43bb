//go:build linux

package scenarios

import (
	"errors"
	"slices"
	"strconv"
	"testing"

	"github.com/reconciler-dev/reconciler/pkg/runtime"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

func TestAPauseStopsThePoliteWay(t *testing.T) {
	r := newRig(t)
	before := r.add("web", polite())
	r.awaitLines("ready", 1)

	out, err := r.Pause(t.Context(), "web", alice)
	r.must(err)

	now, _ := r.Child("web")
	if out.Before != child.Active || out.After != child.Paused || out.Decision != machine.Accepted || out.CommandID == "" {
		t.Errorf("the pause is answered %+v", out)
	}
	if now.Generation != before.Generation || now.Attempt != before.Attempt {
		t.Errorf("it acts on attempt %d, not on %d", now.Attempt, before.Attempt)
	}
	after := r.awaitPhase("web", child.Stopped)
	if got := r.lines("terms"); !slices.Equal(got, []string{strconv.Itoa(before.PID)}) {
		t.Errorf("SIGTERM reached %v, want %d once", got, before.PID)
	}
	if after.Operation != child.Paused || after.Hold.RequestedBy != "alice" || after.LastExit.Kind != child.Cancelled || *after.LastExit.Code != 0 {
		t.Errorf("after the pause: %+v, exit %+v", after, after.LastExit)
	}
}

func TestAPausedChildThatFailsIsNotRestarted(t *testing.T) {
	r := newRig(t)
	r.add("web", script("trap 'exit 1' TERM", "echo $$ >> ready", forever))
	r.awaitLines("ready", 1)
	_, err := r.Pause(t.Context(), "web", alice)
	r.must(err)
	r.awaitPhase("web", child.Stopped)

	// A child that may start does start, meanwhile and long after the first's rest.
	r.add("other", script("exit 1"))
	r.await("other", "restarted five times", func(s *child.Snapshot) bool { return s.Attempt > 5 })

	if s, _ := r.Child("web"); s.Phase != child.Stopped || s.Attempt != 1 || len(r.lines("ready")) != 1 {
		t.Errorf("web is %s, attempt %d, started %d times", s.Phase, s.Attempt, len(r.lines("ready")))
	}
}

func TestTenMorePausesAreOne(t *testing.T) {
	r := newRig(t)
	r.add("web", polite())
	r.awaitLines("ready", 1)

	for i := range 11 {
		out, err := r.Pause(t.Context(), "web", alice)
		r.must(err)
		if i > 0 && (out.Decision != machine.Idempotent || out.Before != out.After) {
			t.Errorf("pause %d is answered %+v", i+1, out)
		}
	}
	r.awaitPhase("web", child.Stopped)

	kinds := r.kinds("web", "")
	if len(r.lines("terms")) != 1 || count(kinds, machine.OperationChanged) != 1 || count(kinds, machine.CommandAccepted) != 12 {
		t.Errorf("%d SIGTERMs; facts: %v", len(r.lines("terms")), kinds)
	}
}

func TestAResumeStarts(t *testing.T) {
	r := newRig(t)
	r.add("web", polite())
	r.awaitLines("ready", 1)
	_, err := r.Pause(t.Context(), "web", alice)
	r.must(err)
	r.awaitPhase("web", child.Stopped)

	out, err := r.Resume(t.Context(), "web", alice)
	r.must(err)

	s := r.awaitPhase("web", child.Running)
	if s.Attempt != 2 || s.Generation != 1 || s.Operation != child.Active || s.Hold != nil {
		t.Errorf("after the resume: attempt %d, generation %d, %s, hold %v", s.Attempt, s.Generation, s.Operation, s.Hold)
	}
	if f := r.awaitFact("web", machine.ChildResumed); f.Correlation != string(out.CommandID) {
		t.Errorf("the resume is told as %+v, command %s", f, out.CommandID)
	}
}

func TestAPauseOutlivesTheReconcilerAndItsManifest(t *testing.T) {
	r := newRig(t)
	r.add("web", polite())
	r.awaitLines("ready", 1)
	_, err := r.Pause(t.Context(), "web", alice)
	r.must(err)
	r.awaitPhase("web", child.Stopped)
	r.leave()
	r.begin()

	_, err = r.Replace(t.Context(), "web", script(forever), child.Origin{Generation: 2}, alice)
	r.must(err)

	if s, _ := r.Child("web"); s.Phase != child.Stopped || s.Hold == nil || s.Hold.RequestedBy != "alice" || s.Attempt != 1 {
		t.Errorf("web is %s, attempt %d, held by %+v", s.Phase, s.Attempt, s.Hold)
	}
}

func TestAQuarantinedChildStaysVisibleAndMayBeRemoved(t *testing.T) {
	r := newRig(t)
	r.add("web", polite())
	r.awaitLines("ready", 1)

	_, err := r.Quarantine(t.Context(), "web", alice)
	r.must(err)

	if s := r.awaitPhase("web", child.Quarantined); s.PID != 0 || s.Hold.RequestedBy != "alice" {
		t.Errorf("web: pid %d, held by %+v", s.PID, s.Hold)
	}
	_, err = r.Remove(t.Context(), "web", alice)
	r.must(err)
	if _, ok := r.Child("web"); ok {
		t.Error("the removed child is still there")
	}
}

func TestARemovedChildStaysUntilItsProcessIsGone(t *testing.T) {
	r := newRig(t)
	r.add("other", polite())
	before := r.add("web", script("trap 'until [ -e go ]; do sleep 0.01; done; exit 0' TERM", "echo $$ >> ready", forever))
	r.awaitLines("ready", 2)

	_, err := r.Remove(t.Context(), "web", alice)
	r.must(err)

	s, ok := r.Child("web")
	if !ok || s.Operation != child.Removed || s.Phase != child.Stopping || !lives(before.PID) {
		t.Errorf("while it stops: %+v, its process lives: %v", s, lives(before.PID))
	}
	var refused *runtime.CommandError
	if _, err := r.Restart(t.Context(), "web", alice); !errors.As(err, &refused) || refused.Code != machine.ErrStillStopping {
		t.Errorf("a restart meanwhile: %v", err)
	}
	note(r.dir, "go")
	r.until("web is gone", func() bool { _, there := r.Child("web"); return !there })
	if lives(before.PID) || len(r.Children()) != 1 {
		t.Errorf("its process lives: %v; children: %d", lives(before.PID), len(r.Children()))
	}
	r.awaitFact("web", machine.ChildRemoved)
	if _, err := r.Restart(t.Context(), "web", alice); !errors.Is(err, runtime.ErrChildNotFound) {
		t.Errorf("a restart afterwards: %v", err)
	}
}

func TestAnUnknownChildIsNotFoundAndLeavesNoTrace(t *testing.T) {
	r := newRig(t)

	for verb, command := range r.commands() {
		if _, err := command(t.Context(), "ghost", alice); !errors.Is(err, runtime.ErrChildNotFound) {
			t.Errorf("%s of an unknown child: %v", verb, err)
		}
	}

	if all := r.Children(); len(all) != 0 {
		t.Errorf("children: %v", all)
	}
	if kinds := r.kinds("ghost", ""); count(kinds, machine.CommandRefused) != len(kinds) || len(kinds) != len(r.commands()) {
		t.Errorf("facts: %v", kinds)
	}
}

func TestARemovalOfAChildThatIgnoresTermIsCompletedByKill(t *testing.T) {
	r := newRig(t)
	before := r.add("web", deaf())
	r.awaitLines("ready", 1)

	_, err := r.Remove(t.Context(), "web", alice)
	r.must(err)

	r.until("web is gone", func() bool { _, there := r.Child("web"); return !there })
	if lives(before.PID) {
		t.Error("its process lives on")
	}
	if f := r.awaitFact("web", machine.ChildKilled); f.Attempt != 1 || f.Generation != 0 {
		t.Errorf("the kill is told as %+v", f)
	}
}

func TestACommandActsOnTheAttemptThatRunsNow(t *testing.T) {
	r := newRig(t)
	r.add("web", script("[ -e again ] || { touch again; exit 1; }", "trap 'exit 0' TERM", "echo $$ >> ready", forever))
	r.awaitLines("ready", 1)
	second := r.await("web", "running again", func(s *child.Snapshot) bool { return s.Phase == child.Running && s.Attempt == 2 })

	_, err := r.Pause(t.Context(), "web", alice)
	r.must(err)

	s := r.awaitPhase("web", child.Stopped)
	if s.LastExit.Attempt != 2 || s.LastExit.PID != second.PID || s.LastExit.Kind != child.Cancelled {
		t.Errorf("the pause ended %+v, want attempt 2 with pid %d", s.LastExit, second.PID)
	}
}
