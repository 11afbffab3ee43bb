package cli

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reconciler-dev/reconciler/internal/testuser"
	"github.com/reconciler-dev/reconciler/pkg/control"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/status"
)

func TestCommandsCommandEveryChildOnce(t *testing.T) {
	w := newWorld(t)
	d := w.daemon(map[string]func() (int, any){
		"POST /v1/children/web/pause":             accepted("web", "pause"),
		"POST /v1/children/payments/worker/pause": accepted("payments/worker", "pause"),
	})

	got := w.run("pause", "web", "payments/worker", "web", "--reason", "moving house")

	if want := (result{Out: "web: paused\npayments/worker: paused\n"}); got != want {
		t.Errorf("pause = %+v, want %+v", got, want)
	}
	want := []string{
		`POST /v1/children/web/pause {"reason":"moving house"}`,
		`POST /v1/children/payments/worker/pause {"reason":"moving house"}`,
	}
	if diff := cmp.Diff(want, d.requests()); diff != "" {
		t.Errorf("what was asked (-want +got):\n%s", diff)
	}
}

func TestEveryCommandSaysItsVerbAsReason(t *testing.T) {
	for verb, want := range map[string]string{
		"restart": `POST /v1/children/web/restart {"reason":"manual restart"}`, "pause": `POST /v1/children/web/pause {"reason":"manual pause"}`,
		"resume": `POST /v1/children/web/resume {"reason":"manual resume"}`, "quarantine": `POST /v1/children/web/quarantine {"reason":"manual quarantine"}`,
		"signal": `POST /v1/children/web/signal {"reason":"manual signal","signal":"HUP"}`, "remove": `DELETE /v1/children/web {"reason":"manual remove"}`,
	} {
		w := newWorld(t)
		path, _, _ := strings.Cut(want, " {")
		d := w.daemon(map[string]func() (int, any){path: accepted("web", verb)})
		args := []string{verb, "web"}
		if verb == "signal" {
			args = append(args, "--signal", "HUP")
		}

		got := w.run(args...)

		if got.Code != 0 || !strings.HasPrefix(got.Out, "web: ") {
			t.Errorf("%s = %+v", verb, got)
		}
		if diff := cmp.Diff([]string{want}, d.requests()); diff != "" {
			t.Errorf("%s: what was asked (-want +got):\n%s", verb, diff)
		}
	}
}

func TestCommandsSelectByTag(t *testing.T) {
	w := newWorld(t)
	d := w.daemon(map[string]func() (int, any){
		"GET /v1/children":            always(200, control.Children{Children: []status.Child{childIn("a", child.Running, "True"), childIn("b", child.Running, "True")}}),
		"POST /v1/children/a/restart": always(200, control.Outcome{ChildID: "a", Decision: "queued_after_stop"}),
		"POST /v1/children/b/restart": always(200, control.Outcome{ChildID: "b", Decision: "already_pending", Message: "a restart is pending already, asked for by ann: a leak"}),
	})

	got := w.run("restart", "-l", "mail", "-l", "blue")

	if want := (result{Out: "a: restarts (it stops first)\nb: a restart is pending already, asked for by ann: a leak\n"}); got != want {
		t.Errorf("restart = %+v, want %+v", got, want)
	}
	if got := d.requests()[0]; got != "GET /v1/children?tag=mail&tag=blue" {
		t.Errorf("the children were asked for with %s", got)
	}
}

func TestPartOfAFailureNamesEachChild(t *testing.T) {
	w := newWorld(t)
	w.daemon(map[string]func() (int, any){
		"POST /v1/children/web/resume": always(200, control.Outcome{ChildID: "web", Decision: "idempotent"}),
		"POST /v1/children/api/resume": always(409, control.ErrorBody{Error: control.Error{Code: "still_stopping", Message: "api is being removed"}}),
	})

	got := w.run("resume", "api", "wbe", "web")

	want := result{Out: "web: not paused\n", Code: Failed, Err: "reconciler: api is being removed\n" +
		"reconciler: child not found: wbe (did you mean web?)\nreconciler: 2 of 3 children failed\n"}
	if got != want {
		t.Errorf("resume = %+v\nwant %+v", got, want)
	}
}

func TestACommandForWhatCanBeNoChildAsksNobody(t *testing.T) {
	w := newWorld(t)
	d := w.daemon(nil)

	for _, name := range []string{"web/", "../web", "a//b", "web?tag=x"} {
		want := result{Err: fmt.Sprintf("reconciler: child not found: %q\n", name), Code: NoSuchChild}
		if got := w.run("pause", name); got != want {
			t.Errorf("pause %s = %+v, want %+v", name, got, want)
		}
	}
	if got := d.requests(); len(got) > 0 {
		t.Errorf("the reconciler was asked: %v", got)
	}
}

func TestAFailureHasTheExitCodeOfItsKind(t *testing.T) {
	for code, want := range map[string]int{
		control.CodeChildNotFound: NoSuchChild, control.CodeNotPermitted: NotPermitted, control.CodeTimedOut: TimedOut,
		control.CodeShuttingDown: Failed,
	} {
		w := newWorld(t)
		w.daemon(map[string]func() (int, any){
			"POST /v1/children/web/restart": always(http.StatusConflict, control.ErrorBody{Error: control.Error{Code: code, Message: "no"}}),
		})

		if got := w.run("restart", "web"); got.Code != want {
			t.Errorf("a refusal with %s: %+v, want code %d", code, got, want)
		}
	}
}

func TestCommandsRefuseWrongUse(t *testing.T) {
	for _, row := range []struct {
		args []string
		want string
	}{
		{[]string{"restart"}, "needs the names of children"},
		{[]string{"restart", "web", "-l", "mail"}, "not both"},
		{[]string{"restart", "web", "--reason", " \t"}, "--reason is blank"},
		{[]string{"restart", "web", "--reason", ""}, "--reason is blank"},
		{[]string{"signal", "web"}, "--signal is missing"},
		{[]string{"pause", "web", "-o", "xml"}, "--output"},
		{[]string{"shutdown", "--reason", ""}, "--reason is blank"},
		{[]string{"wait", "web", "--for", "redy"}, "--for"},
		{[]string{"wait"}, "needs the names of children"},
	} {
		w := newWorld(t)
		d := w.daemon(nil)

		got := w.run(row.args...)

		if got.Code != Usage || !strings.Contains(got.Err, row.want) {
			t.Errorf("%v = %+v; want code 2 and %q", row.args, got, row.want)
		}
		if len(d.requests()) > 0 {
			t.Errorf("%v asked the daemon: %v", row.args, d.requests())
		}
	}
}

func TestASocketThatNobodyAnswersIsNoDaemon(t *testing.T) {
	w := newWorld(t)
	w.write(w.dirs.State, control.SocketName, "") // a file in its place

	if got := w.run("health"); got.Code != NoDaemon {
		t.Errorf("health = %+v, want code 3", got)
	}
}

func TestASocketOfAnotherUserIsNotPermitted(t *testing.T) {
	if !testuser.Rerun(t) { // root may connect to every socket
		return
	}
	w := newWorld(t)
	w.daemon(nil)
	if err := os.Chmod(w.dirs.State, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(w.dirs.State, 0o700) })

	if got := w.run("health"); got.Code != NotPermitted {
		t.Errorf("health = %+v, want code 5", got)
	}
}

func TestHealthIsForMonitors(t *testing.T) {
	for name, row := range map[string]struct {
		health control.Health
		args   []string
		want   result
	}{
		"well":   {control.Health{Healthy: true, State: "alive", Shim: true}, nil, result{Out: "well\n"}},
		"quiet":  {control.Health{Healthy: true, State: "alive", Shim: true}, []string{"-q"}, result{}},
		"unwell": {control.Health{State: "alive", Shim: true, Unwell: []child.ID{"db"}}, []string{"-q"}, result{Code: Failed, Err: "reconciler: not well: critical children that cannot run: db\n"}},
		"ending": {control.Health{State: "shutting_down", Shim: true}, nil, result{Code: Failed, Err: "reconciler: not well: the reconciler is shutting down\n"}},
	} {
		w := newWorld(t)
		w.daemon(map[string]func() (int, any){"GET /v1/health": always(200, row.health)})

		got := w.run(append([]string{"health"}, row.args...)...)

		if got != row.want {
			t.Errorf("%s: health = %+v, want %+v", name, got, row.want)
		}
	}
}

func TestShutdownPrintsHowEachChildEnded(t *testing.T) {
	report := control.ShutdownReport{Orphans: []child.Orphan{{ID: "stuck", PID: 12, Reason: "survived SIGKILL"}}, Children: []status.ChildEnd{
		{ID: "payments", Status: "already_exited"},
		{ID: "web", Attempt: 2, Status: "graceful", Reason: "stopped: shutdown"},
		{ID: "stuck", Attempt: 1, Status: "abort_failed", Reason: "survived SIGKILL"},
	}}
	w := newWorld(t)
	d := w.daemon(map[string]func() (int, any){"POST /v1/shutdown": always(200, report)})

	got := w.run("shutdown", "--reason", "kernel update")

	want := result{
		Out:  "NAME    OUTCOME        REASON\nweb     graceful       stopped: shutdown\nstuck   abort_failed   survived SIGKILL\nAll children are down after 0ms.\n",
		Err:  "reconciler: not everything could be stopped, and this may be alive: stuck (pid 12): survived SIGKILL\n",
		Code: LeftAlive,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("shutdown (-want +got):\n%s", diff)
	}
	if got := d.requests()[0]; got != `POST /v1/shutdown {"reason":"kernel update"}` {
		t.Errorf("asked %s", got)
	}

	got = w.run("shutdown", "-o", "json")
	var parsed control.ShutdownReport
	if err := json.Unmarshal([]byte(got.Out), &parsed); err != nil || len(parsed.Children) != 3 {
		t.Errorf("shutdown -o json = %+v (%v)", got, err)
	}
}
