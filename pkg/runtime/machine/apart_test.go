package machine

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

func TestARecordOfAnEarlierVersionKeepsTheWordsOfOthersOutOfOurs(t *testing.T) {
	const canary = "hush-4f81c0"
	code, by := 1, child.Cause{RequestedBy: runtimeItself, Reason: "11th restart within 60 s; a/b: exit code 1: " + canary}
	old := Record{
		ID: "web", Spec: &child.Spec{}, Phase: child.BackingOff, Operation: child.Active, Attempt: 5,
		Exits: []*child.Exit{
			{Kind: child.FailedExit, Code: &code, Reason: `exit code 1; it said: status "` + canary + `"`},
			{Kind: child.TimedOut, Signal: "SIGTERM", Reason: "liveness failed once: exit code 1: " + canary},
			{Kind: child.Cancelled, Signal: "SIGTERM", Reason: "stopped: group restart of web: x ended: " + canary},
			{Kind: child.LostExit, Reason: `ended while nobody could see; it said: status "` + canary + `"`},
			{Kind: child.StartFailure, Reason: "start /srv/web: no such file"},
			{Kind: child.FailedExit, Code: &code, Reason: "exit code 1"},
		},
		Readiness: &child.ProbeState{Status: child.ProbeFailing, Message: "exit code 1: " + canary},
		Liveness:  &child.ProbeState{Status: child.ProbePassing},
		Failure:   &child.Failure{Phase: "restart_limit", Reason: by.Reason},
		Hold:      &child.Hold{Cause: by}, PendingRestart: &child.PendingRestart{Cause: by},
		Stopping: &StopRecord{Unwell: "liveness failed once: " + canary, Cause: by},
		Group:    &GroupRecord{Of: "root", Reason: "a/b ended: liveness failed once: " + canary},
	}
	before, err := json.Marshal(old)
	if err != nil {
		t.Fatal(err)
	}

	got := apart(old)

	for _, e := range got.Exits {
		e.Words, e.LogTail = "", nil
	}
	got.Readiness.Words, got.Stopping.UnwellWords = "", ""
	text, err := json.Marshal(got)
	if err != nil || strings.Contains(string(text), canary) {
		t.Errorf("words of others stand in our sentences: %s, %v", text, err)
	}
	for i, want := range []string{"exit code 1", "a probe or a deadline ended it", "stopped", "ended while nobody could see", "start /srv/web: no such file", "exit code 1"} {
		if got.Exits[i].Reason != want {
			t.Errorf("exit %d has the reason %q, want %q", i, got.Exits[i].Reason, want)
		}
	}
	if got.Failure.Reason != "11th restart within 60 s" || got.Group.Reason != "a/b ended" {
		t.Errorf("failure %q, group %q", got.Failure.Reason, got.Group.Reason)
	}
	if after, err := json.Marshal(old); err != nil || string(after) != string(before) {
		t.Errorf("the record itself was changed to %s, %v", after, err)
	}
}

func TestARecordOfThisVersionIsTakenAsItIs(t *testing.T) {
	code := 1
	r := Record{Apart: true, ID: "web", Spec: &child.Spec{}, Exits: []*child.Exit{{Kind: child.FailedExit, Code: &code, Reason: "exit code 1; 2s after a reload", Words: "no database"}}}

	tree := Restore(Config{}, 0, time.Unix(0, 0), []Record{r})

	s, _ := tree.Snapshot("web")
	if s == nil || s.LastExit.Reason != "exit code 1; 2s after a reload" || s.LastExit.Words != "no database" || !tree.record(tree.children["web"]).Apart {
		t.Errorf("restored as %+v", s)
	}
}
