package cli

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reconciler-dev/reconciler/pkg/control"
	"github.com/reconciler-dev/reconciler/pkg/desired"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/status"
)

// three is a world with a child that runs, one that crashes and a folder.
func three(t *testing.T) *world {
	w := newWorld(t)
	w.runtime(nil)
	w.child("web", func(c *status.Child) { c.Tags = []string{"front", "mail"} })
	w.child("payments", func(c *status.Child) { c.Kind, c.PID, c.StartedAt = child.Supervisor, nil, nil })
	w.child("payments/worker", func(c *status.Child) {
		c.Phase, c.PID, c.StartedAt, c.ReadyAt = child.BackingOff, nil, nil, nil
		c.RestartCount, c.Attempt, c.Tags = 12, 13, []string{"mail"}
		c.NextRestartAt = ptr(today.Add(4 * time.Second))
		c.Conditions = []child.ConditionState{
			{Type: child.ConditionReady, Status: "False", Reason: "Backoff", LastTransitionTime: today.Add(-2 * time.Second)},
			{Type: child.ConditionCrashLooping, Status: "True", Reason: "CrashLooping", Message: "12 restarts in 60s", LastTransitionTime: today.Add(-time.Minute)},
		}
		exit := status.Exit{Generation: 12, Attempt: 13, PID: ptr(1200), Kind: child.FailedExit, Code: ptr(3), Reason: "exit code 3",
			FinishedAt: ptr(today.Add(-2 * time.Second)), Duration: child.Seconds(1500 * time.Millisecond), LogTail: []string{"no \x1b[31mdatabase\x1b[0m"}}
		c.LastExit, c.Exits = &exit, []status.Exit{exit}
	})
	return w
}

func TestGetPrintsTables(t *testing.T) {
	w := three(t)
	for name, row := range map[string]struct {
		args []string
		want []string
	}{
		"children, without folders": {nil, []string{
			"NAME              READY   PHASE     RESTARTS   AGE",
			"payments/worker   False   Backoff   12         -",
			"web               True    Running   0          3m"}},
		"wide": {[]string{"-o", "wide"}, []string{
			"NAME              READY   PHASE     RESTARTS   AGE   PID       CPU   MEM   LAST EXIT",
			"payments/worker   False   Backoff   12         -     -         -     -     exit code 3, 2s ago",
			"web               True    Running   0          3m    4194999   -     -     -"}},
		"folders too": {[]string{"--all", "--no-headers"}, []string{
			"payments          True    Running   0    -",
			"payments/worker   False   Backoff   12   -",
			"web               True    Running   0    3m"}},
		"those that are named": {[]string{"web", "payments", "-o", "name"}, []string{"payments", "web"}},
		"by a tag":             {[]string{"-l", "mail", "-o", "name"}, []string{"payments/worker", "web"}},
		"by two tags":          {[]string{"-l", "mail", "-l", "front", "-o", "name"}, []string{"web"}},
		"by two with a comma":  {[]string{"-l", "mail,front", "-o", "name"}, []string{"web"}},
		"without a tag":        {[]string{"-l", "mail,!front", "-o", "name"}, []string{"payments/worker"}},
		"picked from a list":   {[]string{"-o", `jsonpath={range [*]}{.child_id} {.pid} {.restart_count}{"\n"}{end}`}, []string{"payments/worker  12", "web 4194999 0"}},
		"picked from one":      {[]string{"web", "-o", `jsonpath={.phase}{"\n"}`}, []string{"Running"}},
		"picked by a filter":   {[]string{"-o", `jsonpath={[?(@.restart_count>3)].child_id}{"\n"}`}, []string{"payments/worker"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := w.run(append([]string{"get"}, row.args...)...)

			want := result{Out: strings.Join(row.want, "\n") + "\n"}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("get %v (-want +got):\n%s", row.args, diff)
			}
		})
	}
}

func TestATemplateMayLeaveItsBracesOutAndMissWhatIsNotThere(t *testing.T) {
	w := three(t)
	for template, want := range map[string]string{
		"[*].name":                  "worker web",
		".phase":                    "",
		"{[0].last_exit.exit_code}": "3",
		"{[*].nothing}":             "",
	} {
		got := w.run("get", "-o", "jsonpath="+template)

		if got.Out != want || got.Code == Usage {
			t.Errorf("get -o jsonpath=%s = %+v; want %q", template, got, want)
		}
	}
}

func TestGetPrintsAnObjectForOneNameAndAListOtherwise(t *testing.T) {
	w := three(t)

	one, list, none := w.run("get", "web", "-o", "json"), w.run("get", "-o", "json"), w.run("get", "-l", "nobody", "-o", "json")
	inYAML := w.run("get", "web", "-o", "yaml")

	var c status.Child
	if err := json.Unmarshal([]byte(one.Out), &c); err != nil || c.ID != "web" || *c.PID != noPID {
		t.Errorf("get web -o json = %s, %v; want the object of web", one.Out, err)
	}
	var cs []status.Child
	if err := json.Unmarshal([]byte(list.Out), &cs); err != nil || len(cs) != 2 {
		t.Errorf("get -o json: %d children, %v; want a list of 2", len(cs), err)
	}
	if none.Out != "[]\n" {
		t.Errorf("get of nobody -o json = %q, want an empty list", none.Out)
	}
	if !strings.Contains(inYAML.Out, "child_id: web\n") || !strings.Contains(inYAML.Out, "pid: 4194999\n") {
		t.Errorf("get web -o yaml = %s", inYAML.Out)
	}
}

func TestGetOfAStrangerExitsWithFourAndASuggestion(t *testing.T) {
	w := three(t)
	for name, want := range map[string]string{
		"wbe":            "did you mean web?",
		"worker":         "did you mean payments/worker?",
		"payments/wrker": "did you mean payments/worker?",
		"../etc/passwd":  "child not found",
		"entirely-other": "child not found: \"entirely-other\"\n",
	} {
		for _, verb := range []string{"get", "describe", "logs"} {
			got := w.run(verb, name)

			if got.Code != NoSuchChild || !strings.Contains(got.Err, want) {
				t.Errorf("%s %s: got %+v; want code 4 and a message with %q", verb, name, got, want)
			}
		}
	}
}

func TestGetShowsTheOthersBesideAStranger(t *testing.T) {
	w := three(t)

	got := w.run("get", "web", "stranger", "-o", "name")

	if got.Out != "web\n" || got.Code != NoSuchChild {
		t.Errorf("got %+v; want web and code 4", got)
	}
}

func TestGetWithoutAnyReconcilerSaysHowToStartOne(t *testing.T) {
	w := newWorld(t)

	got := w.run("get")

	if got.Code != NoDaemon || !strings.Contains(got.Err, "reconciler run --manifests "+w.dirs.Manifests) || got.Out != "" {
		t.Errorf("got %+v; want code 3 and the command that starts one", got)
	}
}

func TestGetKnowsAtOnceThatTheReconcilerWasKilled(t *testing.T) {
	w := three(t)
	if err := os.MkdirAll(w.dirs.State, 0o700); err != nil {
		t.Fatal(err)
	}
	err := control.WithAddress(filepath.Join(w.dirs.State, control.SocketName), func(address string) error {
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: address, Net: "unix"})
		if err != nil {
			return err
		}
		l.SetUnlinkOnClose(false) // what kill -9 leaves
		return l.Close()
	})
	if err != nil {
		t.Fatal(err)
	}

	got := w.run("get")

	if !strings.Contains(got.Err, "is taken for dead") || !strings.Contains(got.Out, "web") || got.Code != 0 {
		t.Errorf("got %+v; want the child, and a word that nobody keeps it up to date", got)
	}
}

func TestGetSaysWhenTheReconcilerIsNotAlive(t *testing.T) {
	for name, row := range map[string]struct {
		change func(*status.Runtime)
		want   string
	}{
		"it was killed": {func(r *status.Runtime) {
			r.ObservedAt, r.ValidUntil = today.Add(-time.Minute), today.Add(-30*time.Second)
		}, "(pid 4242) was last seen 60s ago and is taken for dead"},
		"it ended": {func(r *status.Runtime) {
			r.State, r.ExitReport = status.Completed, &status.ExitReport{Reason: "SIGTERM", CompletedAt: today.Add(-time.Hour)}
		}, "ended 60m ago (completed: SIGTERM)"},
		"its manifests have problems": {func(r *status.Runtime) { r.Problems = make([]desired.Problem, 2) }, "The manifests have 2 problems"},
	} {
		t.Run(name, func(t *testing.T) {
			w := three(t)
			w.runtime(row.change)

			got := w.run("get", "-o", "name")

			if got.Code != 0 || !strings.Contains(got.Err, row.want) {
				t.Errorf("got %+v; want code 0 and a message with %q", got, row.want)
			}
			if got.Out != "payments/worker\nweb\n" {
				t.Errorf("data = %q; want the children all the same", got.Out)
			}
		})
	}
}

func TestGetOfAnEmptyRuntimeSaysSoBesideTheData(t *testing.T) {
	w := newWorld(t)
	w.runtime(nil)

	if diff := cmp.Diff(result{Err: "There are no children.\n"}, w.run("get")); diff != "" {
		t.Errorf("get (-want +got):\n%s", diff)
	}
}

func TestWatchPrintsWhatChangesUntilItIsInterrupted(t *testing.T) {
	w := three(t)
	synctest.Test(t, func(t *testing.T) {
		ctx, interrupt := context.WithCancel(t.Context())
		done := make(chan result)
		go func() { done <- w.runContext(ctx, "get", "-w") }()
		synctest.Wait()

		w.child("web", func(c *status.Child) { c.RestartCount = 1 })
		time.Sleep(2 * watchEvery)
		if err := os.Remove(filepath.Join(w.dirs.Status, "payments", "worker.json")); err != nil {
			t.Error(err)
		}
		time.Sleep(2 * watchEvery)
		interrupt()

		want := result{Out: strings.Join([]string{
			"NAME              READY   PHASE     RESTARTS   AGE",
			"payments/worker   False   Backoff   12         -",
			"web               True    Running   0          3m",
			"web               True    Running   1          3m",
			"payments/worker   -       Removed   12         -", ""}, "\n")}
		if diff := cmp.Diff(want, <-done); diff != "" {
			t.Errorf("get -w (-want +got):\n%s", diff)
		}
	})
}

func TestDescribeTellsTheWholeStory(t *testing.T) {
	w := three(t)
	w.write(w.dirs.State, "logs/payments/worker/current", "connecting\nno \x1b[31mdatabase\x1b[0m\n")

	got := w.run("describe", "payments/worker")

	if got.Code != 0 || got.Err != "" {
		t.Errorf("describe: %+v", got)
	}
	golden(t, "describe", inUTC(got.Out))
	if strings.Contains(got.Out, "\x1b") {
		t.Error("describe passes a terminal's control characters on")
	}
}

// inUTC makes the local times of a description those of the golden file.
func inUTC(text string) string {
	for _, at := range []time.Duration{4 * time.Second, -3 * time.Minute} {
		text = strings.ReplaceAll(text, today.Add(at).Local().Format(time.DateTime), today.Add(at).Format(time.DateTime))
	}
	return text
}

func TestWhyGivesTheReasonOfEachPhase(t *testing.T) {
	ended := &status.Exit{Attempt: 2, Duration: child.Seconds(5 * time.Second), Reason: "exit code 1"}
	hold := &child.Hold{Cause: child.Cause{RequestedBy: "ann", Reason: "disk swap"}, At: today}
	for name, row := range map[string]struct {
		c    status.Child
		want string
	}{
		"running and well":       {status.Child{Phase: child.Running}, ""},
		"pending":                {status.Child{Phase: child.Pending, WaitsFor: []string{"db (ready)", "cache (started)"}}, "it waits for db (ready), cache (started)"},
		"pending for its group":  {status.Child{Phase: child.Pending, WaitsFor: []string{"the group restart of pay (pay/db ended: exit code 1)"}, NextRestartAt: ptr(today)}, "it waits for the group restart of pay (pay/db ended: exit code 1); it starts at"},
		"pending in the queue":   {status.Child{Phase: child.Pending, WaitsFor: []string{"a free start slot"}, QueuePlace: 3}, "it waits for a free start slot (it came to the queue at place 3)"},
		"a folder that failed":   {status.Child{Phase: child.BackingOff, Failure: &child.Failure{Phase: "restart_limit", Reason: "3rd restart within 60 s"}, NextRestartAt: ptr(today)}, "it failed: 3rd restart within 60 s; it starts again, with all that is in it, at"},
		"backoff":                {status.Child{Phase: child.BackingOff, LastExit: ended, NextRestartAt: ptr(today.Add(time.Second))}, "attempt 2 ended after 5s: exit code 1; it starts again at"},
		"suspended":              {status.Child{Phase: child.Stopped}, "its manifest says suspend: true"},
		"paused":                 {status.Child{Phase: child.Stopped, Hold: hold}, "it was paused by ann at"},
		"quarantined by limit":   {status.Child{Phase: child.Quarantined, LastExit: ended, RestartLimit: &child.RestartLimitUse{Limit: 3, Window: child.Seconds(time.Minute)}}, "until its manifest changes (restart limit: 3 in 60s)"},
		"quarantined for an end": {status.Child{Phase: child.Quarantined, Hold: hold, LastExit: &status.Exit{Attempt: 2, Kind: child.FailedExit, Reason: "exit code 1"}}, "disk swap; attempt 2 ended after 0ms: exit code 1"},
		"quarantined by command": {status.Child{Phase: child.Quarantined, Hold: hold}, "disk swap"},
		"completed":              {status.Child{Phase: child.Completed, LastExit: ended}, "its restart policy does not start it again"},
		"failed":                 {status.Child{Phase: child.FailedPhase}, "it ended; its restart policy does not start it again"},
		"between two runs":       {status.Child{Phase: child.Completed, LastExit: ended, NextRunAt: ptr(today)}, "attempt 2 ended after 5s: exit code 1; its next run is at"},
		"starting, with a hook":  {status.Child{Phase: child.Starting, WaitsFor: []string{"pre_start hook 1 of 2"}}, "it waits for pre_start hook 1 of 2"},
		"stopping, with a hook":  {status.Child{Phase: child.Stopping, WaitsFor: []string{"pre_stop hook 1 of 1"}, StopDeadline: ptr(today)}, "it is to stop, and waits for pre_stop hook 1 of 1, until"},
		"stopping":               {status.Child{Phase: child.Stopping, StopDeadline: ptr(today)}, "the next step is due at"},
		"a failure":              {status.Child{Phase: child.Stopping, Failure: &child.Failure{Phase: "wait_completion", Reason: "pid 7 is still there"}}, "wait completion went wrong: pid 7 is still there"},
		"a pending restart":      {status.Child{Phase: child.Stopping, PendingRestart: &child.PendingRestart{OldAttempt: 4, Cause: hold.Cause}}, "a restart waits for attempt 4 to end (disk swap, asked for by ann)"},
		"a broken manifest": {status.Child{Phase: child.Running, Conditions: []child.ConditionState{
			{Type: child.ConditionManifestValid, Status: "False", Reason: "Broken", Message: "web.yaml:3:1: no"}}}, "ManifestValid is False (Broken): web.yaml:3:1: no"},
		"not ready while it runs": {status.Child{Phase: child.Running, Conditions: []child.ConditionState{
			{Type: child.ConditionReady, Status: "False", Reason: "ProbeFailed"}}}, "Ready is False: ProbeFailed"},
	} {
		t.Run(name, func(t *testing.T) {
			got := strings.Join(why(&row.c, status.Alive, today), "\n")

			if !strings.Contains(got, row.want) || row.want == "" && got != "" {
				t.Errorf("why = %q; want it to contain %q", got, row.want)
			}
		})
	}
}

func TestWhyDoesNotBlameTheManifestForAShutdown(t *testing.T) {
	got := why(&status.Child{Phase: child.Stopped}, status.Completed, today)

	if diff := cmp.Diff([]string{"the reconciler was shut down"}, got); diff != "" {
		t.Errorf("why (-want +got):\n%s", diff)
	}
}
