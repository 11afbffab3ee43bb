package shim

import (
	"fmt"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// A child whose Launch says Notify gets a datagram socket of its own, named by
// NOTIFY_SOCKET in its environment, on which it may say how it is, as sd_notify(3)
// defines it. The shim owns the socket, so that what is said while no brain lives
// is kept: the sum of it is part of the list. What is said in the moment in which no
// shim lives is refused by the kernel; senders notice.
//
// The socket is a file of mode 0600 that belongs to the child's user (see
// notify_dir.go for where), so the kernel turns away everybody else but root. Of
// those who may send, the kernel tells who did, and only processes of the attempt
// are heard: see speaksFor.

const (
	// noticesATurn and strangersATurn bound how many messages of one child's socket
	// are read in a hush: those that are heard cost the brain something, those of
	// strangers only the look at them. A child that says more waits at its full
	// socket, so that others have their turn.
	noticesATurn   = 256
	strangersATurn = 512
	hush           = 50 * time.Millisecond

	// lastNotices bounds what is read of a socket when its child has ended: more
	// than its queue can hold (net.unix.max_dgram_qlen, 10 to 512).
	lastNotices = 1024
)

// Notice is what an attempt said of itself: in one message, or in all so far.
// What is zero was not said.
type Notice struct {
	Key        child.Key     `json:"key,omitzero"`
	Ready      *bool         `json:"ready,omitempty"` // READY=1; RELOADING=1 and STOPPING=1 take it back
	Status     *string       `json:"status,omitempty"`
	Reloading  bool          `json:"reloading,omitempty"`
	Stopping   bool          `json:"stopping,omitempty"`
	Heartbeat  bool          `json:"heartbeat,omitempty"` // WATCHDOG=1
	Broken     bool          `json:"broken,omitempty"`    // WATCHDOG=trigger
	Every      time.Duration `json:"every,omitempty"`     // WATCHDOG_USEC=
	Extend     time.Duration `json:"extend,omitempty"`    // EXTEND_TIMEOUT_USEC=
	Errno      int           `json:"errno,omitempty"`
	ExitStatus string        `json:"exit_status,omitempty"`
	Refusals   int           `json:"refusals,omitempty"` // messages of its own, or parts of one, that were refused
	Foreign    int           `json:"foreign,omitempty"`  // messages of others, of which nothing is heard
	Refused    string        `json:"refused,omitempty"`  // why the last one was not heard
}

// Notified says what an attempt has just said.
type Notified struct{ Notice }

func (Notified) event() {}

// refuse notes that something was not heard.
func (n *Notice) refuse(format string, args ...any) {
	n.Refusals++
	n.Refused = fmt.Sprintf(format, args...)
}

// foreign notes that somebody else spoke.
func (n *Notice) foreign(why string) {
	n.Foreign++
	n.Refused = why
}

// add makes what was said earlier and what is said now one.
func (n *Notice) add(m Notice) {
	if m.Ready != nil {
		n.Ready, n.Reloading, n.Stopping = m.Ready, m.Reloading, m.Stopping
	}
	if m.Status != nil {
		n.Status = m.Status
	}
	n.Heartbeat, n.Broken = n.Heartbeat || m.Heartbeat, n.Broken || m.Broken
	if m.Every > 0 {
		n.Every = m.Every
	}
	n.Extend = max(n.Extend, m.Extend)
	if m.Errno != 0 {
		n.Errno = m.Errno
	}
	if m.ExitStatus != "" {
		n.ExitStatus = m.ExitStatus
	}
	n.Refusals += m.Refusals
	n.Foreign += m.Foreign
	if m.Refused != "" {
		n.Refused = m.Refused
	}
}

// lasting is what still holds when a new brain hears of it.
func (n *Notice) lasting() *Notice {
	if *n == (Notice{}) {
		return nil
	}
	all := *n
	all.Heartbeat, all.Extend = false, 0
	return &all
}

// ear is where an attempt may say how it is, and what it said.
type ear struct {
	fd      int      // -1: nowhere
	talks   bool     // it was given such a socket
	address *address // nil: an abstract one, of a shim before these had paths
	said    Notice   // so far

	untold Notice    // what the brain has not heard yet
	told   time.Time // when it heard last

	since           time.Time // when the hush began in which these were read
	heard, strange  int
	hushed, closing bool // it is not read: for a while; until what it sent is closed
}

// address is where a socket is and whose.
type address struct {
	Path string `json:"path"`
	UID  uint32 `json:"uid"`
}

// listenTo hears what an attempt has to say.
func (s *server) listenTo(a *attempt) {
	if a.ear.hushed = false; a.ear.fd < 0 || a.ear.closing {
		return
	}
	if err := s.poll.watch(a.ear.fd, watchNotify, a.n); err != nil {
		s.deafen(a)
	}
}

// hear takes what an attempt has said since the last time. Who says too much waits
// for the end of the hush.
func (s *server) hear(a *attempt) {
	e, now := &a.ear, time.Now()
	if now.Sub(e.since) >= hush {
		e.since, e.heard, e.strange = now, 0, 0
	}
	s.readNotices(a, noticesATurn, strangersATurn)
	if e.heard >= noticesATurn || e.strange >= strangersATurn {
		s.poll.unwatch(e.fd)
		e.hushed = true
		s.lookAgain(a, e.since.Add(hush).Sub(now))
	}
	s.tell(a)
}

// hearLastWords takes what an attempt said before it ended.
func (s *server) hearLastWords(a *attempt) {
	if a.ear.fd >= 0 {
		a.ear.heard, a.ear.strange = 0, 0
		s.readNotices(a, lastNotices, lastNotices)
	}
	a.ear.told = time.Time{}
	s.tell(a)
}

// readNotices reads messages, as many as may be and until one came with
// descriptors: see letGo.
func (s *server) readNotices(a *attempt, heard, strange int) {
	e := &a.ear
	before := e.said.Ready
	for e.heard < heard && e.strange < strange && !e.closing {
		d, ok := receive(e.fd, s.chunk[:], s.extra[:])
		if !ok {
			break
		}
		s.take(a, d)
		if len(d.rights) > 0 {
			s.poll.unwatch(e.fd)
			e.closing = true
			s.letGo(a, d.rights)
		}
	}
	if now := e.said.Ready; now != nil && (before == nil || *before != *now) {
		s.write(a.line(lineNotified))
	}
}

// take hears one message, or does not.
func (s *server) take(a *attempt, d datagram) {
	defer d.closePidfd()
	e, one := &a.ear, Notice{}
	why := s.speaksFor(a, d)
	switch {
	case why != "":
		e.strange++
		one.foreign(why)
	case len(d.text) > maxNotice:
		e.heard++
		one.refuse("a message of more than %d bytes from pid %d", maxNotice, d.pid)
	default:
		e.heard++
		one.read(d.text, a.PID)
	}
	e.said.add(one)
	e.untold.add(one)
}

// tell tells the brain what an attempt said, as one, and at most once in a hush:
// what comes sooner is added up.
func (s *server) tell(a *attempt) {
	e, now := &a.ear, time.Now()
	if e.untold == (Notice{}) {
		return
	}
	if rest := e.told.Add(hush).Sub(now); rest > 0 {
		s.lookAgain(a, rest)
		return
	}
	all := e.untold
	e.untold, e.told = Notice{}, now
	all.Key = a.Key
	s.send(message{Notified: &all})
}

// deafen ends the hearing of an attempt. What is unread comes to nothing.
func (s *server) deafen(a *attempt) {
	if a.ear.fd < 0 {
		return
	}
	s.poll.unwatch(a.ear.fd)
	s.letGo(a, []int{a.ear.fd})
	a.ear.fd = -1
	a.ear.address.remove()
}
