package shim

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/reconciler-dev/reconciler/internal/private"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/logs"
)

// Config is what a shim is made of.
type Config struct {
	StateDir string // its files are in StateDir/shim, the output of children in StateDir/logs
	Version  string // of the program, for Info

	// CgroupParent is the cgroup2 directory below which children get theirs; ""
	// means the shim's own, found through /proc.
	CgroupParent string
}

// tableRetry is how often a table that could not be written is tried again.
const tableRetry = time.Second

// server is a shim. All of it belongs to the goroutine of run; the launcher's
// goroutines and the signal handler reach it through poller.wake only.
type server struct {
	cfg      Config
	info     Info
	speaks   Protocols
	tag      string
	longTag  string
	lock     *os.File
	poll     *poller
	table    *table
	boot     string
	groups   *groups
	launcher *launcher
	devnull  *os.File
	listener int
	conn     *conn // the brain; nil: none
	chunk    [readChunk]byte
	extra    [maxExtra]byte // what comes with a message
	closer   closer

	units    map[place]*unit
	attempts map[uint32]*attempt
	mine     map[int]*attempt // by pid: children of this process that are not reaped
	exits    map[child.Key]Report
	shared   map[child.ID]*logs.Writer // of hooks, while no main process has one
	timed    map[*attempt]struct{}     // those with a due time: few
	search   []*attempt                // those without a cgroup whose processes are wanted
	count    uint32                    // of attempts, to number them
	starting int                       // jobs with the launcher
	done     bool

	lookAt    time.Time  // when to look at the own directory again
	homeless  string     // why it could not be made again; "": it is there
	moved     []*os.File // locks in directories that were moved away
	socketDev uint64
	socketIno uint64

	stale     time.Time // when to try again to write the table; zero: it is written
	parenting sync.Once // becomeParent
	parent    atomic.Bool
	orphans   chan os.Signal
}

// Serve is a shim: it owns the processes of a state directory until a brain asks
// it to end and it owns none, or until ctx ends; then children run on, and the
// next shim adopts them. It fails when another shim owns the directory.
//
// It changes this process: files that it inherited are closed, its umask is 0022, it
// dumps no core and works in /, signals that were ignored are not, SIGTERM, SIGINT and
// SIGHUP do not end it, and garbage is collected only when it can be.
func Serve(ctx context.Context, cfg Config) error {
	cleanProcess()
	refused := make(chan os.Signal, 1)
	// Not signal.Ignore: children would inherit that.
	signal.Notify(refused, unix.SIGTERM, unix.SIGINT, unix.SIGHUP)
	defer signal.Stop(refused)
	s, err := newServer(cfg)
	if err != nil {
		return fmt.Errorf("shim: %w", err)
	}
	defer s.close()
	if err := os.Chdir("/"); err != nil { // else it would keep a mount busy for good
		return fmt.Errorf("shim: %w", err)
	}
	if err := s.run(ctx); err != nil {
		return fmt.Errorf("shim: %w", err)
	}
	return nil
}

func newServer(cfg Config) (_ *server, err error) {
	s := &server{
		cfg: cfg, listener: -1,
		info:   Info{PID: os.Getpid(), Version: cfg.Version, StartedAt: time.Now(), Capabilities: ownCapabilities()},
		speaks: ours,
		units:  map[place]*unit{}, attempts: map[uint32]*attempt{}, mine: map[int]*attempt{},
		exits: map[child.Key]Report{}, timed: map[*attempt]struct{}{},
		shared: map[child.ID]*logs.Writer{}, orphans: make(chan os.Signal, 1),
	}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if s.cfg.StateDir, err = filepath.Abs(cfg.StateDir); err != nil {
		return nil, err
	}
	// Who starts the shim has judged what leads to the state directory.
	if err := private.Here(s.cfg.StateDir); err != nil {
		return nil, err
	}
	if err := private.Below(shimDir(s.cfg.StateDir)); err != nil {
		return nil, err
	}
	if s.longTag, err = longTagOf(s.cfg.StateDir); err != nil {
		return nil, err
	}
	s.tag = s.longTag[:tagLength]
	if s.lock, err = lock(shimDir(s.cfg.StateDir), s.answers); err != nil {
		return nil, err
	}
	// With the lock, and not before it: the other shim may be about to clear them away.
	for _, dir := range []string{fifoDir(s.cfg.StateDir), logsDir(s.cfg.StateDir)} {
		if err := private.Below(dir); err != nil {
			return nil, err
		}
	}
	if s.devnull, err = os.Open(os.DevNull); err != nil {
		return nil, err
	}
	if s.poll, err = newPoller(); err != nil {
		return nil, err
	}
	s.closer.wake = s.poll.wake
	if s.boot, err = boot(); err != nil {
		return nil, err
	}
	return s, s.begin()
}

// begin reads the table, takes over what lives, and listens.
func (s *server) begin() error {
	if os.Getpid() == 1 {
		s.becomeParent()
	}
	var lines []line
	var err error
	if s.table, lines, err = openTable(tablePath(s.cfg.StateDir), s.boot); err != nil {
		return err
	}
	if len(lines) > 0 && lines[0].Boot == s.boot && lines[0].Tag != "" {
		s.longTag = lines[0].Tag // the directory was made again, and children have the mark of the first
		s.tag = s.longTag[:min(len(s.longTag), tagLength)]
	}
	s.launcher = &launcher{
		stateDir: s.cfg.StateDir, tag: s.tag,
		devnull: s.devnull, shelter: newShelter(), weak: s.becomeParent, wake: s.poll.wake,
	}
	s.recover(lines)
	if err := s.table.rewrite(s.image()); err != nil {
		return err
	}
	s.launcher.groups = s.groups
	s.launcher.run()
	return s.listen()
}

// becomeParent makes the shim find and reap what its children leave behind. As
// init it must reap; where there are no cgroups it wants to.
func (s *server) becomeParent() {
	s.parenting.Do(func() {
		if err := adoptOrphans(); err != nil {
			log.Printf("orphans of children cannot be adopted: %v", err)
		}
		signal.Notify(s.orphans, unix.SIGCHLD)
		s.parent.Store(true)
	})
}

// run is the loop. Each turn takes what happened, then does what it calls for.
func (s *server) run(ctx context.Context) error {
	unhook := context.AfterFunc(ctx, s.poll.wake)
	defer unhook()
	stopWatching := s.watchOrphans()
	defer stopWatching()
	garbage, restore := newCollector()
	defer restore()
	var batch []ready
	for !s.done && ctx.Err() == nil {
		var err error
		if batch, err = s.poll.wait(s.timeout(time.Now()), batch[:0]); err != nil {
			return err
		}
		for _, r := range batch {
			s.handle(r)
		}
		s.takeLaunched()
		s.takeClosed()
		s.lookAtDue(time.Now())
		s.searchMarked()
		s.reapOrphans()
		s.keepTable(time.Now())
		s.keepHome(time.Now())
		s.serveConn()
		if s.starting == 0 {
			garbage.collect()
		}
	}
	return nil
}

// watchOrphans turns SIGCHLD into a turn of the loop, until the function that it
// returns is called.
func (s *server) watchOrphans() (stop func()) {
	end := make(chan struct{})
	var active sync.WaitGroup
	active.Go(func() {
		for {
			select {
			case <-s.orphans:
				s.poll.wake()
			case <-end:
				return
			}
		}
	})
	return func() { close(end); active.Wait() }
}

func (s *server) handle(r ready) {
	a := s.attempts[r.n]
	switch {
	case r.what == watchListener:
		s.accept()
	case r.what == watchConn:
		s.readConn()
	case a == nil: // it was finished earlier in this batch
	case r.what == watchExit:
		s.checkEnd(a)
	case r.what == watchOutput:
		s.copyOutput(a, r.hangup)
	case r.what == watchTree:
		s.settle(a)
	case r.what == watchNotify:
		s.hear(a)
	}
}

// timeout is until when nothing is to be done if nothing happens.
func (s *server) timeout(now time.Time) time.Duration {
	if len(s.search) > 0 {
		return 0
	}
	var first time.Time
	earliest := func(t time.Time) {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	for a := range s.timed {
		earliest(a.due)
	}
	earliest(s.stale)
	earliest(s.lookAt)
	if s.conn != nil {
		earliest(s.conn.greetBy)
	}
	if first.IsZero() {
		return -1
	}
	return max(0, first.Sub(now))
}

// lookAgain has an attempt looked at in a while, or earlier.
func (s *server) lookAgain(a *attempt, in time.Duration) {
	if at := time.Now().Add(in); a.due.IsZero() || at.Before(a.due) {
		a.due = at
	}
	s.timed[a] = struct{}{}
}

func (s *server) lookAtDue(now time.Time) {
	for a := range s.timed {
		if a.due.After(now) {
			continue
		}
		a.due = time.Time{}
		delete(s.timed, a)
		if a.ear.hushed {
			s.listenTo(a)
		}
		s.tell(a)
		s.tellOutput(a)
		if !a.stuck.IsZero() && a.stage == running {
			s.copyOutput(a, false)
		}
		if a.stage == running {
			s.checkEnd(a)
		} else {
			s.settle(a)
		}
	}
}

// write adds a line to the table. When that fails, all of it is written anew
// until it succeeds: what happened has happened.
func (s *server) write(l line) {
	if err := s.table.append(l); err != nil && s.stale.IsZero() {
		log.Printf("%v; trying again", err)
		s.stale = time.Now().Add(tableRetry)
	}
}

// keepTable rewrites the table when it is too long, or lacks something.
func (s *server) keepTable(now time.Time) {
	overdue := !s.stale.IsZero() && !now.Before(s.stale)
	if !overdue && !s.table.bloated() {
		return
	}
	if err := s.table.rewrite(s.image()); err != nil {
		s.stale = now.Add(tableRetry)
		return
	}
	s.stale = time.Time{}
}

// close lets everything go. Children run on.
func (s *server) close() {
	signal.Stop(s.orphans)
	if s.launcher != nil && s.launcher.more != nil {
		s.launcher.stop()
		s.takeLaunched() // what was just started is in the table
	}
	if s.conn != nil {
		unix.Close(s.conn.fd)
	}
	if s.listener >= 0 {
		unix.Close(s.listener)
	}
	for _, a := range s.attempts {
		a.release()
	}
	for id := range s.shared {
		s.closeShared(id)
	}
	if s.table != nil {
		s.table.close()
	}
	if s.poll != nil {
		s.poll.close()
	}
	if s.devnull != nil {
		s.devnull.Close()
	}
	if s.launcher != nil {
		s.launcher.shelter.close()
	}
	for _, moved := range s.moved {
		moved.Close()
	}
	if s.lock != nil {
		s.lock.Close() // last: the next shim may begin
	}
}

// clear removes what a shim without children leaves: it is only files. It says
// why it may not, for people.
func (s *server) clear() error {
	for _, a := range s.attempts {
		return fmt.Errorf("%d attempts are alive, %s (pid %d) among them", len(s.attempts), a.Key, a.PID)
	}
	for at, u := range s.units {
		if left := s.leftovers(u); len(left) > 0 {
			return fmt.Errorf("something that %s left behind is alive: %s", at.id, left[0])
		}
	}
	s.groups.removeBase()
	err := errors.Join(removeAll(fifoDir(s.cfg.StateDir), nil), os.Remove(fifoDir(s.cfg.StateDir)), s.places().clean(nil))
	if err != nil {
		log.Printf("clean up: %v", err)
	}
	return nil
}
