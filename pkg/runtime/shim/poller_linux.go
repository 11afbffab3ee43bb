package shim

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// poller waits for everything that can happen to a shim, in one epoll. All of it
// but wake belongs to the loop's goroutine.
type poller struct {
	fd     int
	events [256]unix.EpollEvent
	pipe   [2]int // wake writes, wait reads
}

func newPoller() (*poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	p := &poller{fd: fd}
	if err := unix.Pipe2(p.pipe[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("pipe: %w", err)
	}
	if err := p.watch(p.pipe[0], watchWake, 0); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func (p *poller) close() {
	for _, fd := range []int{p.fd, p.pipe[0], p.pipe[1]} {
		unix.Close(fd)
	}
}

// watch reports fd whenever it is readable or hung up, until unwatch or close.
func (p *poller) watch(fd int, what watch, n uint32) error {
	return p.control(unix.EPOLL_CTL_ADD, fd, unix.EPOLLIN, what, n)
}

// watchProcess reports the end of a process, as long as it is not unwatched.
func (p *poller) watchProcess(proc process, n uint32) error {
	return p.watch(proc.fd, watchExit, n)
}

func (p *poller) unwatchProcess(proc process) { p.unwatch(proc.fd) }

// watchTree reports each change of a cgroup.events file.
func (p *poller) watchTree(fd int, n uint32) error {
	return p.control(unix.EPOLL_CTL_ADD, fd, unix.EPOLLPRI, watchTree, n)
}

// watchConn chooses whether room to write is reported too.
func (p *poller) watchConn(fd int, write bool) error {
	var events uint32 = unix.EPOLLIN
	if write {
		events |= unix.EPOLLOUT
	}
	return p.control(unix.EPOLL_CTL_MOD, fd, events, watchConn, 0)
}

func (p *poller) unwatch(fd int) {
	// It fails only for an fd that is not watched, which is what is wanted.
	_ = unix.EpollCtl(p.fd, unix.EPOLL_CTL_DEL, fd, nil)
}

func (p *poller) control(op, fd int, events uint32, what watch, n uint32) error {
	ev := unix.EpollEvent{Events: events, Fd: int32(what), Pad: int32(n)}
	if err := unix.EpollCtl(p.fd, op, fd, &ev); err != nil {
		return fmt.Errorf("epoll: %w", err)
	}
	return nil
}

// wait appends what happened to into. A negative timeout waits for ever.
func (p *poller) wait(timeout time.Duration, into []ready) ([]ready, error) {
	ms := -1
	if timeout >= 0 {
		ms = int((timeout + time.Millisecond - 1) / time.Millisecond)
	}
	n, err := unix.EpollWait(p.fd, p.events[:], ms)
	if errors.Is(err, unix.EINTR) {
		return into, nil
	}
	if err != nil {
		return into, fmt.Errorf("epoll: %w", err)
	}
	for _, ev := range p.events[:n] {
		if watch(ev.Fd) == watchWake {
			drainPipe(p.pipe[0])
		}
		into = append(into, ready{
			what:   watch(ev.Fd),
			n:      uint32(ev.Pad),
			hangup: ev.Events&(unix.EPOLLHUP|unix.EPOLLERR) != 0,
		})
	}
	return into, nil
}
