package server

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reconciler-dev/reconciler/pkg/control"
	"github.com/reconciler-dev/reconciler/pkg/control/client"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// text is what a stream has brought so far.
type text struct {
	mu sync.Mutex
	b  strings.Builder
}

func (x *text) Write(b []byte) (int, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.b.Write(b)
}

func (x *text) String() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.b.String()
}

func TestLogsComeAsTheyWerePrinted(t *testing.T) {
	h := open(t, office)
	h.write("logs/office/worker/current", "one\ntwo \xff\nthree")
	for name, row := range map[string]struct{ path, accept, want string }{
		"all":         {"office/worker/logs", "", "one\ntwo \xff\nthree"},
		"the last":    {"office/worker/logs?tail=2", "", "two \xff\nthree"},
		"as objects":  {"office/worker/logs?tail=2", control.TypeNDJSON, `{"child_id":"office/worker","line":"two ` + "\uFFFD" + `"}` + "\n" + `{"child_id":"office/worker","line":"three"}` + "\n"},
		"of a silent": {"web/logs", "", ""},
	} {
		got := h.askAs("GET", "/v1/children/"+row.path, "", http.Header{"Accept": {row.accept}})

		if got.code != 200 || got.body != row.want {
			t.Errorf("%s = %d %q, want %q", name, got.code, got.body, row.want)
		}
	}
	if got := h.ask("GET", "/v1/children/office/worker/logs?previous", ""); got.refusal() != "not_found previous" {
		t.Errorf("previous = %+v, want not_found", got)
	}
}

func TestLogsOfARemovedChildAreStillThere(t *testing.T) {
	h := open(t, office)
	h.write("logs/old/friend/current", "farewell\n")
	var out strings.Builder

	must(t, h.Logs(t.Context(), "old/friend", client.LogOptions{}, &out))

	if out.String() != "farewell\n" {
		t.Errorf("logs = %q", out.String())
	}
}

func TestAChildMayBeCalledLogs(t *testing.T) {
	h := open(t, map[string]string{"office/logs.yaml": "name: logs\ncommand: [x]\n"})
	h.write("logs/office/logs/current", "hello\n")

	if c, err := h.Child(t.Context(), "office/logs"); err != nil || c.ID != "office/logs" {
		t.Errorf("child = %+v, %v", c, err)
	}
	var out strings.Builder
	must(t, h.Logs(t.Context(), "office/logs", client.LogOptions{}, &out))
	if out.String() != "hello\n" {
		t.Errorf("logs = %q", out.String())
	}
}

func TestFollowedLogsGoOnUntilTheReaderLeaves(t *testing.T) {
	h := open(t, office)
	h.write("logs/web/current", "one\n")
	ctx, cancel := context.WithCancel(t.Context())
	var got text
	done := make(chan error, 1)
	go func() { done <- h.Logs(ctx, "web", client.LogOptions{Follow: true}, &got) }()
	until(t, func() string { return unless(got.String() == "one\n", "the first line did not come") })

	h.write("logs/web/current", "one\ntwo\n")

	until(t, func() string {
		return unless(got.String() == "one\ntwo\n", "the second line did not come: "+got.String())
	})
	cancel()
	if err := <-done; err != nil {
		t.Errorf("leaving: %v", err)
	}
}

func unless(ok bool, why string) string {
	if ok {
		return ""
	}
	return why
}

// told is what a test reads of an event.
type told struct {
	Sequence uint64   `json:"sequence"`
	Type     string   `json:"type"`
	ChildID  child.ID `json:"child_id"`
}

func (h *house) events(o client.EventOptions) (all []told) {
	h.t.Helper()
	for line, err := range h.Events(h.t.Context(), o) {
		must(h.t, err)
		var e told
		must(h.t, json.Unmarshal(line, &e))
		all = append(all, e)
	}
	return all
}

func TestEventsAreNumberedAndGoOnWhereAReaderStopped(t *testing.T) {
	h := open(t, office)
	until(t, func() string {
		return unless(slices.ContainsFunc(h.events(client.EventOptions{}), func(e told) bool { return e.Type == "child_running" && e.ChildID == "web" }), "web does not run")
	})
	all := h.events(client.EventOptions{})
	for i, e := range all {
		if e.Sequence != uint64(i+1) {
			t.Fatalf("event %d has the number %d", i+1, e.Sequence)
		}
	}

	if diff := cmp.Diff(all[3:], h.events(client.EventOptions{After: 3})[:len(all)-3]); diff != "" {
		t.Errorf("after 3 (-want +got):\n%s", diff)
	}
	if last := h.events(client.EventOptions{Tail: 1}); len(last) != 1 || last[0].Sequence < uint64(len(all)) {
		t.Errorf("the last one = %+v", last)
	}
	for _, e := range h.events(client.EventOptions{Child: "web"}) {
		if e.ChildID != "web" {
			t.Errorf("an event of web is %+v", e)
		}
	}
	if got := h.ask("GET", "/v1/events?since=1h", ""); strings.Count(got.body, "\n") < len(all) {
		t.Errorf("since an hour: %q", got.body)
	}
	if got := h.ask("GET", "/v1/events?since=2999-01-01T00:00:00Z", ""); got.code != 200 || got.body != "" || got.kind != control.TypeNDJSON {
		t.Errorf("since the future: %+v", got)
	}
}

func TestFollowedEventsComeAtOnceAndEndWithTheServer(t *testing.T) {
	h := build(t, office, nil)
	var err error
	h.server, err = newServer(h.options, defaultLimits())
	must(t, err)
	stop := h.run(func(ctx context.Context) { _ = h.server.Run(ctx) })
	h.procs.events <- machineAdopted
	_, err = h.Reconcile(t.Context(), control.ReconcileRequest{})
	must(t, err)
	seen := make(chan told, 100)
	done := make(chan error, 1)
	go func() {
		for line, err := range h.Events(context.Background(), client.EventOptions{Follow: true, Child: "web"}) {
			if err != nil {
				done <- err
				return
			}
			var e told
			_ = json.Unmarshal(line, &e) // a broken one shows as an event without a type
			seen <- e
		}
		done <- nil
	}()
	for e := range seen {
		if e.Type == "child_running" {
			break
		}
	}

	_, err = h.Command(t.Context(), "pause", "web", control.Command{})
	must(t, err)

	for e := range seen {
		if e.Type == "child_paused" {
			break
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Errorf("the stream ended with %v, want its end", err)
	}
}

func TestLongLinesAreCutAsObjectsAndNotAsText(t *testing.T) {
	h := open(t, office)
	long := strings.Repeat("x", 3*maxLine/2)
	h.write("logs/web/current", long+"\nend\n")

	var out strings.Builder
	must(t, h.Logs(t.Context(), "web", client.LogOptions{}, &out))
	if out.String() != long+"\nend\n" {
		t.Errorf("as text: %d bytes, want %d", out.Len(), len(long)+5)
	}
	got := h.askAs("GET", "/v1/children/web/logs", "", http.Header{"Accept": {control.TypeNDJSON}})
	var lengths []int
	for dec := json.NewDecoder(strings.NewReader(got.body)); ; {
		var l control.LogLine
		if err := dec.Decode(&l); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		lengths = append(lengths, len(l.Line))
	}
	if want := fmt.Sprint([]int{maxLine, maxLine / 2, 3}); fmt.Sprint(lengths) != want {
		t.Errorf("lines of %v bytes, want %s", lengths, want)
	}
}
