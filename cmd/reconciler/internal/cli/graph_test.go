package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/status"
)

// stack is a database that took two seconds, a cache that took none, a server that
// waited for both and a job that waits for what is not there.
func stack(t *testing.T) *world {
	w := newWorld(t)
	w.runtime(nil)
	w.child("root", func(c *status.Child) { c.Kind = child.Supervisor })
	w.child("data", func(c *status.Child) { c.Kind = child.Supervisor })
	began := today.Add(-time.Minute)
	up := func(after, took time.Duration, deps ...status.Dependency) func(*status.Child) {
		return func(c *status.Child) {
			c.Waited, c.Dependencies = child.Seconds(after), deps
			c.StartedAt, c.ReadyAt = ptr(began.Add(after)), ptr(began.Add(after+took))
		}
	}
	on := func(id child.ID) status.Dependency { return status.Dependency{ID: id, Condition: child.WhenReady} }
	w.child("cache", up(0, 10*time.Millisecond))
	w.child("data/db", up(0, 2*time.Second))
	w.child("web", up(2*time.Second, time.Second, on("cache"), status.Dependency{ID: "data/db", Condition: child.WhenReady, Restart: true}))
	return w
}

func TestTheGraphShowsWaitsAndTheCriticalPath(t *testing.T) {
	w := stack(t)

	whole, folder := w.run("tree", "--graph"), w.run("tree", "--graph", "data")

	golden(t, "graph", whole.Out)
	if whole.Code != 0 || strings.Contains(folder.Out, "web") || !strings.Contains(folder.Out, "data/db") {
		t.Errorf("the graph of a folder: %+v", folder)
	}
}

func TestWhoStillWaitsIsTheEndOfTheCriticalPath(t *testing.T) {
	w := stack(t)
	w.child("job", func(c *status.Child) {
		c.Phase, c.Attempt, c.PID, c.StartedAt, c.ReadyAt = child.Pending, 0, nil, nil, nil
		c.PendingSince = ptr(today.Add(-10 * time.Second))
		c.Dependencies = []status.Dependency{{ID: "web", Condition: child.WhenReady}, {ID: "mailer", Condition: child.WhenStarted}}
	})

	got := w.run("tree", "--graph").Out

	for _, want := range []string{`label="critical path: data/db, web, job"`, `waits for 10s`, `mailer\nnot there`} {
		if !strings.Contains(got, want) {
			t.Errorf("the graph does not contain %s:\n%s", want, got)
		}
	}
}
