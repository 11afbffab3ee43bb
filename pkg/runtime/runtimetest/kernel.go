package runtimetest

import (
	"math"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// never is a time that does not come.
const never = time.Duration(math.MaxInt64)

// The process ids of the simulated kernel are few, so that they are used again
// soon: identity by number alone must fail.
const (
	firstPID = 100
	lastPID  = 131
)

// ending is how a process ends: by itself with a code, or by a signal.
type ending struct {
	code   int
	signal string // "" for an exit code
}

// habit is how a process behaves; it is chosen when the process is made.
type habit struct {
	life   time.Duration // until it ends by itself
	ends   ending
	onStop time.Duration // from a stop signal to its end; never: ignores it
	stops  ending
	onKill time.Duration // from SIGKILL to its end: above 0 in an uninterruptible wait

	fork         bool          // it makes a grandchild at once
	forkLife     time.Duration // of the grandchild
	forkEscapes  bool          // the grandchild calls setsid: only a tree kill reaches it
	forkOnStop   time.Duration
	forkOnKill   time.Duration
	readyAfter   time.Duration // until it answers probes
	sickAfter    time.Duration // and when it does so no more
	unstartable  bool          // there is no such executable
	unidentified bool          // a shim that finds it without a line in its table cannot tell what it is
}

// process is one process of the simulated kernel.
type process struct {
	pid     int
	born    uint64 // unique: what the start time and the pidfs inode are to a real shim
	key     child.Key
	main    bool
	escaped bool
	habit   habit
	made    time.Duration
	parent  *shim // who can reap it; init once that is dead
	alive   bool
	dieAt   time.Duration
	ends    ending
}

// kernel holds the processes, and knows the truth about them.
type kernel struct {
	s     *sim
	procs []*process // those alive, and mains whose shim has not looked yet
	pid   int
	born  uint64
}

// fork makes the main process of an attempt, and its grandchild if it has that
// habit. It is the one place where an attempt begins, so it is where "at most
// one attempt" is checked.
func (k *kernel) fork(parent *shim, key child.Key, h habit) *process {
	for _, p := range k.procs {
		if p.alive && placeOf(p.key) == placeOf(key) && (p.main || !k.s.weak) {
			k.s.failf("%s is made while pid %d of %s lives (main: %v)", key, p.pid, p.key, p.main)
		}
	}
	k.s.truth.inTurn(key)
	k.s.truth.started(key)
	p := k.make(parent, key, true, h)
	p.dieAt, p.ends = after(k.s.now, h.life), h.ends
	if h.fork {
		g := k.make(parent, key, false, habit{onStop: h.forkOnStop, stops: ending{signal: "SIGTERM"}, onKill: h.forkOnKill})
		g.escaped = h.forkEscapes
		g.dieAt = after(k.s.now, h.forkLife)
	}
	return p
}

func (k *kernel) make(parent *shim, key child.Key, main bool, h habit) *process {
	k.born++
	p := &process{pid: k.freePID(), born: k.born, key: key, main: main, habit: h, parent: parent, alive: true, dieAt: never, made: k.s.now}
	k.procs = append(k.procs, p)
	return p
}

// stranger makes a process that has nothing to do with us. It likes to take the
// number of one that just died.
func (k *kernel) stranger(life time.Duration) {
	p := k.make(nil, child.Key{}, false, habit{})
	p.dieAt = k.s.now + life
}

func (k *kernel) strangers() int { return k.leftovers(child.Key{}) }

// freePID is the next number that is not in use, or the lowest.
func (k *kernel) freePID() int {
	if k.s.chance(50) {
		k.pid = firstPID - 1
	}
	for range lastPID - firstPID + 1 {
		if k.pid++; k.pid < firstPID || k.pid > lastPID {
			k.pid = firstPID
		}
		if k.byPID(k.pid) == nil {
			return k.pid
		}
	}
	panic("runtimetest: the simulated kernel is out of process ids")
}

// byPID is the process that has this number now, alive or a zombie.
func (k *kernel) byPID(pid int) *process {
	for _, p := range k.procs {
		if p.pid == pid {
			return p
		}
	}
	return nil
}

// mainOf is the live main process of an attempt, if there is one.
func (k *kernel) mainOf(key child.Key) *process {
	for _, p := range k.procs {
		if p.alive && p.main && p.key == key {
			return p
		}
	}
	return nil
}

// populated reports whether an attempt has a process. Without cgroups only the
// main process can be found, by the mark in its environment.
func (k *kernel) populated(key child.Key) bool {
	for _, p := range k.procs {
		if p.alive && p.key == key && (p.main || !k.s.weak) {
			return true
		}
	}
	return false
}

// populatedPlace is populated for all attempts of one role of a child.
func (k *kernel) populatedPlace(key child.Key) bool {
	for _, p := range k.procs {
		if p.alive && placeOf(p.key) == placeOf(key) && (p.main || !k.s.weak) {
			return true
		}
	}
	return false
}

// leftovers counts the live processes of an attempt.
func (k *kernel) leftovers(key child.Key) int {
	n := 0
	for _, p := range k.procs {
		if p.alive && p.key == key {
			n++
		}
	}
	return n
}

// kill delivers one signal to one process.
func (k *kernel) kill(p *process, signal string) {
	if !p.alive {
		return
	}
	wait, ends := p.habit.onStop, p.habit.stops
	switch signal {
	case "SIGKILL":
		wait, ends = p.habit.onKill, ending{signal: "SIGKILL"}
	case "SIGHUP", "SIGUSR1": // handled, and life goes on
		return
	}
	if at := after(k.s.now, wait); at < p.dieAt {
		p.dieAt, p.ends = at, ends
	}
}

// killGroup is kill(-pgid): it spares who called setsid.
func (k *kernel) killGroup(key child.Key, signal string) {
	for _, p := range k.procs {
		if p.key == key && !p.escaped {
			k.kill(p, signal)
		}
	}
}

// killTree is cgroup.kill: nobody is spared.
func (k *kernel) killTree(key child.Key) {
	for _, p := range k.procs {
		if p.key == key {
			k.kill(p, "SIGKILL")
		}
	}
}

// due is a process whose end has come; next is when the next one comes.
func (k *kernel) due() *process {
	for _, p := range k.procs {
		if p.alive && p.dieAt <= k.s.now {
			return p
		}
	}
	return nil
}

func (k *kernel) next() time.Duration {
	at := never
	for _, p := range k.procs {
		if p.alive {
			at = min(at, p.dieAt)
		}
	}
	return at
}

// end makes a process die. Its exit status stays for its parent; without one,
// init takes it, and nobody can ask any more.
func (k *kernel) end(p *process) {
	p.alive = false
	k.s.logf("kernel: pid %d of %s ends: %v", p.pid, p.key, p.ends)
	if p.main {
		k.s.truth.ended(p.key, p.ends)
	}
	if !p.main || p.parent == nil {
		k.reap(p)
	}
}

func (k *kernel) reap(p *process) {
	for i, q := range k.procs {
		if q == p {
			k.procs = append(k.procs[:i], k.procs[i+1:]...)
			return
		}
	}
}

// orphan is the death of a shim: init inherits its children and takes the exit
// status of those that have ended.
func (k *kernel) orphan(dead *shim) {
	kept := k.procs[:0]
	for _, p := range k.procs {
		if p.parent == dead {
			p.parent = nil
		}
		if p.alive || p.parent != nil {
			kept = append(kept, p)
		}
	}
	k.procs = kept
}

func after(now, d time.Duration) time.Duration {
	if d == never {
		return never
	}
	return now + d
}
