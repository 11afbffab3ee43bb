package client_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/reconciler-dev/reconciler/pkg/control"
	"github.com/reconciler-dev/reconciler/pkg/control/client"
	"github.com/reconciler-dev/reconciler/pkg/control/server"
	"github.com/reconciler-dev/reconciler/pkg/desired"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/handletest"
	"github.com/reconciler-dev/reconciler/pkg/status"
)

// serving is the client of a server in front of a runtime, over a unix socket. No file
// declares anything, but for the folder a, if the stage has that.
func serving(t *testing.T, s handletest.Stage) *client.Client {
	t.Helper()
	set := &desired.Set{Complete: true}
	view, err := status.NewWriter(filepath.Join(s.Dir, "status"), status.Options{
		Children: s.Handle, Subscription: s.Handle.Subscribe(), Adopted: s.Handle.Adopted(),
		Desired: func() *desired.Set { return set },
		Info:    func() status.Info { return status.Info{State: status.State(s.Handle.Health().State), PID: os.Getpid()} },
	})
	must(t, err)
	srv, err := server.New(server.Options{
		Socket: filepath.Join(s.Dir, control.SocketName), Supervisor: s.Handle, View: view,
		Desired: func() *desired.Set { return declared(s, set) },
		LogDir:  filepath.Join(s.Dir, "logs"), JournalDir: s.JournalDir,
		Requests: requested{filepath.Join(s.Dir, "none")},
		Hold:     func(child.ID) func() { return func() {} },
		Reconcile: func(context.Context, *child.Cause) (*status.Reconcile, []child.ID, error) {
			return &status.Reconcile{}, nil, nil
		},
	})
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := srv.Run(ctx); err != nil {
			t.Errorf("the server ended: %v", err)
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	c := client.New(s.Dir)
	t.Cleanup(c.Close)
	return c
}

// declared is set, with the folders that the runtime has: a file declares those.
func declared(s handletest.Stage, set *desired.Set) *desired.Set {
	with := *set
	for _, c := range s.Handle.Children() {
		if !c.Origin.ByRequest {
			with.Entries = append(with.Entries, desired.Entry{ID: c.ID, Spec: c.Spec, Origin: c.Origin})
		}
	}
	return &with
}

// requested takes each request as if it were alone in a directory.
type requested struct{ root string }

func (q requested) Try(_ context.Context, r desired.Request) (desired.Entry, []desired.Problem, error) {
	set, err := desired.Look(desired.Options{Root: q.root, AllowEmpty: true, AnyOwner: true, Requests: func() []desired.Request { return []desired.Request{r} }})
	if err != nil {
		return desired.Entry{}, nil, err
	}
	e, ok := set.Get(r.ID)
	if !ok {
		return e, set.Problems, nil
	}
	return e, nil, nil
}
func (requested) Write(desired.Request) error          { return nil }
func (requested) Show(desired.Request)                 {}
func (requested) Undo(child.ID) error                  { return nil }
func (requested) Get(child.ID) (desired.Request, bool) { return desired.Request{}, false }
func (requested) Delete(child.ID) error                { return nil }
func (requested) Refresh(context.Context) error        { return nil }
