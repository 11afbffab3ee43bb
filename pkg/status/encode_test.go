package status

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/reconciler-dev/reconciler/pkg/desired"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 1, time.UTC)

// workerSnapshot is a child in which nearly every field has a value.
func workerSnapshot() *child.Snapshot {
	code := 1
	exit := &child.Exit{
		Generation: 3, Attempt: 4, PID: 1200, Kind: child.FailedExit, Code: &code, Reason: "exit code 1",
		StartedAt: noon.Add(-time.Minute), FinishedAt: noon.Add(-47500 * time.Millisecond), Duration: child.Seconds(12500 * time.Millisecond),
		LogTail: []string{"reading <queue>", "no such queue: mail & co"},
	}
	return &child.Snapshot{
		ID: "payments/worker", Incarnation: 9,
		Spec:   &child.Spec{Kind: child.AsyncWorker, Criticality: child.Critical, Tags: []string{"mail"}},
		Origin: child.Origin{File: "payments/worker.yaml", Document: 1, Hash: "sha256:ab", Generation: 3}, Observed: 3,
		Phase: child.Running, Operation: child.Active, Generation: 4, Attempt: 5, RestartCount: 4,
		PID: 1234, StartedAt: noon.In(time.FixedZone("CET", 3600)), Ready: true, ReadyAt: noon,
		RestartLimit: child.RestartLimitUse{Window: child.Seconds(time.Minute), Limit: 10, Used: 1, Remaining: 9},
		StopState:    child.StopIdle, LastExit: exit, Exits: []*child.Exit{exit},
		Conditions: []child.ConditionState{
			{Type: child.ConditionReady, Status: isTrue, Reason: "ProcessRuns", LastTransitionTime: noon, ObservedGeneration: 3},
			{Type: child.ConditionDependenciesReady, Status: isTrue, Reason: "AllReady", LastTransitionTime: noon, ObservedGeneration: 3},
			{Type: child.ConditionCrashLooping, Status: isTrue, Reason: "FailedInARow", Message: "4 attempts in a row", LastTransitionTime: noon, ObservedGeneration: 3},
		},
		UpdatedAt: noon.Add(time.Second),
	}
}

func declared(s *child.Snapshot, problems ...desired.Problem) Declaration {
	e := &desired.Entry{ID: s.ID, Spec: s.Spec, Origin: s.Origin, Problems: problems}
	v := validity(e)
	v.Since = noon
	return Declaration{Entry: e, Valid: v}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func TestStatusFilesLookLikeThis(t *testing.T) {
	running := workerSnapshot()
	broken := declared(running, desired.Problem{File: "payments/worker.yaml", Line: 7, Column: 3, Field: "restart_policy", Reason: `"always" is not a policy`, Hint: "did you mean permanent?"})
	broken.Entry.Origin.Generation = 3
	pending := &child.Snapshot{
		ID: "web", Spec: &child.Spec{Kind: child.BlockingWorker}, Phase: child.Pending, Operation: child.Active, StopState: child.StopIdle,
		WaitsFor: []string{"payments/db (ready)"}, UpdatedAt: noon,
		Conditions: []child.ConditionState{{Type: child.ConditionReady, Status: isFalse, Reason: "Pending", LastTransitionTime: noon}},
	}
	paused := workerSnapshot()
	paused.Phase, paused.Operation, paused.PID, paused.Ready = child.Stopped, child.Paused, 0, false
	paused.StartedAt, paused.ReadyAt = time.Time{}, time.Time{}
	paused.Hold = &child.Hold{Cause: child.Cause{RequestedBy: "ada", Reason: "maintenance"}, At: noon}
	root := &child.Snapshot{ID: child.RootSupervisor, Spec: &child.Spec{Kind: child.Supervisor}, Phase: child.Running, Operation: child.Active, Ready: true, StopState: child.StopIdle, UpdatedAt: noon}

	golden(t, "running.json", Encode(running, declared(running)))
	golden(t, "broken.json", Encode(running, broken))
	golden(t, "pending.json", Encode(pending, declared(pending)))
	golden(t, "paused.json", Encode(paused, declared(paused)))
	golden(t, "root.json", Encode(root, declared(root)))
}

func TestAChildWhoseRemovalIsHeldSaysSo(t *testing.T) {
	s := workerSnapshot()
	d := declared(s)
	d.Entry.Held = desired.StallTooManyRemovals

	v := validity(d.Entry)

	if v.Status != isUnknown || v.Reason != ReasonRemovalHeld || !strings.Contains(v.Message, "TooManyRemovals") {
		t.Errorf("ManifestValid = %+v, want RemovalHeld, and by what", v)
	}
}

func TestStatusFileHasTheFieldsOfTheContract(t *testing.T) {
	s := workerSnapshot()
	fields := []string{
		"schema_version", "child_id", "name", "path", "manifest", "phase", "operation", "generation", "attempt", "restart_count",
		"pid", "started_at", "ready_at", "conditions", "health", "restart_limit", "next_restart_at", "stop_state", "pending_restart",
		"failure", "last_exit", "exits", "updated_at",
	}
	exit := []string{
		"generation", "attempt", "pid", "kind", "exit_code", "signal", "core_dumped", "oom_killed", "reason", "started_at", "finished_at", "duration_secs", "log_tail",
	}

	var got map[string]json.RawMessage
	var last map[string]json.RawMessage
	if err := json.Unmarshal(Encode(s, declared(s)), &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(got["last_exit"], &last); err != nil {
		t.Fatal(err)
	}

	for _, f := range fields {
		if _, ok := got[f]; !ok {
			t.Errorf("field %s is missing", f)
		}
	}
	for _, f := range exit {
		if _, ok := last[f]; !ok {
			t.Errorf("field last_exit.%s is missing", f)
		}
	}
}

func TestEncodingIsStableAndDecodesToTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := workerSnapshot()
		s.Phase = rapid.SampledFrom(child.Phases()).Draw(t, "phase")
		s.PID = rapid.IntRange(-1, 3).Draw(t, "pid")
		s.LastExit.LogTail = rapid.SliceOf(rapid.String()).Draw(t, "log")
		s.Conditions = rapid.Permutation(s.Conditions).Draw(t, "conditions")

		first, again := Encode(s, declared(s)), Encode(s, declared(s))
		var c Child
		if err := json.Unmarshal(first, &c); err != nil {
			t.Fatal(err)
		}

		if !bytes.Equal(first, again) {
			t.Fatalf("two encodings differ:\n%s\n%s", first, again)
		}
		if back := encode(&c); !bytes.Equal(first, back) {
			t.Fatalf("encoding what was decoded differs:\n%s", cmp.Diff(string(first), string(back)))
		}
	})
}

func TestManifestBlockShowsThatTheRuntimeIsBehind(t *testing.T) {
	s := workerSnapshot()
	d := declared(s)
	d.Entry.Origin.Generation, d.Entry.Origin.Hash, d.Entry.Origin.File = 4, "sha256:cd", "payments/moved.yaml"

	got := NewChild(s, d).Manifest

	want := Manifest{File: "payments/moved.yaml", Document: 1, Hash: "sha256:cd", Generation: 4, ObservedGeneration: 3}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("manifest (-want +got):\n%s", diff)
	}
}

func TestHealthFollowsProcessAndProbes(t *testing.T) {
	found := func(status child.ProbeStatus) child.ProbeState {
		return child.ProbeState{Status: status, CheckedAt: noon, Failures: 3, Message: "status 503", Latency: child.Seconds(time.Millisecond)}
	}
	checked := &child.Spec{HealthCheck: &child.HealthCheck{}, Readiness: &child.Readiness{}}
	for name, tc := range map[string]struct {
		s                   child.Snapshot
		liveness, readiness ProbeStatus
	}{
		"nothing runs":                         {child.Snapshot{Spec: &child.Spec{}, Phase: child.Stopped}, Unknown, Unknown},
		"runs, ready, no probes":               {child.Snapshot{Spec: &child.Spec{}, Phase: child.Running, Ready: true}, Passing, Passing},
		"runs, not ready":                      {child.Snapshot{Spec: &child.Spec{}, Phase: child.Running}, Passing, Failing},
		"nobody looked yet":                    {child.Snapshot{Spec: checked, Phase: child.Running}, Unknown, Unknown},
		"both pass":                            {child.Snapshot{Spec: checked, Phase: child.Running, Ready: true, Liveness: found(child.ProbePassing), Readiness: found(child.ProbePassing)}, Passing, Passing},
		"both fail":                            {child.Snapshot{Spec: checked, Phase: child.Running, Liveness: found(child.ProbeFailing), Readiness: found(child.ProbeFailing)}, Failing, Failing},
		"stopping, and its readiness was fine": {child.Snapshot{Spec: checked, Phase: child.Stopping, Liveness: found(child.ProbeFailing), Readiness: found(child.ProbePassing)}, Failing, Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			got := health(&tc.s)

			if got.Liveness.Status != tc.liveness || got.Readiness.Status != tc.readiness {
				t.Errorf("health = %+v, want liveness %s and readiness %s", got, tc.liveness, tc.readiness)
			}
			if probe := tc.s.Liveness; probe.Message != got.Liveness.Message || probe.Failures != got.Liveness.ConsecutiveFailures || probe.Latency != got.Liveness.Latency {
				t.Errorf("liveness = %+v, want what was found: %+v", got.Liveness, probe)
			}
		})
	}
}

func TestRuntimeFileLooksLikeThis(t *testing.T) {
	critical := workerSnapshot()
	critical.ID, critical.Phase, critical.CannotRun = "payments/db", child.Quarantined, true
	settling := workerSnapshot()
	settling.Conditions = append(settling.Conditions, child.ConditionState{Type: child.ConditionReconciling, Status: isTrue})
	root := &child.Snapshot{ID: child.RootSupervisor, Spec: &child.Spec{Kind: child.Supervisor}, Phase: child.Running}
	info := Info{
		State: Alive, PID: 77, Version: "1.2.3", StartedAt: noon, Shim: Shim{PID: 78, Connected: true},
		Problems: []desired.Problem{{File: "bad.yaml", Document: 1, Child: "bad", Reason: "add was refused: no such user"}},
		LastReconcile: &Reconcile{
			At: noon, Duration: child.Seconds(2 * time.Millisecond), Trigger: "manifests", Actions: map[string]int{"add": 1, "update": 0, "replace": 0, "remove": 0},
			Errors: []ReconcileError{},
		},
	}
	set := &desired.Set{
		Complete: true, Revision: "b2c4",
		Problems: []desired.Problem{{File: "payments/worker.yaml", Line: 7, Column: 3, Field: "restart_policy", Reason: `"always" is not a policy`, Hint: "did you mean permanent?"}},
		Stalls:   []desired.Stall{{Reason: desired.StallEmptySource, Message: "the directory lost all 3 manifests in one look"}},
	}

	r := newRuntime(info, set, []*child.Snapshot{critical, settling, root}, nil)
	r.Conditions = settleTimes(r.Conditions, nil, noon)
	r.ObservedAt, r.ValidUntil = noon, noon.Add(validFor)
	golden(t, "reconciler.json", EncodeRuntime(&r))

	info.State, info.ExitReport = Completed, &ExitReport{
		Orphans: []child.Orphan{{ID: "db", PID: 12, Reason: "still alive after SIGKILL"}},
		State:   Completed, Phase: "completed", Reason: "the reconciler was told to end", Recoverable: true, CompletedAt: noon,
		Children: []ChildEnd{{ID: "payments/worker", Generation: 4, Attempt: 5, Status: "graceful", Phase: "graceful_drain"}},
	}
	r = newRuntime(info, &desired.Set{Complete: true}, nil, nil)
	r.Conditions = settleTimes(r.Conditions, nil, noon)
	r.ObservedAt, r.ValidUntil = noon, noon
	golden(t, "reconciler_ended.json", EncodeRuntime(&r))
}

func TestRuntimeIsNotReadyWhileTheShimIsAway(t *testing.T) {
	info := Info{State: Alive, LastReconcile: &Reconcile{}, Shim: Shim{PID: 78, Reason: "the shim (pid 78) does not answer"}}

	r := newRuntime(info, &desired.Set{Complete: true}, nil, nil)

	for _, want := range []child.ConditionState{
		{Type: child.ConditionReady, Status: isFalse, Reason: "ShimNotConnected", Message: info.Shim.Reason},
		{Type: ConditionShimConnected, Status: isFalse, Reason: "NotConnected", Message: info.Shim.Reason},
	} {
		if got, _ := r.Condition(want.Type); got != want {
			t.Errorf("%s = %+v, want %+v", want.Type, got, want)
		}
	}
}

func TestALostStateDirectoryIsACondition(t *testing.T) {
	info := Info{State: Alive, LastReconcile: &Reconcile{}, StateLost: "the state directory /s was deleted"}

	r := newRuntime(info, &desired.Set{Complete: true}, nil, nil)

	if c, _ := r.Condition(ConditionStateKept); c.Status != isFalse || c.Reason != "TakenAway" || c.Message != info.StateLost {
		t.Errorf("StateKept = %+v", c)
	}
}

func TestRuntimeConditionsSayWhatIsWrong(t *testing.T) {
	well := Info{State: Alive, LastReconcile: &Reconcile{}}
	complete := &desired.Set{Complete: true}
	loop := workerSnapshot() // CrashLooping is true
	loop.CannotRun = true
	optional := *loop
	optional.Spec = &child.Spec{}
	unstartable := &child.Snapshot{ID: "x", Spec: &child.Spec{Criticality: child.Critical}, Phase: child.BackingOff, CannotRun: true}
	restarting := &child.Snapshot{ID: "x", Spec: &child.Spec{Criticality: child.Critical}, Phase: child.BackingOff, LastExit: &child.Exit{Kind: child.FailedExit}}
	for name, tc := range map[string]struct {
		info      Info
		set       *desired.Set
		children  []*child.Snapshot
		unwritten error
		want      string
	}{
		"all is well":                              {info: well, set: complete, want: "Ready=True/CriticalChildrenRun"},
		"no look was taken":                        {info: well, set: nil, want: "Ready=False/Starting"},
		"no pass was made":                         {info: Info{State: Alive}, set: complete, want: "Ready=False/Starting"},
		"it shuts down":                            {info: Info{State: ShuttingDown}, set: complete, want: "Ready=False/ShuttingDown"},
		"it ended":                                 {info: Info{State: Failed}, set: complete, want: "Ready=False/Ended"},
		"a critical child crashes in a loop":       {info: well, set: complete, children: []*child.Snapshot{loop}, want: "Ready=False/Degraded Degraded=True/CriticalChildCannotRun"},
		"a critical child cannot be started":       {info: well, set: complete, children: []*child.Snapshot{unstartable}, want: "Ready=False/Degraded Degraded=True/CriticalChildCannotRun"},
		"a critical child rests before a restart":  {info: well, set: complete, children: []*child.Snapshot{restarting}, want: "Ready=True/CriticalChildrenRun"},
		"an optional child crashes in a loop":      {info: well, set: complete, children: []*child.Snapshot{&optional}, want: "Ready=True/CriticalChildrenRun"},
		"records cannot be written":                {info: Info{State: Alive, LastReconcile: &Reconcile{}, RecordsError: "no space"}, set: complete, want: "Ready=True/CriticalChildrenRun RecordsWritten=False/WriteFailed"},
		"status files cannot be written":           {info: well, set: complete, unwritten: os.ErrPermission, want: "Ready=True/CriticalChildrenRun StatusWritten=False/WriteFailed"},
		"the shim is of an older version":          {info: Info{State: Alive, LastReconcile: &Reconcile{}, Shim: Shim{Lacks: []string{"cannot fly"}}}, set: complete, want: "Ready=True/CriticalChildrenRun ShimCurrent=False/OlderVersion"},
		"a log holds a child up":                   {info: well, set: complete, children: []*child.Snapshot{{ID: "x", Spec: &child.Spec{}, Log: child.LogState{Blocked: "full"}}}, want: "Ready=True/CriticalChildrenRun LogsWritable=False/OutputBlocked"},
		"an action was refused":                    {info: Info{State: Alive, LastReconcile: &Reconcile{Errors: []ReconcileError{{}}}}, set: complete, want: "Ready=True/CriticalChildrenRun Reconciling=True/ActionsRefused"},
		"changes are seen late":                    {info: well, set: &desired.Set{Complete: true, Late: desired.Late{Reason: desired.LateNoWatch}}, want: "Ready=True/CriticalChildrenRun ManifestsWatched=False/NoInotifyWatch"},
		"a file is not read":                       {info: well, set: &desired.Set{Complete: true, Warnings: []desired.Problem{{File: "a.yam", Reason: "no"}, {}}}, want: "Ready=True/CriticalChildrenRun ManifestsRead=False/LooksLikeAManifest"},
		"the source is not followed to the letter": {info: well, set: &desired.Set{Complete: true, Stalls: []desired.Stall{{Reason: "TooManyRemovals"}}}, want: "Ready=True/CriticalChildrenRun Stalled=True/TooManyRemovals"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRuntime(tc.info, tc.set, tc.children, tc.unwritten)

			var got []string
			for _, c := range r.Conditions {
				got = append(got, string(c.Type)+"="+c.Status+"/"+c.Reason)
			}
			if strings.Join(got, " ") != tc.want {
				t.Errorf("conditions = %v, want %s", got, tc.want)
			}
		})
	}
}

func TestTenThousandProblemsAreCutWithAWord(t *testing.T) {
	got := problems(make([]desired.Problem, 10_000), make([]desired.Problem, 5))

	if len(got) != maxProblems+1 {
		t.Fatalf("problems = %d, want %d", len(got), maxProblems+1)
	}
	if last := got[maxProblems].Reason; last != "9005 more problems" {
		t.Errorf("last problem = %q", last)
	}
}
