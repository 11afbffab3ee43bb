package server

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/reconciler-dev/reconciler/pkg/control"
	"github.com/reconciler-dev/reconciler/pkg/control/client"
	"github.com/reconciler-dev/reconciler/pkg/desired"
	"github.com/reconciler-dev/reconciler/pkg/desired/requests"
	"github.com/reconciler-dev/reconciler/pkg/reconcile"
	"github.com/reconciler-dev/reconciler/pkg/runtime"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/journal"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
	"github.com/reconciler-dev/reconciler/pkg/status"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patient is how long a test waits for what must happen.
const patient = 30 * time.Second

// processes start at once and end when they are told. One called stubborn does not
// end before it is released.
type processes struct {
	events  chan machine.Event
	release chan struct{}
	work    sync.WaitGroup
}

func (p *processes) Start(s machine.Start) {
	p.events <- machine.Started{Process: machine.Process{Key: s.Key, Attempt: s.Attempt, PID: 1000 + int(s.Attempt), StartedAt: time.Now()}}
}

func (p *processes) Signal(s machine.Signal) {
	if s.Signal == "SIGHUP" {
		return
	}
	end := machine.Exited{Key: s.Key, Signal: s.Signal, FinishedAt: time.Now()}
	if s.Key.ID != "stubborn" {
		p.events <- end
		return
	}
	p.work.Go(func() { <-p.release; p.events <- end })
}

func (p *processes) Acknowledge(child.Key)        {}
func (p *processes) Events() <-chan machine.Event { return p.events }

type noRecords struct{}

func (noRecords) Append([]machine.Record) error { return nil }

// declared keeps requests, and says what they mean.
type declared struct {
	*requests.Store
	*desired.Source
}

// house is a daemon but for its processes.
type house struct {
	*client.Client
	t       testing.TB
	dir     string
	procs   *processes
	handle  *runtime.Handle
	loop    *reconcile.Loop
	source  *desired.Source
	store   *requests.Store
	server  *Server
	options Options
}

// build makes a house whose manifests are files, by name; its server does not run.
func build(t testing.TB, files map[string]string, change func(*Options)) *house {
	t.Helper()
	h := &house{t: t, dir: t.TempDir(), procs: &processes{events: make(chan machine.Event, 1000), release: make(chan struct{})}}
	manifests := filepath.Join(h.dir, "manifests")
	for name, text := range files {
		h.write("manifests/"+name, text)
	}
	must(t, os.MkdirAll(manifests, 0o700))
	var err error
	h.store, err = requests.Open(filepath.Join(h.dir, "requests"), nil)
	must(t, err)
	h.source, err = desired.NewSource(desired.Options{Root: manifests, AllowEmpty: true, AnyOwner: true, Requests: h.store.All})
	must(t, err)
	h.run(func(ctx context.Context) { _ = h.source.Run(ctx) })
	until(t, func() string {
		if !h.source.Current().Complete {
			return "the manifests are not read"
		}
		return ""
	})
	must(t, h.source.Settle(t.Context())) // what was just written waits to be quiet
	if bad := h.source.Current().Problems; len(bad) > 0 {
		t.Fatalf("the manifests of the test are broken: %v", bad)
	}
	facts, err := journal.OpenFacts(filepath.Join(h.dir, "journal"))
	must(t, err)
	rt, err := runtime.New(runtime.Config{Processes: h.procs, Records: noRecords{}, Journal: facts, StartSlots: 4})
	must(t, err)
	h.handle = rt.Handle()
	h.loop = reconcile.NewLoop(reconcile.Options{Source: h.source, Supervisor: h.handle, Subscription: h.handle.Subscribe()})
	writer, err := status.NewWriter(filepath.Join(h.dir, "status"), status.Options{
		Children: h.handle, Subscription: h.handle.Subscribe(), Desired: h.source.Current, Info: h.info, Adopted: h.handle.Adopted(),
	})
	must(t, err)
	h.run(func(ctx context.Context) { _ = rt.Run(ctx) })
	h.run(func(ctx context.Context) { _ = h.loop.Run(ctx) })
	h.run(func(ctx context.Context) { _ = writer.Run(ctx) })
	t.Cleanup(func() { close(h.procs.release); h.procs.work.Wait() })
	h.options = Options{
		Socket: filepath.Join(h.dir, control.SocketName), Supervisor: h.handle, View: writer, Desired: h.source.Current,
		LogDir: filepath.Join(h.dir, "logs"), JournalDir: filepath.Join(h.dir, "journal"), Reconcile: h.reconcile, Requests: declared{h.store, h.source}, Hold: h.loop.Hold,
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "up 1\n") }),
	}
	if change != nil {
		change(&h.options)
	}
	h.Client = client.New(h.dir)
	t.Cleanup(h.Client.Close)
	return h
}

// open builds a house whose server runs, and whose children are there.
func open(t testing.TB, files map[string]string) *house {
	t.Helper()
	h := build(t, files, nil)
	h.serve(defaultLimits())
	h.procs.events <- machine.Adopted{}
	_, err := h.Reconcile(t.Context(), control.ReconcileRequest{})
	must(t, err)
	return h
}

// serve runs the server until the test ends.
func (h *house) serve(l limits) {
	h.t.Helper()
	var err error
	h.server, err = newServer(h.options, l)
	must(h.t, err)
	h.run(func(ctx context.Context) {
		if err := h.server.Run(ctx); err != nil {
			h.t.Errorf("the server ended: %v", err)
		}
	})
}

func (h *house) run(f func(context.Context)) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); f(ctx) }()
	stop = sync.OnceFunc(func() { cancel(); <-done })
	h.t.Cleanup(stop)
	return stop
}

func (h *house) write(name, text string) {
	h.t.Helper()
	file := filepath.Join(h.dir, filepath.FromSlash(name))
	must(h.t, os.MkdirAll(filepath.Dir(file), 0o700))
	must(h.t, os.WriteFile(file, []byte(text), 0o600))
}

func (h *house) info() status.Info {
	return status.Info{State: status.State(h.handle.Health().State), PID: 77, Version: "v0.0.0-test", LastReconcile: &status.Reconcile{Trigger: "start", Actions: map[string]int{}, Errors: []status.ReconcileError{}}}
}

func (h *house) reconcile(ctx context.Context, _ *child.Cause) (*status.Reconcile, []child.ID, error) {
	report, err := h.loop.Pass(ctx)
	if err != nil {
		return nil, nil, err
	}
	pass := &status.Reconcile{At: report.At, Duration: child.Seconds(report.Duration), Trigger: string(report.Trigger), Actions: map[string]int{}, Errors: []status.ReconcileError{}}
	for verb, n := range report.Accepted() {
		pass.Actions[string(verb)] = n
	}
	return pass, nil, nil
}

// answered is one answer as a program in another language sees it.
type answered struct {
	code   int
	kind   string
	header http.Header
	body   string
}

// ask sends one request on a connection of its own.
func (h *house) ask(method, path, body string) answered {
	h.t.Helper()
	return h.askAs(method, path, body, nil)
}

func (h *house) askAs(method, path, body string, header http.Header) answered {
	h.t.Helper()
	req, err := http.NewRequestWithContext(h.t.Context(), method, "http://reconciler"+path, strings.NewReader(body))
	must(h.t, err)
	for name, values := range header {
		req.Header[name] = values
	}
	transport := &http.Transport{DialContext: dialer(h.options.Socket), DisableKeepAlives: true}
	resp, err := transport.RoundTrip(req)
	must(h.t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	must(h.t, err)
	return answered{resp.StatusCode, resp.Header.Get("Content-Type"), resp.Header, string(text)}
}

// refusal is the code and the field of an error.
func (a answered) refusal() string {
	var e control.ErrorBody
	if json.Unmarshal([]byte(a.body), &e) != nil {
		return "no error: " + a.body
	}
	return strings.TrimSpace(e.Error.Code + " " + e.Error.Field)
}

// until waits until ok says "".
func until(t testing.TB, ok func() string) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	deadline := time.Now().Add(patient)
	for why := ok(); why != ""; why = ok() {
		if time.Now().After(deadline) {
			t.Fatalf("after %v: %s", patient, why)
		}
		<-tick.C
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// codeOf is the code of a refusal that the client returned.
func codeOf(err error) string {
	var e *control.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

const (
	web    = "name: web\ncommand: [serve]\ntags: [front]\n"
	worker = "name: worker\ncommand: [work]\ntags: [mail, blue]\n"
)

var office = map[string]string{"web.yaml": web, "office/worker.yaml": worker}

func myUID() int { return os.Getuid() }

// panicLog keeps what net/http says of handlers that panic.
type panicLog struct{ said text }

func (p *panicLog) logger() *log.Logger { return log.New(&p.said, "", 0) }

func (p *panicLog) text() string {
	if s := p.said.String(); strings.Contains(s, "panic") {
		return s
	}
	return ""
}
