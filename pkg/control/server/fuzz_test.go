package server

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/reconciler-dev/reconciler/pkg/control"
	"github.com/reconciler-dev/reconciler/pkg/desired"
	"github.com/reconciler-dev/reconciler/pkg/runtime"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
	"github.com/reconciler-dev/reconciler/pkg/status"
)

// inert is a runtime with one child, which takes every command and does nothing.
type inert struct{ one *child.Snapshot }

func (i inert) Children() []*child.Snapshot { return []*child.Snapshot{i.one} }
func (i inert) Child(id child.ID) (*child.Snapshot, bool) {
	return i.one, id == i.one.ID
}
func (i inert) Health() runtime.Health { return runtime.Health{Alive: true, State: runtime.StateAlive} }

func (i inert) take(id child.ID, c child.Cause) (runtime.Outcome, error) {
	if id != i.one.ID {
		return runtime.Outcome{}, &runtime.CommandError{Code: machine.ErrChildNotFound, Message: "child not found: " + string(id)}
	}
	if len(c.RequestedBy) == 0 || c.RequestedBy[:3] != "me(" {
		panic("requested_by is " + c.RequestedBy)
	}
	return runtime.Outcome{Decision: machine.Accepted}, nil
}

func (i inert) Add(_ context.Context, id child.ID, s *child.Spec, _ child.Origin, _ child.Cause) (runtime.Outcome, error) {
	if _, err := child.ParseID(string(id)); err != nil || s == nil || s.Kind == child.Supervisor {
		panic("what was added is no child: " + string(id))
	}
	return runtime.Outcome{Decision: machine.Accepted}, nil
}
func (i inert) Update(_ context.Context, id child.ID, _ *child.Spec, _ child.Origin, c child.Cause) (runtime.Outcome, error) {
	return i.take(id, c)
}
func (i inert) Replace(_ context.Context, id child.ID, _ *child.Spec, _ child.Origin, c child.Cause) (runtime.Outcome, error) {
	return i.take(id, c)
}
func (i inert) Remove(_ context.Context, id child.ID, c child.Cause) (runtime.Outcome, error) {
	return i.take(id, c)
}
func (i inert) Restart(_ context.Context, id child.ID, c child.Cause) (runtime.Outcome, error) {
	return i.take(id, c)
}
func (i inert) Pause(_ context.Context, id child.ID, c child.Cause) (runtime.Outcome, error) {
	return i.take(id, c)
}
func (i inert) Resume(_ context.Context, id child.ID, c child.Cause) (runtime.Outcome, error) {
	return i.take(id, c)
}
func (i inert) Quarantine(_ context.Context, id child.ID, c child.Cause) (runtime.Outcome, error) {
	return i.take(id, c)
}
func (i inert) Note(_ context.Context, n machine.Noted) (machine.CommandID, error) {
	if _, err := child.ParseID(string(n.Child)); n.Child != "" && err != nil {
		panic("the journal would name what is no child: " + string(n.Child))
	}
	return "run-1", nil
}
func (i inert) Signal(_ context.Context, id child.ID, _ string, c child.Cause) (runtime.Outcome, error) {
	return i.take(id, c)
}
func (i inert) ShutdownTree(_ context.Context, c child.Cause) (*machine.ShutdownReport, error) {
	return &machine.ShutdownReport{Cause: c}, nil
}

func (i inert) view(s *child.Snapshot) status.Child { return status.NewChild(s, status.Declaration{}) }

type inertView struct{ inert }

func (v inertView) Child(s *child.Snapshot) status.Child { return v.view(s) }
func (v inertView) Runtime() status.Runtime              { return status.Runtime{} }

// FuzzConnection lets a client say anything on one connection. The server must
// answer with HTTP whose errors are ours, or hang up; never panic, and never hang.
func FuzzConnection(f *testing.F) {
	for _, seed := range []string{
		"GET /v1/health HTTP/1.1\r\nHost: x\r\n\r\nGET /v1/children/web HTTP/1.1\r\nHost: x\r\n\r\n",
		"POST /v1/children/web/restart HTTP/1.1\r\nHost: x\r\nContent-Length: 14\r\n\r\n{\"reason\":\"x\"}",
		"PUT /v1/children/new HTTP/1.1\r\nHost: x\r\nContent-Length: 24\r\n\r\nname: new\ncommand: [sh]\n",
		"DELETE /v1/children/web HTTP/1.1\r\nHost: x\r\n\r\n", "GET /v1/children?tag=%zz HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /v1/children/web/logs?tail=1 HTTP/1.0\r\n\r\n", "GET /v1/events?since=1&child=a/b HTTP/1.1\r\nHost: x\r\nAccept: application/x-ndjson\r\n\r\n",
		"POST /v1/shutdown HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", "POST /v1/reconcile HTTP/1.1\r\n\r\n",
		"GET /v1/children/..%2f..%2fetc/logs HTTP/1.1\r\nHost: x\r\n\r\n", "GET /v1/plan HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n\r\n",
	} {
		f.Add([]byte(seed))
	}
	one := &child.Snapshot{ID: "web", Spec: &child.Spec{Kind: child.AsyncWorker}, Phase: child.Running}
	set := desired.Merge(nil, desired.Scan{}, desired.Policy{AllowEmpty: true})
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, said []byte) {
		s := &Server{declares: make(chan struct{}, 1), limits: defaultLimits(), rates: newRates(0), answers: &answerBook{kept: map[string]*answerKept{}}, access: access{group: -1}, o: Options{
			Supervisor: inert{one}, View: inertView{inert{one}}, Desired: func() *desired.Set { return set }, LogDir: dir, JournalDir: dir,
			Requests: inertRequests{}, Hold: func(child.ID) func() { return func() {} },
			Reconcile: func(context.Context, *child.Cause) (*status.Reconcile, []child.ID, error) {
				return &status.Reconcile{}, nil, nil
			},
		}}
		s.streams, s.end = context.WithCancel(context.Background())
		s.end() // what is followed ends at once
		client, served := pair(t)
		converse(t, s, served, client, said)
	})
}

// converse says it all and reads every answer.
func converse(t *testing.T, s *Server, served net.Conn, client *net.UnixConn, said []byte) {
	l := &oneConn{conn: make(chan net.Conn, 1), closed: make(chan struct{})}
	l.conn <- served
	s.conns = newConns(l, 4)
	s.conns.identify = func(net.Conn) (peer, error) { return peer{uid: 0, name: "me"}, nil }
	panics := new(panicLog)
	server := &http.Server{Handler: s.handler(), ConnContext: withConn, ReadTimeout: 100 * time.Millisecond, MaxHeaderBytes: maxHeader, ErrorLog: panics.logger()}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = server.Serve(s.conns) }()
	defer func() { _ = server.Close(); _ = client.Close(); <-ended; s.conns.wait() }()
	_ = client.SetDeadline(time.Now().Add(patient))
	written := make(chan struct{})
	go func() {
		defer close(written)
		_, _ = client.Write(said)
		_, _ = client.Write([]byte("\r\n\r\n\x00\r\n\r\n"))
	}()
	r := bufio.NewReader(client)
	for {
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			if ne, ok := err.(net.Error); ok && ne.Timeout() {
				t.Fatalf("no answer and no end to %q", said)
			}
			break
		}
		body, _ := io.ReadAll(resp.Body) // cut short where the connection ends
		if resp.StatusCode >= 400 && resp.Header.Get("Content-Type") == control.TypeJSON && resp.Header.Get(control.HealthHeader) == "" {
			var e control.ErrorBody
			if len(body) > 0 && (json.Unmarshal(body, &e) != nil || e.Error.Code == "" || e.Error.Message == "") {
				t.Fatalf("%d with the body %q", resp.StatusCode, body)
			}
		}
	}
	_ = client.Close()
	<-written
	if text := panics.text(); text != "" {
		t.Fatal(text)
	}
}

// pair are both ends of one connection.
func pair(t *testing.T) (client *net.UnixConn, served net.Conn) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	must(t, err)
	var ends [2]net.Conn
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "socketpair")
		ends[i], err = net.FileConn(f)
		must(t, err)
		must(t, f.Close())
	}
	return ends[0].(*net.UnixConn), ends[1]
}

// oneConn is a listener of one connection.
type oneConn struct {
	conn   chan net.Conn
	closed chan struct{}
}

func (l *oneConn) Accept() (net.Conn, error) {
	select {
	case c := <-l.conn:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}
func (l *oneConn) Close() error {
	select {
	case <-l.closed:
	default:
		close(l.closed)
	}
	return nil
}
func (l *oneConn) Addr() net.Addr { return &net.UnixAddr{} }

// inertRequests takes every request as if nothing else were declared.
type inertRequests struct{}

func (inertRequests) Try(_ context.Context, r desired.Request) (desired.Entry, []desired.Problem, error) {
	set := desired.Merge(nil, desired.Scan{}, desired.Policy{AllowEmpty: true, Requests: []desired.Request{r}})
	e, ok := set.Get(r.ID)
	if !ok {
		return e, []desired.Problem{{Child: r.ID, Reason: "it is not in force"}}, nil
	}
	return e, nil, nil
}
func (inertRequests) Write(desired.Request) error          { return nil }
func (inertRequests) Show(desired.Request)                 {}
func (inertRequests) Undo(child.ID) error                  { return nil }
func (inertRequests) Get(child.ID) (desired.Request, bool) { return desired.Request{}, false }
func (inertRequests) Delete(child.ID) error                { return nil }
func (inertRequests) Refresh(context.Context) error        { return nil }
