package cli

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reconciler-dev/reconciler/pkg/desired"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/status"
)

// shop is a tree in which web waits for a worker that crashes, and for a child
// whose manifest was never valid.
func shop(t *testing.T) *world {
	w := three(t)
	w.runtime(func(r *status.Runtime) {
		r.Problems = []desired.Problem{{File: "mailer.yaml", Line: 2, Column: 1, Field: "comand", Reason: "there is no such field", Hint: "did you mean command?"}}
	})
	supervisor := func(s child.Strategy) func(*status.Child) {
		return func(c *status.Child) {
			c.Kind, c.PID, c.StartedAt, c.Strategy = child.Supervisor, nil, nil, s
		}
	}
	w.child("root", supervisor(child.OneForOne))
	w.child("payments", func(c *status.Child) {
		supervisor(child.RestForOne)(c)
		c.RestartLimit = &child.RestartLimitUse{Window: child.Seconds(time.Minute), Limit: 30, Used: 12}
		c.Conditions[0].Status = "False"
	})
	w.child("web", func(c *status.Child) {
		c.Phase, c.PID, c.StartedAt = child.Pending, nil, nil
		c.WaitsFor = []string{"payments/worker (ready)", "mailer (started), which is declared nowhere", "a free start slot"}
		c.Conditions = []child.ConditionState{
			{Type: child.ConditionReady, Status: "False", Reason: "Pending"},
			{Type: child.ConditionReconciling, Status: "True", Reason: "Pending", Message: "waits"},
		}
	})
	return w
}

func TestTreeShowsSupervisorsWithTheirRulesAndChildrenWithTheirReason(t *testing.T) {
	w := shop(t)

	whole, folder := w.run("tree"), w.run("tree", "payments", "--no-headers")

	golden(t, "tree", inUTC(whole.Out))
	if whole.Code != 0 || !strings.HasPrefix(folder.Out, "payments") || strings.Contains(folder.Out, "web") || strings.Contains(folder.Out, "NAME") {
		t.Errorf("tree payments = %+v; want that folder alone", folder)
	}
}

func TestAHeldRemovalIsTheFirstThingThatIsSaid(t *testing.T) {
	w := shop(t)
	w.runtime(func(r *status.Runtime) {
		r.Problems = make([]desired.Problem, 2)
		r.Conditions = []child.ConditionState{{Type: child.ConditionStalled, Status: "True", Reason: "TooManyRemovals", Message: "web vanished"}}
	})
	w.child("web", func(c *status.Child) {
		c.Conditions = append(c.Conditions, child.ConditionState{Type: child.ConditionManifestValid, Status: "Unknown", Reason: status.ReasonRemovalHeld, Message: "its removal is held"})
		c.Phase, c.PID, c.WaitsFor = child.Pending, nil, []string{"payments/worker (ready)"}
	})

	get, why, tree := w.run("get"), w.run("why", "web"), w.run("tree")

	first := "The manifests are not followed to the letter (TooManyRemovals): web vanished\nThe manifests have 2 problems"
	for _, got := range []result{get, why, tree} {
		if !strings.HasPrefix(got.Err, first) {
			t.Errorf("messages = %q; want them to begin with %q", got.Err, first)
		}
	}
	if !strings.Contains(why.Out, "\n  - its removal is held\n  - it waits for") {
		t.Errorf("why says %q; want the held removal first", why.Out)
	}
	if !strings.Contains(tree.Out, "its removal is held") {
		t.Errorf("tree says %q; want the held removal beside web", tree.Out)
	}
}

func TestTreeIsNestedInJSON(t *testing.T) {
	w := shop(t)

	got := w.run("tree", "-o", "json")

	var root node
	if err := json.Unmarshal([]byte(got.Out), &root); err != nil {
		t.Fatalf("%v in %s", err, got.Out)
	}
	payments := root.Children[0]
	if root.ID != "root" || payments.Strategy != child.RestForOne || payments.Children[0].ID != "payments/worker" || payments.Children[0].Ready {
		t.Errorf("tree -o json = %s", got.Out)
	}
}

func TestWhyFollowsTheChainDownToTheFirstCause(t *testing.T) {
	w := shop(t)

	got := w.run("why", "web")

	golden(t, "why", inUTC(got.Out))
	if got.Code != 0 || strings.Contains(got.Out, "\x1b") {
		t.Errorf("why web: %+v", got)
	}
}

func TestWhyOfAFolderNamesTheChildrenThatAreNotReady(t *testing.T) {
	w := shop(t)

	got := w.run("why", "payments")

	if !strings.Contains(got.Out, "  payments/worker is Backoff\n") || got.Code != 0 {
		t.Errorf("why payments = %+v; want the reason of its worker", got)
	}
}

func TestWhyOfAChildThatIsWellSaysSo(t *testing.T) {
	w := three(t)

	if diff := cmp.Diff(result{Out: "web is Running and ready: nothing is wrong\n"}, w.run("why", "web")); diff != "" {
		t.Errorf("why web (-want +got):\n%s", diff)
	}
}

func TestWhyOfAManifestThatWasNeverValidShowsItsProblem(t *testing.T) {
	w := shop(t)

	broken, stranger := w.run("why", "mailer"), w.run("why", "payments/wrker")

	if !strings.Contains(broken.Out, "mailer.yaml:2:1: comand: there is no such field (did you mean command?)") || broken.Code != 0 {
		t.Errorf("why mailer = %+v; want the problem of its manifest", broken)
	}
	if stranger.Code != NoSuchChild || !strings.Contains(stranger.Err, "did you mean payments/worker?") {
		t.Errorf("why of a stranger = %+v; want code 4 and a suggestion", stranger)
	}
}

func TestWhyEndsWhereChildrenWaitForEachOther(t *testing.T) {
	w := newWorld(t)
	w.runtime(nil)
	for id, other := range map[child.ID]string{"a": "b", "b": "a"} {
		w.child(id, func(c *status.Child) {
			c.Phase, c.Conditions, c.WaitsFor = child.Pending, nil, []string{other + " (ready)"}
		})
	}

	got := w.run("why", "a")

	want := "a is Pending: it waits for b (ready)\n  b is Pending: it waits for a (ready)\n    a is Pending: see above\n"
	if got.Out != want {
		t.Errorf("why a = %q, want %q", got.Out, want)
	}
}

func TestWhyInJSONIsTheSameChain(t *testing.T) {
	w := shop(t)

	got := w.run("why", "web", "-o", "json")

	var r reason
	if err := json.Unmarshal([]byte(got.Out), &r); err != nil {
		t.Fatalf("%v in %s", err, got.Out)
	}
	if len(r.Because) != 2 || r.Because[0].ID != "payments/worker" || len(r.Because[0].LogTail) != 1 || r.Because[1].Phase != "" {
		t.Errorf("why web -o json = %s", got.Out)
	}
}
