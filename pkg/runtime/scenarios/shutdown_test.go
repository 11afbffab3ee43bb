//go:build linux

package scenarios

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/reconciler-dev/reconciler/pkg/runtime"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

func TestAShutdownReportsHowEachChildWentDown(t *testing.T) {
	r := newRig(t)
	job := script("exit 0")
	job.RestartPolicy = child.Temporary
	_, err := r.Add(t.Context(), "job", job, child.Origin{}, alice)
	r.must(err)
	r.awaitPhase("job", child.Completed)
	polite, deaf := r.add("polite", polite()), r.add("deaf", deaf())
	r.awaitLines("ready", 2)

	report, err := r.ShutdownTree(t.Context(), alice)
	r.must(err)

	got := map[child.ID]machine.OutcomeStatus{}
	for _, o := range report.Outcomes {
		got[o.ChildID] = o.Status
	}
	want := map[child.ID]machine.OutcomeStatus{"job": machine.AlreadyExited, "polite": machine.Graceful, "deaf": machine.Aborted}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	if lives(polite.PID) || lives(deaf.PID) {
		t.Error("somebody lives on")
	}
	again, err := r.ShutdownTree(t.Context(), child.Cause{RequestedBy: "bob", Reason: "me too"})
	r.must(err)
	if diff := cmp.Diff(report, again, cmpopts.EquateEmpty()); diff != "" || again.Cause.RequestedBy != "alice" {
		t.Errorf("the second report differs (-first +second):\n%s", diff)
	}
	for i := range 10 {
		exit, err := r.Join(t.Context())
		r.must(err)
		if exit.State != runtime.StateCompleted || exit.Phase != "shutdown" || exit.Recoverable || len(exit.Children) != 3 {
			t.Errorf("join %d: %+v", i, exit)
		}
	}
}

func TestEachChildHasItsOwnGraceInAShutdown(t *testing.T) {
	r := newRig(t)
	slow := r.add("slow", script("trap 'until [ -e go ]; do sleep 0.01; done; exit 0' TERM", "echo $$ >> ready", forever))
	short := r.add("short", deaf())
	r.awaitLines("ready", 2)
	done := make(chan *machine.ShutdownReport, 1)
	go func() {
		report, _ := r.ShutdownTree(t.Context(), alice)
		done <- report
	}()

	r.until("the short grace is over", func() bool { return !lives(short.PID) })
	if !lives(slow.PID) {
		t.Error("the child with the long grace was not waited for")
	}
	note(r.dir, "go")

	report := <-done
	for _, o := range report.Outcomes {
		if want := map[child.ID]machine.OutcomeStatus{"slow": machine.Graceful, "short": machine.Aborted}[o.ChildID]; o.Status != want {
			t.Errorf("%s went down %s, want %s", o.ChildID, o.Status, want)
		}
	}
}

func TestDependenciesStartFirstAndStopLast(t *testing.T) {
	r := newRig(t)
	after := func(ids ...child.ID) *child.Spec {
		s := script("trap 'echo $RECONCILER_CHILD_ID >> stopped; exit 0' TERM", "echo $$ >> ready", forever)
		for _, id := range ids {
			s.Dependencies = append(s.Dependencies, child.Dependency{ID: id, Condition: child.WhenReady})
		}
		return s
	}
	for _, c := range []struct {
		id child.ID
		on []child.ID
	}{{"web", []child.ID{"app"}}, {"app", []child.ID{"db"}}} {
		_, err := r.Add(t.Context(), c.id, after(c.on...), child.Origin{}, alice)
		r.must(err)
		if s, _ := r.Child(c.id); s.Phase != child.Pending || len(s.WaitsFor) == 0 {
			t.Errorf("%s is %s, waiting for %v", c.id, s.Phase, s.WaitsFor)
		}
	}

	r.add("db", after())

	db, app, web := r.awaitPhase("db", child.Running), r.awaitPhase("app", child.Running), r.awaitPhase("web", child.Running)
	if app.StartedAt.Before(db.ReadyAt) || web.StartedAt.Before(app.ReadyAt) {
		t.Errorf("ready: db %s, app %s; started: app %s, web %s", db.ReadyAt, app.ReadyAt, app.StartedAt, web.StartedAt)
	}
	r.awaitLines("ready", 3)
	report, err := r.ShutdownTree(t.Context(), alice)
	r.must(err)
	var order []child.ID
	for _, o := range report.Outcomes {
		order = append(order, o.ChildID)
	}
	if diff := cmp.Diff([]child.ID{"web", "app", "db"}, order); diff != "" {
		t.Errorf("order of the shutdown (-want +got):\n%s", diff)
	}
}
