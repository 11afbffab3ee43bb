package shim

import (
	"fmt"
	"log"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// start answers a Start, at once or when the launcher is done. Asking twice for
// one key gives the same answer twice and one process.
func (s *server) start(l Launch) {
	if _, err := child.ParseID(string(l.Key.ID)); err != nil || !filepath.IsAbs(l.Path) || len(l.Args) == 0 {
		s.send(message{StartFailed: s.failure(l.Key, fmt.Sprintf("start %q: not a whole launch", l.Path))})
		return
	}
	u := s.unitOf(l.Key)
	if s.repeat(u, l.Key) {
		return
	}
	if busy := s.inTheWay(u); busy != "" {
		f := s.failure(l.Key, busy)
		f.Busy = true
		s.send(message{StartFailed: f})
		return
	}
	if !u.last.OlderThan(l.Key) && !l.Key.Role.IsProbe() { // nobody counts probes over the lives of a brain
		s.send(message{StartFailed: s.failure(l.Key, fmt.Sprintf("refused: %s was tried already, and %s is not newer", u.last, l.Key))})
		return
	}
	s.launch(u, l)
}

// repeat gives the answer that a key got before, if it did.
func (s *server) repeat(u *unit, key child.Key) bool {
	if u.cur != nil && u.cur.Key == key {
		if u.cur.stage != starting { // else the answer is under way
			s.send(message{Started: &u.cur.Process})
		}
		return true
	}
	if r, ok := s.exits[key]; ok {
		s.send(message{Exited: &r})
		return true
	}
	if u.failed != nil && u.failed.Key == key {
		s.send(message{StartFailed: u.failed})
		return true
	}
	return false
}

// inTheWay says what of this ID is still alive; "" if nothing is.
func (s *server) inTheWay(u *unit) string {
	if u.cur != nil {
		return fmt.Sprintf("attempt %s is alive, pid %d", u.cur.Key, u.cur.PID)
	}
	if left := s.leftovers(u); len(left) > 0 {
		return "an earlier attempt left behind what cannot be killed: " + strings.Join(left, ", ")
	}
	return ""
}

// leftovers are the processes of reported attempts that are still alive. It
// forgets the attempts of which nothing is.
func (s *server) leftovers(u *unit) []string {
	var all []string
	var still []*attempt
	for _, a := range u.left {
		if left := s.living(a); len(left) > 0 || s.groups.remove(a.group) != nil {
			still, all = append(still, a), append(all, left...)
		}
	}
	u.left = still
	return all
}

// living names the processes of an attempt, other than its main one.
func (s *server) living(a *attempt) []string {
	var pids []int
	switch {
	case a.WeakKill:
		pids = findMarked([]*attempt{a})[a]
	case s.groups.populated(a.group):
		pids = s.groups.members(a.group)
		if len(pids) == 0 {
			return []string{"a process that cannot be seen from here"}
		}
	}
	names := make([]string, 0, len(pids))
	for _, pid := range pids {
		names = append(names, describe(pid))
	}
	return names
}

func (s *server) failure(key child.Key, reason string) *StartFailed {
	return &StartFailed{Key: key, Reason: reason, At: time.Now()}
}

// unitOf is the unit that an attempt belongs to.
func (s *server) unitOf(key child.Key) *unit {
	u := s.units[placeOf(key)]
	if u == nil {
		u = &unit{last: child.Key{ID: key.ID, Role: key.Role}}
		s.units[placeOf(key)] = u
	}
	return u
}

// launch writes the intent down, then hands the job over.
func (s *server) launch(u *unit, l Launch) {
	a := s.newAttempt(u, l.Key)
	a.Attempt, a.SpecHash, a.policy, a.StartedAt, a.token = l.Attempt, l.SpecHash, l.Log, time.Now(), newToken()
	err := s.giveAddress(a, l)
	if err == nil {
		err = s.table.append(a.line(lineIntent))
	}
	if err != nil {
		delete(s.attempts, a.n)
		s.send(message{StartFailed: s.failure(l.Key, err.Error())})
		return
	}
	u.cur, u.last, u.failed = a, l.Key, nil
	s.starting++
	if a.isMain() {
		s.closeShared(l.Key.ID)
	}
	s.launcher.submit(job{Launch: l, n: a.n, token: a.token, notify: a.ear.address})
}

func (s *server) newAttempt(u *unit, key child.Key) *attempt {
	s.count++
	a := &attempt{
		Process: Process{Key: key}, n: s.count, unit: u, before: u.last,
		mark: markFor(key, s.tag), group: entryName(key), out: -1, events: -1, ear: ear{fd: -1}, proc: process{fd: -1},
	}
	s.attempts[a.n] = a
	return a
}

// takeLaunched takes what the launcher has done.
func (s *server) takeLaunched() {
	for _, r := range s.launcher.results() {
		s.starting--
		a := s.attempts[r.n]
		a.ear.fd = r.notify
		if r.failed != nil {
			s.notStarted(a, r.failed)
			continue
		}
		a.stage, a.mine = running, true
		a.proc, a.PID, a.ident, a.StartedAt = r.proc, r.proc.pid, r.ident, r.startedAt
		a.WeakKill, a.out, a.log = r.weak, r.out, r.log
		s.mine[a.PID] = a
		s.write(a.line(lineStarted))
		s.watch(a)
		s.send(message{Started: &a.Process})
		for _, o := range a.waiting {
			s.deliver(a, o)
		}
		a.waiting = nil
	}
}

// notStarted forgets an attempt that has no process. Where something was in the
// way the same key may be tried again, so the fence goes back.
func (s *server) notStarted(a *attempt, f *StartFailed) {
	u := a.unit
	s.deafen(a)
	delete(s.attempts, a.n)
	u.cur = nil
	if f.Busy {
		u.last = a.before
		s.write(line{Kind: lineFence, Key: u.last})
	} else {
		u.failed = f
		s.write(line{Kind: lineFailed, Key: a.Key})
	}
	s.send(message{StartFailed: f})
}

// watch waits for the end and the output of an attempt. What cannot be watched is
// looked at now and then.
func (s *server) watch(a *attempt) {
	if err := s.poll.watchProcess(a.proc, a.n); err != nil {
		log.Printf("%s: %v; looking at it every second", a.Key, err)
		a.blind = true
		s.lookAgain(a, 0)
	}
	s.listenTo(a)
	if a.out < 0 {
		return
	}
	if err := s.poll.watch(a.out, watchOutput, a.n); err != nil {
		log.Printf("%s: %v; looking at it every second", a.Key, err)
		a.stuck, a.unwatched = time.Now(), true
		s.lookAgain(a, logRetry)
	}
}

// signal carries out a Signal, now or when the attempt has started.
func (s *server) signal(r signalRequest) {
	u := s.units[placeOf(r.Key)]
	if u == nil || u.cur == nil || u.cur.Key != r.Key {
		return // it ended; its report says so
	}
	sig := signalNumber(r.Signal)
	if sig == 0 {
		log.Printf("%s: no signal is called %q", r.Key, r.Signal)
		return
	}
	o := signalOrder{sig: sig, tree: r.Tree}
	if u.cur.stage == starting {
		if o.tree && sig == unix.SIGKILL && s.groups.populated(u.cur.group) {
			_ = s.groups.kill(u.cur.group) // it hangs before its exec: this ends the start
		}
		u.cur.waiting = append(u.cur.waiting, o)
		return
	}
	s.deliver(u.cur, o)
}

// signalNumber is the signal of a name; 0: there is none.
func signalNumber(name string) unix.Signal {
	if number, ok := child.RealTimeSignal(name); ok {
		return unix.Signal(number)
	}
	return unix.SignalNum(name)
}

// deliver sends a signal: to the main process; to its process group, so that a
// daemon whose workers have sessions of their own may end them in its own way; or,
// for SIGKILL, to everything.
func (s *server) deliver(a *attempt, o signalOrder) {
	var err error
	switch {
	case o.tree && o.sig == unix.SIGKILL:
		s.killTree(a)
	case a.stage != running: // what is left of it waits for SIGKILL
	case o.tree:
		if !a.stopping {
			a.stopping = true
			s.write(a.line(lineStopping)) // before the signal: a shim that is killed now is followed by one that knows
		}
		err = s.signalGroup(a, o.sig)
	default:
		err = a.proc.signal(o.sig)
	}
	if err != nil && err != unix.ESRCH {
		log.Printf("%s: signal %s: %v", a.Key, signalName(o.sig), err)
	}
}

// signalGroup signals the process group that the main process founded. Its number
// is its own as long as the main process is not reaped, so that is checked first.
func (s *server) signalGroup(a *attempt, sig unix.Signal) error {
	if end, _ := a.proc.peek(); end == ended && !a.mine {
		return unix.ESRCH
	}
	return kill(-a.PID, sig)
}

// killTree ends everything of an attempt.
func (s *server) killTree(a *attempt) {
	a.killed = true
	if a.stage == draining && a.giveUp.IsZero() {
		a.giveUp = time.Now().Add(killPatience)
		s.lookAgain(a, killPatience)
	}
	if a.WeakKill {
		if a.stage == running {
			_ = s.signalGroup(a, unix.SIGKILL)
		}
		s.searchFor(a)
		return
	}
	if err := s.groups.kill(a.group); err != nil {
		log.Printf("%s: kill its cgroup: %v", a.Key, err)
		if a.stage == running {
			_ = s.signalGroup(a, unix.SIGKILL)
		}
	}
}

// acknowledge forgets an exit.
func (s *server) acknowledge(key child.Key) {
	if _, ok := s.exits[key]; !ok {
		return
	}
	delete(s.exits, key)
	s.write(line{Kind: lineAcked, Key: key})
	if u := s.units[placeOf(key)]; len(s.units) > maxFences && u != nil && u.cur == nil && len(u.left) == 0 && u.last == key {
		delete(s.units, placeOf(key))
	}
}

// maxFences bounds how many places without a process a shim remembers, 300 bytes
// each: beyond it, one whose last exit is acknowledged is forgotten. The brain
// gives no key twice; the fence is the second lock on that door.
const maxFences = 16384
