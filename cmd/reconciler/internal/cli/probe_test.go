package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/status"
)

func TestDescribeSaysWhatProbesFound(t *testing.T) {
	w := three(t)
	w.child("web", func(c *status.Child) {
		c.Health.Liveness = status.Probe{
			Status: status.Passing, CheckedAt: ptr(today.Add(-time.Second)), ConsecutiveFailures: 2, Message: "status 503, want 200-399",
			Latency: child.Seconds(1234567),
		}
	})

	got := inUTC(w.run("describe", "web").Out)

	if want := "(1s ago) in 1.23ms, 2 failures in a row: status 503, want 200-399"; !strings.Contains(got, "Liveness:") || !strings.Contains(got, want) {
		t.Errorf("describe web does not contain %q:\n%s", want, got)
	}
	if strings.Contains(got, "Readiness:") {
		t.Errorf("describe shows a probe that the child does not have:\n%s", got)
	}
}
