//go:build linux

package scenarios

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

func TestAPermanentChildIsRestartedAfterItsRestWhateverItsCode(t *testing.T) {
	r := newRig(t)

	_, err := r.Add(t.Context(), "web", script("exit 0"), child.Origin{}, alice)
	r.must(err)

	s := r.await("web", "restarted", func(s *child.Snapshot) bool { return s.Attempt > 2 })
	if s.Exits[0].Kind != child.Succeeded || *s.Exits[0].Code != 0 {
		t.Errorf("first exit %+v", s.Exits[0])
	}
	if f := r.awaitFact("web", machine.BackoffScheduled); f.Delay <= 0 || f.Attempt != 1 {
		t.Errorf("the rest is told as %+v", f)
	}
}

func TestATransientChildIsRestartedOnlyAfterAFailure(t *testing.T) {
	for name, fails := range map[string]string{"code": "exit 3", "signal": "kill -KILL $$"} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			s := script("[ -e again ] || { touch again; "+fails+"; }", "exit 0")
			s.RestartPolicy = child.Transient

			_, err := r.Add(t.Context(), "job", s, child.Origin{}, alice)
			r.must(err)

			got := r.awaitPhase("job", child.Completed)
			if got.Attempt != 2 || !got.Exits[0].Kind.IsFailure() || got.LastExit.Kind != child.Succeeded {
				t.Errorf("completed in attempt %d, exits %+v", got.Attempt, got.Exits)
			}
		})
	}
}

func TestATemporaryChildIsNeverRestarted(t *testing.T) {
	r := newRig(t)
	fails, ends := script("exit 1"), script("exit 0")
	fails.RestartPolicy, ends.RestartPolicy = child.Temporary, child.Temporary
	for id, s := range map[child.ID]*child.Spec{"fails": fails, "ends": ends} {
		_, err := r.Add(t.Context(), id, s, child.Origin{}, alice)
		r.must(err)
	}

	if s := r.awaitPhase("fails", child.FailedPhase); s.Attempt != 1 || s.LastExit.Kind != child.FailedExit {
		t.Errorf("fails: attempt %d, %+v", s.Attempt, s.LastExit)
	}
	if s := r.awaitPhase("ends", child.Completed); s.Attempt != 1 {
		t.Errorf("ends: attempt %d", s.Attempt)
	}
}

func TestTheRestartBeyondTheLimitQuarantines(t *testing.T) {
	r := newRig(t)
	s := script("exit 1")
	s.RestartLimit = &child.RestartLimit{MaxRestarts: 3, Window: child.Seconds(time.Minute)}

	_, err := r.Add(t.Context(), "web", s, child.Origin{}, alice)
	r.must(err)

	got := r.awaitPhase("web", child.Quarantined)
	if got.Attempt != 4 || !got.RestartLimit.Exhausted || got.RestartLimit.Used != 3 || !strings.Contains(got.Hold.Reason, "4th restart within 60 s") {
		t.Errorf("quarantined in attempt %d, %+v, held by %+v", got.Attempt, got.RestartLimit, got.Hold)
	}
}

// member is a child that notes in the file events when it starts and stops, and
// crashes when there is a file crash-NAME.
func member(name string, tags ...string) *child.Spec {
	s := script("trap 'echo stop:"+name+" >> events; exit 0' TERM", "echo start:"+name+" >> events",
		"while [ ! -e crash-"+name+" ]; do sleep 0.02; done", "rm crash-"+name, "exit 1")
	s.Tags = tags
	return s
}

// folder adds a supervisor with three members, one after the other.
func (r *rig) folder(f *child.Spec) (pids map[child.ID]int) {
	r.Helper()
	f.Kind = child.Supervisor
	_, err := r.Add(r.Context(), "f", f, child.Origin{}, alice)
	r.must(err)
	pids = map[child.ID]int{}
	for i, name := range []string{"a", "b", "c"} {
		pids[child.Join("f", name)] = r.add(child.Join("f", name), member(name, "tag-"+name)).PID
		r.awaitLines("events", i+1)
	}
	return pids
}

// restarted waits until the members run again in a new attempt, and nobody else does.
func (r *rig) restarted(pids map[child.ID]int, members ...child.ID) {
	r.Helper()
	for _, id := range members {
		r.await(id, "running anew", func(s *child.Snapshot) bool { return s.Phase == child.Running && s.PID != pids[id] })
	}
	for id, pid := range pids {
		if lives(pid) == slices.Contains(members, id) {
			r.Errorf("the first process of %s lives: %v", id, lives(pid))
		}
	}
}

func TestOneForOneRestartsOnlyWhoFell(t *testing.T) {
	r := newRig(t)
	pids := r.folder(&child.Spec{Strategy: child.OneForOne})

	note(r.dir, "crash-b")

	r.restarted(pids, "f/b")
	if diff := cmp.Diff([]string{"start:a", "start:b", "start:c", "start:b"}, r.awaitLines("events", 4)); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestOneForAllStopsEverybodyBeforeAnybodyStarts(t *testing.T) {
	r := newRig(t)
	pids := r.folder(&child.Spec{Strategy: child.OneForAll})

	note(r.dir, "crash-b")

	r.restarted(pids, "f/a", "f/b", "f/c")
	events := r.awaitLines("events", 8)
	stops, starts := slices.Sorted(slices.Values(events[3:5])), slices.Sorted(slices.Values(events[5:]))
	if diff := cmp.Diff([][]string{{"stop:a", "stop:c"}, {"start:a", "start:b", "start:c"}}, [][]string{stops, starts}); diff != "" {
		t.Errorf("events %v (-want +got):\n%s", events, diff)
	}
}

func TestRestForOneLeavesTheEarlierOnesAlone(t *testing.T) {
	r := newRig(t)
	pids := r.folder(&child.Spec{Strategy: child.RestForOne})

	note(r.dir, "crash-b")

	r.restarted(pids, "f/b", "f/c")
	events := r.awaitLines("events", 6)
	if events[3] != "stop:c" || slices.Contains(events[3:], "start:a") || slices.Contains(events[3:], "stop:a") {
		t.Errorf("events %v", events)
	}
}

func TestAFailureGroupThatIsUsedUpTouchesNoOther(t *testing.T) {
	r := newRig(t)
	minute := child.Seconds(time.Minute)
	pids := r.folder(&child.Spec{FailureGroups: []child.FailureGroup{
		{Tag: "tag-a", RestartLimit: child.RestartLimit{MaxRestarts: 0, Window: minute}},
		{Tag: "tag-b", RestartLimit: child.RestartLimit{MaxRestarts: 5, Window: minute}},
	}})

	note(r.dir, "crash-a")
	held := r.awaitPhase("f/a", child.Quarantined)
	note(r.dir, "crash-b")

	r.await("f/b", "running anew", func(s *child.Snapshot) bool { return s.Phase == child.Running && s.PID != pids["f/b"] })
	if !strings.Contains(held.Hold.Reason, "tag-a") || !lives(pids["f/c"]) {
		t.Errorf("f/a is held by %+v; f/c lives: %v", held.Hold, lives(pids["f/c"]))
	}
}

func TestARestartOfAFolderRestartsItsMembersTogether(t *testing.T) {
	r := newRig(t)
	pids := r.folder(&child.Spec{Strategy: child.OneForOne})

	out, err := r.Restart(t.Context(), "f", alice)
	r.must(err)

	r.restarted(pids, "f/a", "f/b", "f/c")
	events := r.awaitLines("events", 9)
	if got := slices.Sorted(slices.Values(events[3:6])); !slices.Equal(got, []string{"stop:a", "stop:b", "stop:c"}) {
		t.Errorf("events %v; want all stopped before the first starts", events)
	}
	if kinds := r.kinds("f/b", string(out.CommandID)); out.Decision != machine.QueuedAfterStop || !slices.Contains(kinds, machine.ChildExited) {
		t.Errorf("answered %s; the story of f/b: %v", out.Decision, kinds)
	}
}
