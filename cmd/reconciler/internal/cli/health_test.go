package cli

import (
	"io"
	"strings"
	"testing"

	"github.com/reconciler-dev/reconciler/pkg/control"
	"github.com/reconciler-dev/reconciler/pkg/desired"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/status"
)

func TestHealthSaysHowItIsWithTheShim(t *testing.T) {
	for _, c := range []struct {
		name string
		h    control.Health
		want string
	}{
		{"of this version", control.Health{Healthy: true, State: "alive", Shim: true}, "well\n"},
		{"of an older one", control.Health{Healthy: true, State: "alive", Shim: true, ShimLacks: []string{"cannot fly"}},
			"well; the running shim is of an older version: it cannot fly\n"},
		{"of one that fits no more", control.Health{Healthy: true, State: "alive", ShimReason: "it speaks protocol 9"},
			"well; the shim cannot be reached: it speaks protocol 9; children run on\n"},
		{"with removals that are held", control.Health{Healthy: true, State: "alive", Shim: true, Stalls: []desired.Stall{{Reason: "EmptySource", Message: "all are gone"}}},
			"well; the manifests are not followed to the letter (EmptySource): all are gone\n"},
		{"killed just now", control.Health{Healthy: true, State: "alive"}, "well; the shim cannot be reached; children run on\n"},
	} {
		var out strings.Builder

		if err := printHealth(c.h, "text", false, &out); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}

		if out.String() != c.want {
			t.Errorf("%s: %q, want %q", c.name, out.String(), c.want)
		}
	}
}

func TestHealthNamesWhomALogHoldsUp(t *testing.T) {
	h := control.Health{State: "alive", Shim: true, OutputBlocked: []child.ID{"web", "eu/job"}}

	err := printHealth(h, "text", true, io.Discard)

	if Code(err) != Failed || !strings.Contains(err.Error(), "a log holds up which cannot be written: web, eu/job") {
		t.Errorf("health says %v, exit code %d; want both names and %d", err, Code(err), Failed)
	}
}

func TestShutdownByAReconcilerThatListsNoOrphansIsJudgedByItsOutcomes(t *testing.T) {
	old := control.ShutdownReport{Children: []status.ChildEnd{{ID: "web", Attempt: 2, Status: "graceful"}}}

	clean := printShutdown(&old, "text", io.Discard)
	old.Children = append(old.Children, status.ChildEnd{ID: "stuck", Attempt: 1, Status: "abort_failed", Reason: "survived SIGKILL"})
	left := printShutdown(&old, "text", io.Discard)

	if Code(clean) != 0 || Code(left) != LeftAlive || !strings.Contains(left.Error(), "stuck: survived SIGKILL") {
		t.Errorf("all ended: %v; one did not: %v (exit code %d, want %d)", clean, left, Code(left), LeftAlive)
	}
}

func TestWhyAndGetSayThatTheShimDoesNotAnswer(t *testing.T) {
	w := newWorld(t)
	w.child("web", func(c *status.Child) {})
	w.runtime(func(r *status.Runtime) {
		r.State, r.Shim = status.Alive, status.Shim{PID: 78, Reason: "the shim (pid 78) does not answer"}
	})

	why, get := w.run("why", "web"), w.run("get")

	if !strings.Contains(why.Out, "this may be old: the shim (pid 78) does not answer") {
		t.Errorf("why:\n%s", why.Out)
	}
	if !strings.Contains(get.Err, "What stands here may be old: the shim (pid 78) does not answer") {
		t.Errorf("get: %s", get.Err)
	}
}
