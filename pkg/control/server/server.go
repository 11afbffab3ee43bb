package server

import (
	"context"
	"errors"
	"fmt"
	stdlog "log"
	"net"
	"net/http"
	"time"

	"github.com/go-logr/logr"

	"github.com/reconciler-dev/reconciler/pkg/desired"
	"github.com/reconciler-dev/reconciler/pkg/runtime"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
	"github.com/reconciler-dev/reconciler/pkg/status"
)

// Supervisor is the runtime as the socket needs it; *runtime.Handle is one.
type Supervisor interface {
	Children() []*child.Snapshot
	Child(child.ID) (*child.Snapshot, bool)
	Health() runtime.Health
	Add(context.Context, child.ID, *child.Spec, child.Origin, child.Cause) (runtime.Outcome, error)
	Update(context.Context, child.ID, *child.Spec, child.Origin, child.Cause) (runtime.Outcome, error)
	Replace(context.Context, child.ID, *child.Spec, child.Origin, child.Cause) (runtime.Outcome, error)
	Remove(context.Context, child.ID, child.Cause) (runtime.Outcome, error)
	Restart(context.Context, child.ID, child.Cause) (runtime.Outcome, error)
	Pause(context.Context, child.ID, child.Cause) (runtime.Outcome, error)
	Resume(context.Context, child.ID, child.Cause) (runtime.Outcome, error)
	Quarantine(context.Context, child.ID, child.Cause) (runtime.Outcome, error)
	Signal(context.Context, child.ID, string, child.Cause) (runtime.Outcome, error)
	ShutdownTree(context.Context, child.Cause) (*machine.ShutdownReport, error)
	Note(context.Context, machine.Noted) (machine.CommandID, error)
}

// View shows what the status files show, as of now; *status.Writer is one.
type View interface {
	Child(*child.Snapshot) status.Child
	Runtime() status.Runtime
}

// Requests are the children that are declared by request: their bodies, and what those
// mean beside everything else.
type Requests interface {
	Try(context.Context, desired.Request) (desired.Entry, []desired.Problem, error)
	Write(desired.Request) error
	Show(desired.Request)
	Undo(child.ID) error
	Get(child.ID) (desired.Request, bool)
	Delete(child.ID) error
	Refresh(context.Context) error // until Desired holds what was shown and deleted
}

// Options are what a Server answers from. All but Group, Metrics and Log are
// required.
type Options struct {
	// Socket is its path. The directory exists, is the daemon's own, and gets the mode
	// and the group that fit Group.
	Socket     string
	Group      string // who may use the socket beside root and the own user; "": nobody
	Supervisor Supervisor
	View       View
	Desired    func() *desired.Set
	LogDir     string // of the children's output, as package logs writes it
	JournalDir string

	// Requests keeps what is declared through the socket. Hold leaves a child that is
	// about to change to the server until the returned function is called: no pass
	// touches it.
	Requests Requests
	Hold     func(child.ID) (release func())

	// Reconcile makes one pass that sees everything done before, and is called from
	// any goroutine. With confirm, removals that are held back are meant: confirm says
	// by whom, and those that were removed are returned.
	Reconcile func(ctx context.Context, confirm *child.Cause) (pass *status.Reconcile, removed []child.ID, err error)

	// AnswersFile keeps what requests with an Idempotency-Key were answered; "": they
	// are forgotten with the Server.
	AnswersFile string

	// Rate is how many requests a second each user may send; 0: DefaultRate, negative:
	// as many as he likes.
	Rate float64

	// Metrics answers GET /metrics; nil: there is no such route.
	Metrics http.Handler

	Log logr.Logger
}

// limits are how much a client may take.
type limits struct {
	connections int
	header      time.Duration // to send the header of a request, from the first moment on
	body        time.Duration // to send the rest
	idle        time.Duration // between two requests
	write       time.Duration // to read what was written to it
	leave       time.Duration // for the answers under way when the server ends
}

func defaultLimits() limits {
	return limits{
		connections: 64, header: 5 * time.Second, body: 20 * time.Second, idle: time.Minute,
		write: 10 * time.Second, leave: 5 * time.Second,
	}
}

const maxHeader = 16 << 10

// Server is the control socket of one daemon.
type Server struct {
	o        Options
	limits   limits
	access   access
	browsers browsers
	rates    *rates
	declares chan struct{} // has one slot: requests that declare come one after another
	answers  *answerBook
	socket   *socket
	lost     string // why the socket is not in its place, as it was told last
	conns    *conns
	http     *http.Server
	streams  context.Context // ends when the server is told to
	end      context.CancelFunc
}

// New binds the socket; from then on clients may connect, and wait for Run. Close
// gives the socket back if Run is never called.
func New(o Options) (*Server, error) { return newServer(o, defaultLimits()) }

func newServer(o Options, l limits) (*Server, error) {
	gid, err := groupID(o.Group)
	if err != nil {
		return nil, err
	}
	if o.Rate == 0 {
		o.Rate = DefaultRate
	}
	s := &Server{o: o, limits: l, browsers: newBrowsers(), rates: newRates(o.Rate), declares: make(chan struct{}, 1)}
	if s.answers, err = openAnswerBook(o.AnswersFile, time.Now()); err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	if s.socket, err = bind(o.Socket, gid); err != nil {
		_ = s.answers.close() // nothing was asked
		return nil, fmt.Errorf("control socket: %w", err)
	}
	s.access = access{group: gid}
	s.conns = newConns(s.socket.listener, l.connections)
	s.streams, s.end = context.WithCancel(context.Background())
	s.http = &http.Server{
		Handler:           s.handler(),
		ReadHeaderTimeout: l.header,
		ReadTimeout:       l.body,
		WriteTimeout:      l.write + l.body,
		IdleTimeout:       l.idle,
		MaxHeaderBytes:    maxHeader,
		ConnContext:       withConn,
		ErrorLog:          stdlog.New(logWriter{o.Log}, "", 0),
	}
	s.http.Protocols = new(http.Protocols)
	s.http.Protocols.SetHTTP1(true)
	return s, nil
}

// Close lets go of a socket that never ran.
func (s *Server) Close() error {
	s.end()
	return errors.Join(s.socket.close(), s.answers.close())
}

// Run serves until ctx ends. Then streams are cut, the answers under way have a
// moment to be read, and the socket is gone. That the socket breaks ends nothing
// else: it is logged, and children run on.
func (s *Server) Run(ctx context.Context) error {
	served := make(chan error, 1)
	go func() { served <- s.http.Serve(s.conns) }()
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for over := false; !over; {
		select {
		case err := <-served:
			if !errors.Is(err, http.ErrServerClosed) {
				s.o.Log.Error(err, "the control socket is out of order until the next start")
			}
			<-ctx.Done()
			served <- err
			over = true
		case <-look.C:
			s.bindAgain()
		case <-ctx.Done():
			over = true
		}
	}
	s.end()
	leave, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.limits.leave)
	defer cancel()
	if s.http.Shutdown(leave) != nil {
		_ = s.http.Close() // whoever did not read by now will not
	}
	<-served
	s.conns.wait()
	return errors.Join(s.socket.close(), s.answers.close())
}

// logWriter takes the lines of net/http: a client's nonsense, at most.
type logWriter struct{ log logr.Logger }

func (w logWriter) Write(b []byte) (int, error) {
	w.log.V(1).Info("control socket", "reason", string(b))
	return len(b), nil
}

var _ net.Listener = (*conns)(nil)
