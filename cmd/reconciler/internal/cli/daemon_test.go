package cli

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/reconciler-dev/reconciler/pkg/control"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/status"
)

// fakeDaemon plays the reconciler at the socket of a world.
type fakeDaemon struct {
	t       *testing.T
	mu      sync.Mutex
	asked   []string // "POST /v1/children/web/restart {...}"
	answers map[string]func() (int, any)
}

// daemon listens in the state directory of w until the test ends.
func (w *world) daemon(answers map[string]func() (int, any)) *fakeDaemon {
	w.t.Helper()
	if err := os.MkdirAll(w.dirs.State, 0o700); err != nil {
		w.t.Fatal(err)
	}
	var l net.Listener
	err := control.WithAddress(filepath.Join(w.dirs.State, control.SocketName), func(address string) (err error) {
		l, err = net.Listen("unix", address)
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	d := &fakeDaemon{t: w.t, answers: answers}
	server := &http.Server{Handler: d}
	served := make(chan struct{})
	go func() { defer close(served); _ = server.Serve(l) }()
	w.t.Cleanup(func() { _ = server.Close(); <-served })
	return d
}

// ServeHTTP answers as the test said; what it did not say is no such child.
func (d *fakeDaemon) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body) // a body that is cut short shows in the test
	d.mu.Lock()
	d.asked = append(d.asked, strings.TrimSpace(r.Method+" "+r.URL.RequestURI()+" "+string(body)))
	answer := d.answers[r.Method+" "+r.URL.Path]
	d.mu.Unlock()
	code, v := http.StatusNotFound, any(control.ErrorBody{Error: control.Error{Code: control.CodeChildNotFound, Message: "child not found: wbe", Hint: "did you mean web?"}})
	if answer != nil {
		code, v = answer()
	}
	w.WriteHeader(code)
	if err := json.NewEncoder(w).Encode(v); err != nil && !errors.Is(err, syscall.EPIPE) { // a verb may end before it has read all
		d.t.Error(err)
	}
}

func (d *fakeDaemon) requests() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]string{}, d.asked...)
}

func always(code int, v any) func() (int, any) { return func() (int, any) { return code, v } }

// inTurn gives each answer once, and the last one for ever.
func inTurn(all ...any) func() (int, any) {
	return func() (int, any) {
		v := all[0]
		if len(all) > 1 {
			all = all[1:]
		}
		if e, ok := v.(control.ErrorBody); ok {
			return http.StatusNotFound, e
		}
		return http.StatusOK, v
	}
}

func accepted(id, verb string) func() (int, any) {
	return always(200, control.Outcome{CommandID: "c1", ChildID: child.ID(id), Command: verb, Decision: "accepted"})
}

func childIn(id child.ID, p child.Phase, ready string) status.Child {
	return status.Child{
		SchemaVersion: status.SchemaVersion, ID: id, Kind: child.AsyncWorker, Phase: p,
		Conditions: []child.ConditionState{{Type: child.ConditionReady, Status: ready}},
	}
}
