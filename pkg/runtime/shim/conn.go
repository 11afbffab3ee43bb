package shim

import (
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/reconciler-dev/reconciler/internal/peercred"
)

const (
	// greetPatience is how long the greeting of a new brain waits for starts that
	// an old one asked for, so that the list is complete. A start that takes longer
	// is told of when it is done.
	greetPatience = 2 * time.Second

	// maxUnread bounds what a brain that does not read may cost. It gets the same
	// and more in the list of its next connection.
	maxUnread = 64 << 20

	readChunk = 64 << 10
)

// conn is the connection of a brain. There is one at a time: the next is accepted
// when the last is at its end and all it said is done, so what an old brain asked
// for is in the list that a new one gets.
type conn struct {
	fd      int
	in      []byte
	out     []byte
	greeted bool      // the list is queued; nothing else is before it
	waiting bool      // for room to write
	last    bool      // it ends when out is written
	greetBy time.Time // when the greeting is due at the latest; zero: it is not
	closed  bool      // by the other end
}

func (s *server) listen() error {
	err := withSocketAddress(shimDir(s.cfg.StateDir), func(sa *unix.SockaddrUnix) error {
		fd, err := openSocket()
		if err != nil {
			return err
		}
		s.listener = fd
		// The lock is ours: a socket that is there is a dead shim's.
		_ = os.Remove(filepath.Join(shimDir(s.cfg.StateDir), socketName))
		if err := unix.Bind(fd, sa); err != nil {
			return err
		}
		if err := os.Chmod(filepath.Join(shimDir(s.cfg.StateDir), socketName), 0o600); err != nil {
			return err
		}
		return unix.Listen(fd, 8)
	})
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	if err := s.noteSocket(); err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	return s.poll.watch(s.listener, watchListener, 0)
}

// answers reports whether a shim is at the socket of this directory.
func (s *server) answers() bool {
	fd, err := dial(shimDir(s.cfg.StateDir))
	if err == nil {
		unix.Close(fd)
	}
	return err == nil || errors.Is(err, unix.EAGAIN) // its queue is full
}

// dial connects to the socket of a shim. A server of anybody else is none.
func dial(dir string) (int, error) {
	fd := -1
	err := withSocketAddress(dir, func(sa *unix.SockaddrUnix) (err error) {
		if fd, err = openSocket(); err != nil {
			return err
		}
		if err = unix.Connect(fd, sa); err == nil {
			err = believe(fd, dir)
		}
		if err != nil {
			unix.Close(fd)
		}
		return err
	})
	return fd, err
}

// believe refuses a server that neither root nor the own user runs: what it would be
// told are command lines and secrets, and what it says is believed.
func believe(fd int, dir string) error {
	uid, err := peercred.UID(fd)
	if err != nil {
		return fmt.Errorf("ask who listens: %w", err)
	}
	return peercred.Trust(filepath.Join(dir, socketName), uid)
}

func (s *server) accept() {
	if s.conn != nil {
		return
	}
	fd, err := acceptSocket(s.listener)
	if err != nil {
		return // it went away again
	}
	if uid, err := peercred.UID(fd); err != nil || uid != 0 && uid != os.Getuid() {
		log.Printf("refused a connection of uid %d: %v", uid, err)
		unix.Close(fd)
		return
	}
	if err := s.poll.watch(fd, watchConn, 0); err != nil {
		log.Print(err)
		unix.Close(fd)
		return
	}
	s.conn = &conn{fd: fd}
	s.poll.unwatch(s.listener)
}

// readConn takes what the brain said. At its end all of it is done before the
// next brain is accepted.
func (s *server) readConn() {
	c := s.conn
	if c == nil || c.closed {
		return
	}
	for range 16 { // 1 MiB a turn: others have a turn too
		n, err := unix.Read(c.fd, s.chunk[:])
		c.in = append(c.in, s.chunk[:max(n, 0)]...)
		if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
			break
		}
		if err != nil || n == 0 {
			c.closed = true
			break
		}
		if n < len(s.chunk) {
			break
		}
	}
	s.obeyAll(c)
}

func (s *server) obeyAll(c *conn) {
	rest := c.in
	for !c.last {
		m, next, ok, err := cutFrame(rest)
		if err != nil {
			log.Printf("the connection of the brain ends: %v", err)
			c.closed = true
		}
		if err != nil || !ok {
			break
		}
		rest = next
		s.obey(m)
	}
	c.in = append([]byte(nil), rest...) // and let a large frame go
}

func (s *server) obey(m message) {
	switch {
	case m.Hello != nil:
		s.greet(*m.Hello)
	case m.Start != nil:
		s.start(*m.Start)
	case m.Signal != nil:
		s.signal(*m.Signal)
	case m.Ack != nil:
		s.acknowledge(*m.Ack)
	case m.Quit:
		s.quit()
	case m.Ping:
		s.send(message{Pong: true})
	}
}

// greet agrees on a version. Without a common one nothing is done to any child:
// the brain goes away, and one that fits takes over later.
func (s *server) greet(h hello) {
	version, ok := h.speaks().common(s.speaks)
	if ok {
		s.info.Protocol = version
		s.conn.greetBy = time.Now().Add(greetPatience)
		return
	}
	s.send(message{Refused: fmt.Sprintf(
		"the running shim (pid %d, version %s) speaks %s, this reconciler %s: the children run on as they are; start the reconciler of version %s again, or one that speaks either",
		s.info.PID, s.info.Version, s.speaks, h.speaks(), s.info.Version)})
	s.conn.last = true
}

// quit ends the shim if it owns nothing.
func (s *server) quit() {
	if s.starting > 0 {
		s.send(message{Refused: "the shim stays: a start is under way"})
		return
	}
	if err := s.clear(); err != nil {
		s.send(message{Refused: "the shim stays: " + err.Error()})
		return
	}
	s.send(message{Bye: true})
	s.done = true
}

// send queues a message for the brain; before the list it is dropped, because the
// list says the same. (A start that failed is told when it is asked for again.)
func (s *server) send(m message) {
	c := s.conn
	if c == nil || c.closed || !c.greeted && m.Refused == "" {
		return
	}
	var err error
	if c.out, err = appendFrame(c.out, m); err != nil {
		log.Print(err)
		c.closed = true
	}
}

// serveConn sends the greeting when it is time, writes what is queued, and ends
// a connection that is at its end.
func (s *server) serveConn() {
	c := s.conn
	if c == nil {
		return
	}
	if !c.greetBy.IsZero() && (s.starting == 0 || time.Now().After(c.greetBy)) {
		c.greetBy, c.greeted = time.Time{}, true
		s.send(message{Listed: s.listing()})
	}
	s.writeConn(c)
	if c.closed || c.last && len(c.out) == 0 || len(c.out) > maxUnread {
		unix.Close(c.fd)
		s.conn = nil
		if err := s.poll.watch(s.listener, watchListener, 0); err != nil {
			log.Print(err)
			s.done = true // the next shim can do better
		}
	}
}

func (s *server) writeConn(c *conn) {
	for len(c.out) > 0 && !c.closed {
		n, err := unix.Write(c.fd, c.out)
		if errors.Is(err, unix.EAGAIN) {
			break
		}
		if err != nil {
			if !errors.Is(err, unix.EINTR) {
				c.closed = true
			}
			continue
		}
		c.out = c.out[n:]
	}
	if len(c.out) == 0 {
		c.out = nil
	}
	if want := len(c.out) > 0; want != c.waiting && !c.closed {
		if s.poll.watchConn(c.fd, want) == nil {
			c.waiting = want
		}
	}
}

// listing is all that a brain must know.
func (s *server) listing() *listing {
	l := &listing{Shim: s.info}
	for _, a := range s.attempts {
		if a.stage != starting {
			p := a.Process
			p.Said, a.ear.untold = a.ear.said.lasting(), Notice{}
			if a.told = a.output(); a.told != (Output{}) {
				now := a.told
				p.Output = &now
			}
			l.Running = append(l.Running, p)
		}
	}
	for _, r := range s.exits {
		l.Exits = append(l.Exits, r)
	}
	return l
}
