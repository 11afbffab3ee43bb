package shim

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// A child whose Launch says Notify gets a datagram socket of its own, named by
// NOTIFY_SOCKET in its environment, on which it may say how it is, as sd_notify(3)
// defines it. The shim owns the socket, so that what is said while no brain lives
// is kept: the sum of it is part of the list. What is said in the moment in which no
// shim lives is refused by the kernel; senders notice.
//
// The name is an abstract one (it begins with "@"), because a child that runs as
// another user cannot enter the state directory. Anybody may send to it, so the
// kernel tells who did, and only processes of the attempt are heard.

const (
	// maxNotice is how long one message may be, as for systemd.
	maxNotice = 4096

	// maxStatus is how much of a STATUS= is kept.
	maxStatus = 512

	// noticesATurn bounds how many messages of one child are read together. A child
	// that says more waits for a moment, so that others have their turn.
	noticesATurn = 16
	hush         = 50 * time.Millisecond
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
	Refusals   int           `json:"refusals,omitempty"` // messages, or parts of one, that were refused
	Refused    string        `json:"refused,omitempty"`  // why the last one was
}

// Notified says what an attempt has just said.
type Notified struct{ Notice }

func (Notified) event() {}

// refuse notes that something was not heard.
func (n *Notice) refuse(format string, args ...any) {
	n.Refusals++
	n.Refused = fmt.Sprintf(format, args...)
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

// read takes one message: lines of NAME=value.
func (n *Notice) read(message []byte, main int) {
	yes, no := true, false
	monotonic := bytes.Contains(message, []byte("MONOTONIC_USEC="))
	for line := range bytes.SplitSeq(message, []byte{'\n'}) {
		name, value, ok := strings.Cut(string(line), "=")
		if !ok {
			continue
		}
		switch name {
		case "READY":
			if value == "1" {
				n.add(Notice{Ready: &yes})
			}
		case "RELOADING":
			if value == "1" {
				n.add(Notice{Ready: &no, Reloading: true})
				if !monotonic {
					n.refuse("RELOADING=1 came without MONOTONIC_USEC=, which sd_notify(3) wants; it was heard all the same")
				}
			}
		case "STOPPING":
			if value == "1" {
				n.add(Notice{Ready: &no, Stopping: true})
			}
		case "STATUS":
			text := clean(value)
			n.Status = &text
		case "WATCHDOG":
			n.Heartbeat, n.Broken = n.Heartbeat || value == "1", n.Broken || value == "trigger"
		case "WATCHDOG_USEC":
			n.Every = n.micros(name, value)
		case "EXTEND_TIMEOUT_USEC":
			n.Extend = max(n.Extend, n.micros(name, value))
		case "ERRNO":
			n.Errno = n.number(name, value)
		case "EXIT_STATUS":
			n.ExitStatus = strconv.Itoa(n.number(name, value))
		case "MAINPID":
			if pid := n.number(name, value); pid != main {
				n.refuse("MAINPID=%d is not the process that was started (%d); run it in the foreground", pid, main)
			}
		}
	}
}

func (n *Notice) number(name, value string) int {
	i, err := strconv.Atoi(value)
	if err != nil || i < 0 {
		n.refuse("%s=%.20q is no number", name, value)
		return 0
	}
	return i
}

func (n *Notice) micros(name, value string) time.Duration {
	us, err := strconv.ParseUint(value, 10, 64)
	if err != nil || us > math.MaxInt64/1000 {
		n.refuse("%s=%.20q is no number of microseconds", name, value)
		return 0
	}
	return time.Duration(us) * time.Microsecond
}

// clean makes text that a stranger wrote fit for one line of a terminal.
func clean(s string) string {
	s = strings.ToValidUTF8(s[:min(len(s), maxStatus+utf8.UTFMax)], "\uFFFD")
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
	for len(s) > maxStatus {
		_, size := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-size]
	}
	return s
}

// notifyName is the abstract name of the socket of an attempt.
func notifyName(key child.Key, tag string) string {
	sum := sha256.Sum256([]byte(entryName(key)))
	return "@reconciler/" + tag + "/" + hex.EncodeToString(sum[:12])
}

// listenTo hears what an attempt has to say.
func (s *server) listenTo(a *attempt) {
	if a.hushed = false; a.notify < 0 {
		return
	}
	if err := s.poll.watch(a.notify, watchNotify, a.n); err != nil {
		s.deafen(a)
	}
}

func (s *server) deafen(a *attempt) {
	if a.notify >= 0 {
		s.poll.unwatch(a.notify)
		unix.Close(a.notify)
		a.notify = -1
	}
}

// hear takes what an attempt has said since the last time, as one.
func (s *server) hear(a *attempt) {
	said, n := Notice{}, 0
	for ; n < noticesATurn; n++ {
		message, sender, close, ok := receive(a.notify, s.chunk[:])
		if !ok {
			break
		}
		switch {
		case len(message) > maxNotice:
			said.refuse("a message of more than %d bytes from pid %d", maxNotice, sender)
		case !s.speaksFor(a, sender):
			said.refuse("a message from pid %d, which is no process of this attempt, or is gone already", sender)
		default:
			said.read(message, a.PID)
		}
		close() // who sent BARRIER=1 waits for that
	}
	if n == noticesATurn { // the kernel keeps some more, then the sender waits
		s.poll.unwatch(a.notify)
		a.hushed = true
		s.lookAgain(a, hush)
	}
	if said == (Notice{}) {
		return
	}
	before := a.said.Ready
	a.said.add(said)
	if said.Ready != nil && (before == nil || *before != *said.Ready) {
		s.write(a.line(lineNotified))
	}
	said.Key = a.Key
	s.send(message{Notified: &said})
}

// speaksFor reports whether a process belongs to an attempt.
func (s *server) speaksFor(a *attempt, pid int) bool {
	if pid <= 1 {
		return false
	}
	if pid == a.PID && a.stage == running {
		return true
	}
	proc, err := openProcess(pid)
	if err != nil {
		return false
	}
	defer proc.close()
	if !a.WeakKill {
		return s.groups.holds(a.group, proc)
	}
	return s.owns(a, pid)
}
