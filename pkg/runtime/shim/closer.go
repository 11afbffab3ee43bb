package shim

import (
	"fmt"
	"sync"

	"golang.org/x/sys/unix"
)

// maxClosing is how many closes of one child may hang before it gets no more
// sockets. Each holds a thread, and 10,000 of those end a Go program.
const maxClosing = 4

// closer closes descriptors that a child sent or may have sent: they may hang. The
// last close of a TCP socket with SO_LINGER waits for as long as its owner chose
// (socket(7); measured: 4 s of 4), and each close of a file in FUSE for its server;
// a datagram that is dropped unread closes what is in it. So they are closed in
// goroutines of their own, one for each message. Nothing can cancel them but the end
// of the process, and nobody waits for them.
type closer struct {
	wake func()

	mu   sync.Mutex // guards done
	done []closed
}

// closed says that what an attempt had sent, or its socket, is closed.
type closed struct {
	unit *unit
	n    uint32
}

// letGo closes descriptors without waiting for it. takeClosed is told.
func (s *server) letGo(a *attempt, fds []int) {
	a.unit.closing++
	c := closed{unit: a.unit, n: a.n}
	go s.closer.close(fds, c)
}

func (c *closer) close(fds []int, what closed) {
	for _, fd := range fds {
		unix.Close(fd)
	}
	c.mu.Lock()
	c.done = append(c.done, what)
	c.mu.Unlock()
	c.wake()
}

// takeClosed hears on those whose descriptors are closed.
func (s *server) takeClosed() {
	s.closer.mu.Lock()
	done := s.closer.done
	s.closer.done = nil
	s.closer.mu.Unlock()
	for _, c := range done {
		c.unit.closing--
		if a := s.attempts[c.n]; a != nil && a.ear.closing {
			a.ear.closing = false
			s.listenTo(a)
		}
	}
}

// cannotClose says why a child may have no other notify socket; "" if it may.
func (u *unit) cannotClose() string {
	if u.closing < maxClosing {
		return ""
	}
	return fmt.Sprintf("what earlier attempts sent as descriptors on their notify sockets cannot be closed (%d times): "+
		"a socket that lingers, or a file of a file system that does not answer", u.closing)
}
