package server

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reconciler-dev/reconciler/pkg/control"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/journal"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
	"github.com/reconciler-dev/reconciler/pkg/status"
)

// audited are the requests of people on record, a line each, without those of before.
func (h *house) audited(before int) (lines []string) {
	h.t.Helper()
	for i, err := range journal.Read(h.options.JournalDir, journal.Options{Want: func(e *journal.Entry) bool { return e.Command != nil && e.RequestedBy != "manifest" }}) {
		must(h.t, err)
		c := i.Command
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s %s %s: %s %s", i.RequestedBy, c.Verb, c.Target, c.Result, c.Code)))
	}
	return append([]string(nil), lines[before:]...)
}

func TestEveryRequestIsOnRecordOnceWhateverBecomesOfIt(t *testing.T) {
	h := open(t, office)
	me := peer{uid: myUID()}.String()
	long := strings.Repeat("x", 1025)
	var want []string
	for _, row := range []struct {
		method, path, body, want string
	}{
		{"PUT", "/v1/children/extra", "name: extra\ncommand: [x]\n", "add /extra: accepted"},
		{"PUT", "/v1/children/extra", "name: extra\ncommand: [x] # again\n", "update /extra: idempotent"},
		{"PUT", "/v1/children/new", "name: new\ncomand: [x]\n", "put /new: rejected invalid"},
		{"PUT", "/v1/children/new?reason=" + long, "name: new\n", "put /new: rejected invalid"},
		{"PUT", "/v1/children/new?force", "name: new\n", "put /new: rejected invalid"},
		{"PUT", "/v1/children/new", strings.Repeat("# x\n", 300_000), "put /new: rejected body_too_large"},
		{"PUT", "/v1/children/h%20i", "name: hi\n", "request /: rejected invalid"},
		{"PUT", "/v1/children/web", "name: web\ncommand: [other]\n", "put /web: rejected declared_by_manifest"},
		{"DELETE", "/v1/children/office/worker", "", "remove /office/worker: rejected declared_by_manifest"},
		{"DELETE", "/v1/children/web", `{"signal": "HUP"}`, "remove /web: rejected invalid"},
		{"DELETE", "/v1/children/ghost", "", "remove /ghost: rejected child_not_found"},
		{"POST", "/v1/children/ghost/pause", "", "pause /ghost: rejected child_not_found"},
		{"POST", "/v1/children/web/pause", `{"force": true}`, "pause /web: rejected invalid"},
		{"POST", "/v1/children/web/pause", `{"reason": "` + long + `"}`, "pause /web: rejected invalid"},
		{"POST", "/v1/children/web/pause", `{"reason": " "}`, "pause /web: rejected invalid"},
		{"POST", "/v1/children/web/pause", `{"requested_by": "a\u0007b"}`, "pause /web: rejected invalid"},
		{"POST", "/v1/children/web/resume", "", "resume /web: idempotent"},
		{"POST", "/v1/children/web/dance", "", "request /: rejected not_found"},
		{"POST", "/v1/reconcile", "", "reconcile /: accepted"},
		{"POST", "/v1/reconcile", `{"reason": "\t"}`, "reconcile /: rejected invalid"},
		{"POST", "/v1/reconcile", `{"confirm_removals": true, "reason": "meant"}`, "confirm_removals /: accepted"},
		{"DELETE", "/v1/reconcile", "", "request /: rejected method_not_allowed"},
		{"POST", "/v1/shutdown", `{"reason": ""}`, "shutdown_tree /: rejected invalid"},
		{"GET", "/v1/children/ghost", "", ""},
	} {
		before := len(h.audited(0))

		h.ask(row.method, row.path, row.body)

		if want = nil; row.want != "" {
			want = []string{me + " " + row.want}
		}
		if diff := cmp.Diff(want, h.audited(before)); diff != "" {
			t.Errorf("%s %.60s %.40s (-want +got):\n%s", row.method, row.path, row.body, diff)
		}
	}
}

func TestAReasonIsOfItsOwnRequestAlone(t *testing.T) {
	h := open(t, office)
	why := "for the audit"
	var entries []journal.Entry

	_, _ = h.Delete(t.Context(), "web", control.Command{Reason: &why, RequestedBy: "alice"})
	_, _ = h.Command(t.Context(), "pause", "web", control.Command{Signal: "HUP"})
	for i, err := range journal.Read(h.options.JournalDir, journal.Options{Want: func(e *journal.Entry) bool { return e.Type == machine.CommandRefused }}) {
		must(t, err)
		entries = append(entries, i.Entry)
	}

	me := peer{uid: myUID()}.String()
	if len(entries) != 2 || entries[0].RequestedBy != me+" for alice" || entries[0].Request != why {
		t.Fatalf("on record = %+v, want two refusals, the first one of alice with her reason", entries)
	}
	if next := entries[1]; next.RequestedBy != me || next.Request == why {
		t.Errorf("the next request of the same connection is on record as %+v", next)
	}
}

func TestWhoMayNotUseTheSocketIsOnRecordAndCannotFillIt(t *testing.T) {
	h := build(t, office, nil)
	become := h.serveAs(200)
	h.procs.events <- machine.Adopted{}
	become(peer{uid: 4711, name: "mallory"})
	for range 250 {
		h.ask("GET", "/v1/state", "")
	}
	h.ask("POST", "/v1/children/web/pause", "")
	become(peer{uid: 4712, name: "bob", groups: []int{200}})
	h.ask("PUT", "/v1/children/mine", "name: mine\ncommand: [sh]\n")
	become(peer{uid: 0, name: "root"})
	h.askAs("POST", "/v1/children/web/pause", "", http.Header{"Sec-Fetch-Site": {"cross-site"}})

	got := map[string]int{}
	for _, line := range h.audited(0) {
		got[line]++
	}

	want := map[string]int{
		"mallory(4711) request /: rejected not_permitted": 200,
		"bob(4712) put /mine: rejected not_permitted":     1,
		"root(0) pause /web: rejected not_permitted":      1,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("on record (-want +got):\n%s", diff)
	}
}

func TestAPassThatConfirmsRemovalsIsInTheNameOfWhoWantsIt(t *testing.T) {
	var by *child.Cause
	h := build(t, office, func(o *Options) {
		o.Reconcile = func(_ context.Context, confirm *child.Cause) (*status.Reconcile, []child.ID, error) {
			by = confirm
			return &status.Reconcile{}, []child.ID{"a", "b"}, nil
		}
	})
	h.serve(defaultLimits())
	h.procs.events <- machine.Adopted{}

	plain := h.ask("POST", "/v1/reconcile", "")
	asked := by
	got := h.ask("POST", "/v1/reconcile", `{"confirm_removals": true, "reason": "meant", "requested_by": "alice"}`)

	if asked != nil || plain.code != http.StatusOK {
		t.Errorf("a pass confirms for %+v: %+v", asked, plain)
	}
	want := child.Cause{RequestedBy: peer{uid: myUID()}.String() + " for alice", Reason: "meant"}
	if by == nil || *by != want || !strings.Contains(got.body, `"removed":["a","b"]`) {
		t.Errorf("confirmed by %+v, want %+v; answered %s", by, want, got.body)
	}
}
