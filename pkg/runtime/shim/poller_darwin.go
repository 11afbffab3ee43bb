package shim

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// poller waits for everything that can happen to a shim, in one kqueue. All of it
// but wake belongs to the loop's goroutine.
type poller struct {
	fd     int
	events [256]unix.Kevent_t
	pipe   [2]int // wake writes, wait reads

	// kqueue has no room for two numbers, so they are kept here: by file, and by
	// process.
	files map[uint64]ready
	procs map[uint64]ready
}

func newPoller() (*poller, error) {
	fd, err := unix.Kqueue()
	if err != nil {
		return nil, fmt.Errorf("kqueue: %w", err)
	}
	unix.CloseOnExec(fd)
	p := &poller{fd: fd, files: map[uint64]ready{}, procs: map[uint64]ready{}}
	if err := unix.Pipe(p.pipe[:]); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("pipe: %w", err)
	}
	for _, end := range p.pipe {
		unix.CloseOnExec(end)
		if err := unix.SetNonblock(end, true); err != nil {
			p.close()
			return nil, fmt.Errorf("pipe: %w", err)
		}
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
	p.files[uint64(fd)] = ready{what: what, n: n}
	return p.change(uint64(fd), unix.EVFILT_READ, unix.EV_ADD, 0)
}

// watchProcess reports the end of a process, as long as it is not unwatched.
func (p *poller) watchProcess(proc process, n uint32) error {
	p.procs[uint64(proc.pid)] = ready{what: watchExit, n: n}
	return p.change(uint64(proc.pid), unix.EVFILT_PROC, unix.EV_ADD, unix.NOTE_EXIT)
}

func (p *poller) unwatchProcess(proc process) {
	delete(p.procs, uint64(proc.pid))
	_ = p.change(uint64(proc.pid), unix.EVFILT_PROC, unix.EV_DELETE, 0) // it is gone when it fails
}

// watchTree is for cgroups, which are not here.
func (p *poller) watchTree(int, uint32) error { return errors.ErrUnsupported }

// watchConn chooses whether room to write is reported too.
func (p *poller) watchConn(fd int, write bool) error {
	if write {
		return p.change(uint64(fd), unix.EVFILT_WRITE, unix.EV_ADD, 0)
	}
	return p.change(uint64(fd), unix.EVFILT_WRITE, unix.EV_DELETE, 0)
}

func (p *poller) unwatch(fd int) {
	delete(p.files, uint64(fd))
	_ = p.change(uint64(fd), unix.EVFILT_READ, unix.EV_DELETE, 0) // it is not watched when it fails
}

func (p *poller) change(ident uint64, filter int16, flags uint16, notes uint32) error {
	ev := unix.Kevent_t{Ident: ident, Filter: filter, Flags: flags, Fflags: notes}
	if _, err := unix.Kevent(p.fd, []unix.Kevent_t{ev}, nil, nil); err != nil {
		return fmt.Errorf("kqueue: %w", err)
	}
	return nil
}

// wait appends what happened to into. A negative timeout waits for ever.
func (p *poller) wait(timeout time.Duration, into []ready) ([]ready, error) {
	var limit *unix.Timespec
	if timeout >= 0 {
		ts := unix.NsecToTimespec(int64(timeout))
		limit = &ts
	}
	n, err := unix.Kevent(p.fd, nil, p.events[:], limit)
	if errors.Is(err, unix.EINTR) {
		return into, nil
	}
	if err != nil {
		return into, fmt.Errorf("kqueue: %w", err)
	}
	for _, ev := range p.events[:n] {
		from := p.files
		if ev.Filter == unix.EVFILT_PROC {
			from = p.procs
		}
		r, ok := from[ev.Ident]
		if !ok {
			continue
		}
		if r.what == watchWake {
			drainPipe(p.pipe[0])
		}
		r.hangup = ev.Flags&unix.EV_EOF != 0
		into = append(into, r)
	}
	return into, nil
}
