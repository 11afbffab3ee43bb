package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reconciler-dev/reconciler/pkg/control"
	"github.com/reconciler-dev/reconciler/pkg/control/client"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/journal"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
	"github.com/reconciler-dev/reconciler/pkg/status"
)

func dialer(socket string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, _, _ string) (c net.Conn, err error) {
		err = control.WithAddress(socket, func(address string) (err error) {
			var d net.Dialer
			c, err = d.DialContext(ctx, "unix", address)
			return err
		})
		return c, err
	}
}

func TestHealthIsNoneWhileTheShimIsAway(t *testing.T) {
	h := open(t, office)

	h.procs.events <- machine.Detached{Reason: "the shim (pid 78) does not answer"}

	until(t, func() string {
		if health, err := h.Health(t.Context()); err != nil || health.Healthy || health.Shim {
			return fmt.Sprintf("health = %+v, %v; want none", health, err)
		}
		return ""
	})
	h.procs.events <- machine.Adopted{}
	until(t, func() string {
		if health, err := h.Health(t.Context()); err != nil || !health.Healthy {
			return fmt.Sprintf("health = %+v, %v; want it well again", health, err)
		}
		return ""
	})
}

func TestHealthIsNoneWhileALogHoldsAChildUp(t *testing.T) {
	h := open(t, office)
	s, _ := h.handle.Child("office/worker")
	key := child.Key{ID: s.ID, Incarnation: s.Incarnation, Generation: s.Generation}

	h.procs.events <- machine.LogChanged{Key: key, Log: child.LogState{Blocked: "no space left on device"}}

	until(t, func() string {
		if health, err := h.Health(t.Context()); err != nil || health.Healthy || len(health.OutputBlocked) != 1 {
			return fmt.Sprintf("health = %+v, %v; want none, and who is held up", health, err)
		}
		return ""
	})
	h.procs.events <- machine.LogChanged{Key: key}
	until(t, func() string {
		if health, err := h.Health(t.Context()); err != nil || !health.Healthy {
			return fmt.Sprintf("health = %+v, %v; want it well again", health, err)
		}
		return ""
	})
}

func TestWhatIsThereCanBeRead(t *testing.T) {
	h := open(t, office)

	health, err := h.Health(t.Context())
	must(t, err)
	if !health.Healthy || health.State != status.Alive || !health.Shim || len(health.Unwell) > 0 {
		t.Errorf("health = %+v, want a healthy one", health)
	}
	state, err := h.State(t.Context())
	must(t, err)
	if state.Children.Total != 2 || state.PID != 77 {
		t.Errorf("state = %+v, want two children", state)
	}
	until(t, func() string {
		c, err := h.Child(t.Context(), "office/worker")
		must(t, err)
		if c.Phase != child.Running || !c.Ready() || c.Manifest.File != "office/worker.yaml" {
			return "office/worker is not running"
		}
		return ""
	})
	plan, err := h.Plan(t.Context())
	must(t, err)
	if len(plan.Actions) > 0 {
		t.Errorf("plan = %+v, want nothing to do", plan)
	}
}

func TestChildrenAreSelectedByNameAndByTag(t *testing.T) {
	h := open(t, office)
	for name, row := range map[string]struct {
		filter client.Filter
		want   []child.ID
	}{
		"all":                 {client.Filter{}, []child.ID{"office", "office/worker", "root", "web"}},
		"by id and by name":   {client.Filter{Names: []string{"worker", "web", "nobody"}}, []child.ID{"office/worker", "web"}},
		"by all of its tags":  {client.Filter{Tags: []string{"mail", "blue"}}, []child.ID{"office/worker"}},
		"by tags of two":      {client.Filter{Tags: []string{"mail", "front"}}, nil},
		"by a name and a tag": {client.Filter{Names: []string{"web"}, Tags: []string{"mail"}}, nil},
	} {
		all, err := h.Children(t.Context(), row.filter)
		must(t, err)
		var got []child.ID
		for _, c := range all {
			got = append(got, c.ID)
		}
		if diff := cmp.Diff(row.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestAnUnknownChildGetsASuggestion(t *testing.T) {
	h := open(t, office)
	for _, ask := range []func() error{
		func() error { _, err := h.Child(t.Context(), "office/wroker"); return err },
		func() error {
			_, err := h.Command(t.Context(), "restart", "office/wroker", control.Command{})
			return err
		},
		func() error {
			return h.Logs(t.Context(), "office/wroker", client.LogOptions{}, new(strings.Builder))
		},
		func() error { _, err := h.Delete(t.Context(), "office/wroker", control.Command{}); return err },
	} {
		err := ask()
		if codeOf(err) != control.CodeChildNotFound || !strings.Contains(err.Error(), "did you mean office/worker?") {
			t.Errorf("error = %v, want child_not_found and a suggestion", err)
		}
	}
}

// journalOf are the entries that requests left.
func (h *house) journalOf(kind machine.FactKind) (all []journal.Entry) {
	h.t.Helper()
	for item, err := range journal.Read(h.options.JournalDir, journal.Options{}) {
		must(h.t, err)
		if item.Type == kind {
			all = append(all, item.Entry)
		}
	}
	return all
}

func TestCommandsAreTheCallersWhateverItClaims(t *testing.T) {
	h := open(t, office)
	reason := "a leak"
	o, err := h.Command(t.Context(), "pause", "web", control.Command{Reason: &reason, RequestedBy: "root(0) for the deploy"})
	must(t, err)

	me := peer{uid: myUID()}.String()
	want := control.Outcome{
		CommandID: o.CommandID, ChildID: "web", Command: "pause", Decision: "accepted",
		Before: child.Active, After: child.Paused, RequestedBy: me + " for root(0) for the deploy", Reason: reason,
	}
	if diff := cmp.Diff(want, o); diff != "" {
		t.Errorf("outcome (-want +got):\n%s", diff)
	}
	paused := h.journalOf(machine.ChildPaused)
	if len(paused) != 1 || !strings.HasPrefix(paused[0].RequestedBy, me) || paused[0].Reason != reason {
		t.Errorf("journal = %+v, want one pause by %s", paused, me)
	}
	o, err = h.Command(t.Context(), "pause", "web", control.Command{})
	if err != nil || o.Decision != "idempotent" || o.Reason != "manual pause" || o.RequestedBy != me {
		t.Errorf("a second pause = %+v, %v", o, err)
	}
}

func TestEveryCommandReachesTheRuntime(t *testing.T) {
	h := open(t, office)
	for _, row := range []struct {
		verb   string
		signal string
		want   child.Operation
	}{
		{"restart", "", child.Active}, {"pause", "", child.Paused}, {"resume", "", child.Active},
		{"quarantine", "", child.OperationQuarantined}, {"restart", "", child.Active},
	} {
		o, err := h.Command(t.Context(), row.verb, "web", control.Command{Signal: row.signal})
		must(t, err)
		if o.After != row.want || o.Command != row.verb {
			t.Errorf("%s = %+v, want it %s after", row.verb, o, row.want)
		}
	}
	until(t, func() string {
		if o, err := h.Command(t.Context(), "signal", "web", control.Command{Signal: "hup"}); err != nil || o.Decision != "accepted" {
			return err.Error()
		}
		return ""
	})
}

func TestBadRequestsAreToldWhatIsWrong(t *testing.T) {
	h := open(t, office)
	for _, row := range []struct {
		method, path, body string
		code               int
		refusal            string
	}{
		{"GET", "/", "", 404, "not_found"},
		{"GET", "/v1", "", 404, "not_found"},
		{"GET", "/v1/children/", "", 404, "not_found"},
		{"GET", "/v1/children/../../etc/passwd", "", 404, "not_found"},
		{"GET", "/v1/children/..%2f..%2fetc%2fpasswd/logs", "", 404, "not_found"},
		{"GET", "/v1/children/web/nothing", "", 404, "child_not_found"},
		{"POST", "/v1/health", "", 405, "method_not_allowed"},
		{"PATCH", "/v1/children/web", "", 405, "method_not_allowed"},
		{"DELETE", "/v1/events", "", 405, "method_not_allowed"},
		{"GET", "/v1/children?tags=mail", "", 400, "invalid tags"},
		{"GET", "/v1/children/web?x", "", 400, "invalid x"},
		{"GET", "/v1/health?%zz", "", 400, "invalid"},
		{"GET", "/v1/children/web/logs?tail=-1", "", 400, "invalid tail"},
		{"GET", "/v1/children/web/logs?tail=many", "", 400, "invalid tail"},
		{"GET", "/v1/children/web/logs?tail=1&tail=2", "", 400, "invalid tail"},
		{"GET", "/v1/children/web/logs?follow&previous", "", 400, "invalid follow"},
		{"GET", "/v1/children/web/logs?follow=perhaps", "", 400, "invalid follow"},
		{"GET", "/v1/events?since=yesterday", "", 400, "invalid since"},
		{"GET", "/v1/events?since=999999", "", 410, "gone since"},
		{"GET", "/v1/events?since=999999&follow", "", 410, "gone since"},
		{"GET", "/v1/events?child=a/b/", "", 400, "invalid child"},
		{"POST", "/v1/children/web", "", 404, "not_found"},
		{"POST", "/v1/children/restart", "", 404, "not_found"},
		{"POST", "/v1/children/web/explode", "", 404, "not_found"},
		{"POST", "/v1/children/web/restart", "nonsense", 400, "invalid"},
		{"POST", "/v1/children/web/restart", "{} {}", 400, "invalid"},
		{"POST", "/v1/children/web/restart", "[]", 400, "invalid"},
		{"POST", "/v1/children/web/restart", `{"reson": "x"}`, 400, "invalid"},
		{"POST", "/v1/children/web/restart", `{"reason": 7}`, 400, "invalid reason"},
		{"POST", "/v1/children/web/restart", `{"reason": " "}`, 400, "invalid"},
		{"POST", "/v1/children/web/restart", `{"reason": "` + strings.Repeat("x", 1025) + `"}`, 400, "invalid reason"},
		{"POST", "/v1/children/web/restart", `{"requested_by": "a\nb"}`, 400, "invalid requested_by"},
		{"POST", "/v1/children/web/restart", `{"requested_by": "` + strings.Repeat("x", 129) + `"}`, 400, "invalid requested_by"},
		{"POST", "/v1/children/web/restart", `{"signal": "SIGHUP"}`, 400, "invalid signal"},
		{"POST", "/v1/children/web/signal", "", 400, "invalid"},
		{"POST", "/v1/children/web/signal", `{"signal": "SIGFOO"}`, 400, "invalid"},
		{"POST", "/v1/reconcile", `{"confirm": true}`, 400, "invalid"},
		{"POST", "/v1/shutdown", `{"reason": ""}`, 400, "invalid"},
		{"POST", "/v1/shutdown", strings.Repeat(" ", control.MaxBody+1), 413, "body_too_large"},
	} {
		got := h.ask(row.method, row.path, row.body)

		if got.code != row.code || got.refusal() != row.refusal || got.kind != control.TypeJSON {
			t.Errorf("%s %s %.40s = %d %s (%s); want %d %s", row.method, row.path, row.body, got.code, got.refusal(), got.body, row.code, row.refusal)
		}
	}
	if c, err := h.Child(t.Context(), "web"); err != nil || c.RestartCount > 0 || c.Operation != child.Active {
		t.Errorf("web was touched: %+v, %v", c, err)
	}
}

func TestShutdownAnswersWithItsReportWhenAllIsDown(t *testing.T) {
	h := open(t, map[string]string{"web.yaml": web, "stubborn.yaml": "name: stubborn\ncommand: [x]\nshutdown: {graceful_timeout_secs: 3600}\n"})
	until(t, func() string {
		if c, _ := h.Child(t.Context(), "stubborn"); c.Phase != child.Running {
			return "stubborn does not run"
		}
		return ""
	})
	type answer struct {
		report *control.ShutdownReport
		err    error
	}
	down := make(chan answer, 1)
	go func() {
		reason := "moving house"
		report, err := h.Shutdown(context.Background(), control.ShutdownRequest{Reason: &reason})
		down <- answer{report, err}
	}()
	until(t, func() string {
		if health, err := h.Health(t.Context()); err != nil || health.Healthy || health.State != status.ShuttingDown {
			return "it does not shut down"
		}
		return ""
	})

	// Meanwhile it can be looked at, and is commanded no more.
	c, err := h.Child(t.Context(), "stubborn")
	if err != nil || c.Phase != child.Stopping || c.StopDeadline == nil {
		t.Errorf("stubborn = %+v, %v; want it stopping, with a deadline", c, err)
	}
	for name, ask := range map[string]func() error{
		"restart": func() error {
			_, err := h.Command(t.Context(), "restart", "web", control.Command{})
			return err
		},
		"put": func() error {
			_, err := h.Put(t.Context(), "late", []byte("name: late\n"), control.Command{})
			return err
		},
		"reconcile": func() error {
			_, err := h.Reconcile(t.Context(), control.ReconcileRequest{})
			return err
		},
	} {
		if err := ask(); codeOf(err) != control.CodeShuttingDown {
			t.Errorf("%s in a shutdown: %v, want shutting_down", name, err)
		}
	}
	select {
	case got := <-down:
		t.Fatalf("the shutdown answered before all was down: %+v", got)
	default:
	}

	h.procs.release <- struct{}{}
	got := <-down
	must(t, got.err)
	var ends []string
	for _, e := range got.report.Children {
		ends = append(ends, string(e.ID)+" "+e.Status)
	}
	slices.Sort(ends)
	if diff := cmp.Diff([]string{"root already_exited", "stubborn graceful", "web graceful"}, ends); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	if got.report.Reason != "moving house" || got.report.RequestedBy != (peer{uid: myUID()}).String() {
		t.Errorf("report = %+v", got.report)
	}

	// After the end too; a second shutdown has the same report.
	if _, err := h.Children(t.Context(), client.Filter{}); err != nil {
		t.Errorf("children after the end: %v", err)
	}
	again, err := h.Shutdown(t.Context(), control.ShutdownRequest{})
	if err != nil || !again.CompletedAt.Equal(got.report.CompletedAt) {
		t.Errorf("a second shutdown: %+v, %v", again, err)
	}
	if _, err := h.Command(t.Context(), "restart", "web", control.Command{}); codeOf(err) != control.CodeShuttingDown {
		t.Errorf("a command after the end: %v, want shutting_down", err)
	}
}

func TestNobodyAtTheSocketIsNoDaemon(t *testing.T) {
	c := client.New(t.TempDir())

	if _, err := c.Health(t.Context()); !errors.Is(err, client.ErrNoDaemon) {
		t.Errorf("error = %v, want ErrNoDaemon", err)
	}
}

func TestStrangersAreRefused(t *testing.T) {
	h := build(t, office, nil)
	become := h.serveAs(200)
	become(peer{uid: 4711, groups: []int{100}})
	if _, err := h.Health(t.Context()); codeOf(err) != control.CodeNotPermitted {
		t.Errorf("a stranger: %v, want not_permitted", err)
	}

	// The group of the socket may look and command, and not add or remove.
	become(peer{uid: 4711, groups: []int{100, 200}})
	h.procs.events <- machine.Adopted{}
	if _, err := h.Reconcile(t.Context(), control.ReconcileRequest{}); err != nil {
		t.Errorf("reconcile by the group: %v", err)
	}
	o, err := h.Command(t.Context(), "pause", "web", control.Command{RequestedBy: "root(0)"})
	if err != nil || !strings.HasPrefix(o.RequestedBy, "uid(4711) for ") {
		t.Errorf("pause by the group = %+v, %v; want it in the name of uid(4711)", o, err)
	}
	if _, err := h.Put(t.Context(), "mine", []byte("name: mine\ncommand: [sh]\n"), control.Command{}); codeOf(err) != control.CodeNotPermitted {
		t.Errorf("put by the group: %v, want not_permitted", err)
	}
	if _, err := h.Delete(t.Context(), "web", control.Command{}); codeOf(err) != control.CodeNotPermitted {
		t.Errorf("delete by the group: %v, want not_permitted", err)
	}

	// Root may all.
	become(peer{uid: 0})
	if _, err := h.Put(t.Context(), "mine", []byte("name: mine\ncommand: [sh]\n"), control.Command{}); err != nil {
		t.Errorf("put by root: %v", err)
	}
}

// serveAs takes everybody who connects for whom the test becomes.
func (h *house) serveAs(group int) (become func(peer)) {
	h.t.Helper()
	var err error
	h.server, err = newServer(h.options, defaultLimits())
	must(h.t, err)
	var who atomic.Pointer[peer]
	h.server.access.group = group
	h.server.conns.identify = func(net.Conn) (peer, error) { return *who.Load(), nil }
	h.run(func(ctx context.Context) { _ = h.server.Run(ctx) })
	return func(p peer) {
		who.Store(&p)
		h.Client.Close() // who has connected stays who it was
	}
}
