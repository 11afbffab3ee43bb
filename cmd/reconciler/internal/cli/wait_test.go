package cli

import (
	"strings"
	"testing"

	"github.com/reconciler-dev/reconciler/pkg/control"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/status"
)

func TestWaitEndsWhenEveryChildHasComeSoFar(t *testing.T) {
	notFound := control.ErrorBody{Error: control.Error{Code: control.CodeChildNotFound, Message: "child not found: web", Hint: "did you mean web2?"}}
	stuck := childIn("web", child.Quarantined, "False")
	stuck.LastExit = &status.Exit{Attempt: 3, Reason: "exit code 1"}
	for name, row := range map[string]struct {
		goal    string
		answers []any
		timeout string
		code    int
		err     string
	}{
		"ready at once":          {"ready", []any{childIn("web", child.Running, "True")}, "30s", 0, ""},
		"ready after a while":    {"ready", []any{notFound, childIn("web", child.Starting, "False"), childIn("web", child.Running, "True")}, "30s", 0, "waiting for web (no such child yet)"},
		"completed":              {"completed", []any{childIn("web", child.Running, "True"), childIn("web", child.Completed, "False")}, "30s", 0, "waiting for web (Running)"},
		"removed":                {"removed", []any{childIn("web", child.Stopping, "False"), notFound}, "30s", 0, "waiting for web (stops)"},
		"removed before":         {"removed", []any{notFound}, "30s", 0, ""},
		"never ready":            {"ready", []any{stuck}, "30s", Failed, "web cannot become ready any more: it is Quarantined; attempt 3 ended after 0ms: exit code 1"},
		"the time is over":       {"ready", []any{childIn("web", child.BackingOff, "False")}, "150ms", TimedOut, "after 150ms not ready: web"},
		"there never was such a": {"ready", []any{notFound}, "150ms", NoSuchChild, "did you mean web2?"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.daemon(map[string]func() (int, any){"GET /v1/children/web": inTurn(row.answers...)})

			got := w.run("wait", "web", "--for", row.goal, "--timeout", row.timeout)

			if got.Code != row.code || !strings.Contains(got.Err, row.err) || got.Out != "" {
				t.Errorf("wait = %+v; want code %d and %q on standard error", got, row.code, row.err)
			}
		})
	}
}
