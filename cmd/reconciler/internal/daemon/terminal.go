package daemon

import (
	"os"
	"os/signal"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// terminalLook is how often a run in a terminal looks whether it still has it.
	terminalLook = time.Second

	// hangUpTime is within which SIGHUP and the loss of the terminal are one event.
	// The kernel takes the terminal away before it signals; a shell that passes the
	// signal on comes a moment later, and zsh and bash's huponexit signal their jobs
	// first and end then. The look of each second must fall into it.
	hangUpTime = 2 * terminalLook
)

// terminal tells the SIGHUP of a terminal that is closed from one that somebody sent
// to have the directory looked at: Go does not tell who sent a signal, but only
// the first takes the controlling terminal away (see tty_vhangup in the kernel,
// setsid(2), credentials(7)). Having one is not enough: containers with tty: true
// have one, and are signalled all the same.
type terminal struct {
	open   func() bool // whether there is one now
	there  bool        // at the last look
	lost   time.Time
	hungUp time.Time // the last SIGHUP while it was there
}

// ownTerminal is that of this process; there is none for one that was started with
// nohup, which asked for that.
func ownTerminal() terminal {
	t := terminal{open: openTerminal}
	t.there = !signal.Ignored(unix.SIGHUP) && t.open()
	return t
}

func openTerminal() bool {
	f, err := os.OpenFile("/dev/tty", os.O_RDONLY|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		return false // ENXIO: there is none
	}
	f.Close()
	return true
}

// look reports whether the terminal is gone of which a SIGHUP told before. Without
// one nobody was told: the run was disowned, and goes on.
func (t *terminal) look(now time.Time) bool {
	if !t.there || t.open() {
		return false
	}
	t.there, t.lost = false, now
	return !t.hungUp.IsZero() && now.Sub(t.hungUp) <= hangUpTime
}

// hangUp reports whether a SIGHUP comes of the terminal being closed.
func (t *terminal) hangUp(now time.Time) bool {
	t.look(now)
	if t.there {
		t.hungUp = now
		return false
	}
	return !t.lost.IsZero() && now.Sub(t.lost) <= hangUpTime
}
