package shim

import (
	"crypto/rand"
	"encoding/hex"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/logs"
)

// place is where at most one attempt lives at a time: a child has one for itself
// and one for each other role.
type place struct {
	id   child.ID
	role child.Role
}

func placeOf(key child.Key) place { return place{key.ID, key.Role} }

// unit is what a shim knows of one place.
type unit struct {
	last   child.Key    // the newest key for which a start was tried
	failed *StartFailed // why there is no process of last, if that is so
	cur    *attempt     // the live attempt; nil: there is none

	// left are reported attempts of which something still lived then. A start
	// waits for them.
	left []*attempt

	closing int // how many goroutines close what it sent: see closer
}

// stage is how far an attempt has come.
type stage int

const (
	starting stage = iota // with the launcher
	running               // its main process lives
	draining              // its main process ended; its tree, or its output, is not done
)

const (
	// killPatience is how long a tree may take to vanish after SIGKILL before its
	// exit is reported with what is left of it.
	killPatience = 2 * time.Second

	// rekill is how often a tree is killed meanwhile: without cgroup.kill, a
	// process may be born while the others are killed.
	rekill = 20 * time.Millisecond

	// logRetry is how often output that could not be written is tried again. Until
	// then the child waits at its full pipe; nothing is lost.
	logRetry = time.Second

	// logPatience is how long the exit of a child waits for that: longer, and a
	// full disk would keep everything from being restarted. What was in the pipe,
	// 64 KiB at most, is lost then.
	logPatience = 5 * time.Second

	// reapPatience is how long the status of a process that an earlier shim
	// started is waited for: init reaps it first. It ends where PID 1 reaps nobody.
	reapPatience = 300 * time.Millisecond
	reapLook     = 5 * time.Millisecond
)

// attempt is one attempt that is not reported yet.
type attempt struct {
	Process
	n     uint32
	unit  *unit
	stage stage
	mark  string // in the environment of its processes
	token string // likewise; proves the mark
	group string // the name of its cgroup
	log   *logs.Writer
	out   int // the reading end of its output; -1: there is none

	ear    ear
	policy logs.Policy
	tail   tail    // of its output; only of what is beside a main process
	proc   process // fd -1: it ended before this shim began
	ident  identity
	mine   bool      // this process is its parent, and it is not reaped
	blind  bool      // its end cannot be watched
	before child.Key // what the unit's last was before it

	report   *Report       // set when its main process ended
	stopping bool          // its tree got a signal: the brain will say when to kill
	killed   bool          // its tree got SIGKILL
	events   int           // cgroup.events, open while the tree is waited for; -1: not
	asked    bool          // it is in server.search
	waiting  []signalOrder // signals that came during the start
	dying    []process     // those of it that were killed without a cgroup, and may not be gone

	due      time.Time // when to look at it again; zero: when something happens
	giveUp   time.Time // when a killed tree is reported with its leftovers
	stuck    time.Time // since when its output cannot be written; zero: it can
	unreaped time.Time // since when init has not reaped it

	// What becomes of its output: see Output.
	blocked           string    // why it cannot be written; "": it can
	unwatched         bool      // it is not read, until it can be written
	retry             time.Time // when that is tried again
	dropped, unmarked uint64    // bytes, and those of them of which the log does not tell yet
	told              Output
	toldAt            time.Time
}

// signalOrder is a signalRequest whose name was understood.
type signalOrder struct {
	sig  unix.Signal
	tree bool
}

// line is what the table says of the attempt.
func (a *attempt) line(kind lineKind) line {
	l := line{Kind: kind, Key: a.Key}
	switch kind {
	case lineIntent:
		l.Attempt, l.SpecHash, l.Log, l.StartedAt, l.Token = a.Attempt, a.SpecHash, &a.policy, a.StartedAt, a.token
		l.Talks, l.Notify = a.ear.talks, a.ear.address
	case lineStarted:
		l.PID, l.Identity, l.StartedAt, l.Weak = a.PID, a.ident, a.StartedAt, a.WeakKill
	case lineNotified:
		l.Said = a.ear.said.lasting()
	case lineExited:
		l.Report = a.report
	}
	return l
}

// marked reports whether a process carries the mark of the attempt, and its token:
// all that an attempt of an earlier version has is the mark, which anybody can forge.
func (a *attempt) marked(pid int) bool {
	return markOf(pid) == a.mark && (a.token == "" || variableOf(pid, TokenVariable) == a.token)
}

// newToken is one that nobody guesses.
func newToken() string {
	var b [16]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// isMain reports whether the attempt is a child itself, and not beside one.
func (a *attempt) isMain() bool { return a.Key.Role == child.Main }

// forgetDead lets those of dying go that are gone.
func (a *attempt) forgetDead() {
	a.dying = slices.DeleteFunc(a.dying, func(p process) bool {
		end, _ := p.peek()
		if end != alive {
			p.close()
		}
		return end != alive
	})
}

// release closes what the attempt holds, but for its notify socket: see server.deafen.
func (a *attempt) release() {
	for _, fd := range []*int{&a.out, &a.events} {
		if *fd >= 0 {
			unix.Close(*fd)
			*fd = -1
		}
	}
	for _, p := range a.dying {
		p.close()
	}
	a.dying = nil
	if a.log != nil {
		_ = a.log.Close()
	}
	if a.proc.fd >= 0 {
		a.proc.close()
		a.proc.fd = -1
	}
}
