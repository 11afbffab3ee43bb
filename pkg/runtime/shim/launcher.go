package shim

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/reconciler-dev/reconciler/internal/regular"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/logs"
)

// errPopulated says that something lives where a new attempt would be born.
var errPopulated = errors.New("something that an earlier attempt left behind is still alive")

// launcher starts processes in a few goroutines, because a start may be slow: a
// file on a network, a full machine. Two starters reach what two cores give;
// more only make each start slower.
type launcher struct {
	stateDir string
	tag      string // of the state directory, in every mark
	groups   *groups
	devnull  *os.File
	shelter  *shelter
	weak     func() // called before a start without a cgroup
	wake     func() // there is a result

	mu     sync.Mutex // guards what follows
	more   *sync.Cond
	queue  []job // bounded by the brain's start slots
	done   []launched
	closed bool
	active sync.WaitGroup
}

// job is one start. n numbers its attempt.
type job struct {
	Launch
	n      uint32
	token  string
	notify *address // nil: it has no notify socket
}

// launched is what became of a job: a process, or a reason why there is none.
type launched struct {
	n         uint32
	proc      process
	ident     identity
	startedAt time.Time
	weak      bool
	out       int // the end of its output to read from
	log       *logs.Writer
	notify    int // where it may say how it is; -1: nowhere
	failed    *StartFailed
}

// maxStarters bounds how many starts are under way.
const maxStarters = 4

func (l *launcher) run() {
	l.more = sync.NewCond(&l.mu)
	for range min(max(2, runtime.NumCPU()), maxStarters) {
		l.active.Go(l.work)
	}
}

// submit never waits. Jobs of different children may overtake each other.
func (l *launcher) submit(j job) {
	l.mu.Lock()
	l.queue = append(l.queue, j)
	l.mu.Unlock()
	l.more.Signal()
}

// results are the jobs that were done since the last call.
func (l *launcher) results() []launched {
	l.mu.Lock()
	defer l.mu.Unlock()
	done := l.done
	l.done = nil
	return done
}

// stop returns when the starts under way are done; the others are dropped.
func (l *launcher) stop() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.more.Broadcast()
	l.active.Wait()
}

func (l *launcher) work() {
	for {
		j, ok := l.next()
		if !ok {
			return
		}
		result := l.launch(j)
		l.mu.Lock()
		l.done = append(l.done, result)
		l.mu.Unlock()
		l.wake()
	}
}

func (l *launcher) next() (job, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.queue) == 0 && !l.closed {
		l.more.Wait()
	}
	if l.closed {
		return job{}, false
	}
	j := l.queue[0]
	l.queue = l.queue[1:]
	return j, true
}

// launch does one job from beginning to end.
func (l *launcher) launch(j job) launched {
	r := launched{n: j.n, out: -1, notify: -1}
	in, err := l.openOutput(j, &r)
	if err == nil && j.notify != nil {
		if r.notify, err = openNotify(*j.notify); err != nil {
			unix.Close(in)
			err = fmt.Errorf("open its notify socket: %w", err)
		}
	}
	if err == nil {
		err = l.spawn(j, in, &r)
		unix.Close(in)
	}
	if err != nil {
		r.discard()
		_ = os.Remove(fifoPath(l.stateDir, j.Key))
		r.failed = &StartFailed{Key: j.Key, Reason: err.Error(), Busy: errors.Is(err, errPopulated), At: time.Now()}
	}
	return r
}

// discard closes what a failed start has opened, but for its notify socket: the
// server does.
func (r *launched) discard() {
	if r.out >= 0 {
		unix.Close(r.out)
	}
	if r.log != nil {
		_ = r.log.Close() // nothing was written to it
	}
}

// openOutput opens the log and both ends of the FIFO. The child's end is open for
// reading too: so the FIFO never breaks, even while no shim lives.
// What runs beside a main process has no log of its own: see server.logFor.
func (l *launcher) openOutput(j job, r *launched) (in int, err error) {
	if j.Key.Role == child.Main {
		if r.log, err = openLog(l.stateDir, j.Key.ID, j.Log); err != nil {
			return -1, fmt.Errorf("open its log: %w", err)
		}
		// A full disk is no reason not to start: the output waits in the FIFO.
		if err := r.log.Begin(markOfAttempt(j.Key, j.Attempt)); err != nil && !errors.Is(err, unix.ENOSPC) {
			return -1, fmt.Errorf("open its log: %w", err)
		}
	}
	if in, err = l.openFIFO(j, r); err != nil {
		return -1, fmt.Errorf("make a pipe for its output: %w", err)
	}
	return in, nil
}

func markOfAttempt(key child.Key, n child.Attempt) logs.Mark {
	return logs.Mark{Incarnation: key.Incarnation, Generation: key.Generation, Attempt: n, StartedAt: time.Now()}
}

func (l *launcher) openFIFO(j job, r *launched) (in int, err error) {
	path := fifoPath(l.stateDir, j.Key)
	if err := unix.Mkfifo(path, 0o600); err != nil && !errors.Is(err, unix.EEXIST) {
		return -1, err
	}
	if r.out, err = openReader(path); err != nil {
		return -1, err
	}
	in, err = openFIFOEnd(path, unix.O_RDWR)
	if err != nil {
		return -1, err
	}
	if c := j.Credential; c != nil { // "echo > /dev/stdout" opens it again, as that user
		if err := unix.Fchown(in, int(c.UID), int(c.GID)); err != nil {
			unix.Close(in)
			return -1, err
		}
	}
	return in, nil
}

// openReader opens the reading end of a FIFO, for a poller.
func openReader(path string) (int, error) {
	return openFIFOEnd(path, unix.O_RDONLY|unix.O_NONBLOCK)
}

// openFIFOEnd opens what must be a FIFO of ours: it is given to the child's user.
func openFIFOEnd(path string, flags int) (int, error) {
	fd, err := unix.Open(path, flags|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NOCTTY, 0)
	if err != nil {
		return -1, err
	}
	var st unix.Stat_t
	if err = unix.Fstat(fd, &st); err == nil && (st.Mode&unix.S_IFMT != unix.S_IFIFO || st.Nlink != 1) {
		err = fmt.Errorf("%s is no FIFO, or has a second name; remove it", path)
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// spawn starts the process in a cgroup of its own, or without where none can be
// had.
func (l *launcher) spawn(j job, in int, r *launched) error {
	readAhead(j.Path)
	j.Env = append(j.Env[:len(j.Env):len(j.Env)], KeyVariable+"="+markFor(j.Key, l.tag), TokenVariable+"="+j.token)
	if j.notify != nil {
		j.Env = append(j.Env, "NOTIFY_SOCKET="+j.notify.Path)
	}
	files := []uintptr{l.devnull.Fd(), uintptr(in), uintptr(in)}
	group, err := l.groups.make(entryName(j.Key))
	if errors.Is(err, errPopulated) {
		return err
	}
	r.startedAt = time.Now()
	if err == nil {
		r.proc, err = l.fork(j.Launch, files, group)
		unix.Close(group)
		if err != nil {
			_ = l.groups.remove(entryName(j.Key))
		}
		if err != nil && !mayBeTheGroup(err) {
			return explain(j.Launch, err)
		}
	}
	if err != nil {
		r.weak = true
		l.weak()
		if r.proc, err = l.fork(j.Launch, files, -1); err != nil {
			return explain(j.Launch, err)
		}
	}
	r.ident, err = r.proc.identity()
	if err != nil { // it cannot be: the process is a child that nobody reaped
		_ = r.proc.signal(unix.SIGKILL)
		r.proc.close()
	}
	return err
}

func (l *launcher) fork(what Launch, files []uintptr, group int) (process, error) {
	l.shelter.leave()
	defer l.shelter.enter()
	return spawn(what, files, group)
}

// mayBeTheGroup reports whether a start may have failed because the child could
// not be born in its cgroup: the kernel says it with words that it uses for a
// failing execve too. Such a start is tried once more without.
func mayBeTheGroup(err error) bool {
	for _, e := range []error{unix.EACCES, unix.EPERM, unix.EBUSY, unix.EOPNOTSUPP, unix.ENOSYS, unix.EINVAL, unix.EBADF, unix.ENODEV} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// readAhead reads the beginning of the executable. Between fork and exec the
// whole shim may have to wait (the kernel holds the thread, and the garbage
// collector waits for it), so a slow disk is waited for here instead. The path may
// be the child's to swap: see package regular.
func readAhead(path string) {
	fd, _, err := regular.Descriptor(path, regular.Follow)
	if err != nil {
		return // the start says it better
	}
	defer unix.Close(fd)
	var head [512]byte
	_, _ = unix.Pread(fd, head[:], 0)
}

func markFor(key child.Key, tag string) string { return key.String() + "@" + tag }
