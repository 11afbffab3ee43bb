package shim

import (
	"log"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// checkEnd looks whether the main process of a running attempt has ended.
func (s *server) checkEnd(a *attempt) {
	if a.stage != running {
		return
	}
	end, st := a.proc.peek()
	switch end {
	case alive:
		if a.blind {
			s.lookAgain(a, time.Second)
		}
		return
	case unreaped:
		if a.unreaped.IsZero() {
			a.unreaped = time.Now()
			s.poll.unwatchProcess(a.proc) // it would report this for ever
		}
		if time.Since(a.unreaped) < reapPatience {
			s.lookAgain(a, reapLook)
			return
		}
	}
	s.ended(a, st)
}

// ended writes down how the main process ended, and only then lets the kernel
// forget it. What is left of the tree may not live beside a successor: it is
// killed at once, unless a stop is under way, which has a deadline of its own.
func (s *server) ended(a *attempt, st status) {
	s.hearLastWords(a)
	a.stage = draining
	a.report = reportOf(a, st)
	if !a.WeakKill && st.signal == unix.SIGKILL {
		a.report.OOMKilled = s.groups.outOfMemory(a.group)
	}
	s.write(a.line(lineExited))
	if a.proc.fd >= 0 {
		s.poll.unwatchProcess(a.proc)
	}
	if !a.WeakKill {
		s.reap(a)
	}
	if a.killed {
		a.giveUp = time.Now().Add(killPatience)
	}
	s.settle(a)
}

// reap lets the kernel forget the main process. Without a cgroup that has to wait
// until its tree is gone: as long as it is a zombie, its process group's number
// is nobody else's.
func (s *server) reap(a *attempt) {
	if !a.mine {
		return
	}
	a.proc.reap()
	delete(s.mine, a.PID)
	a.mine = false
}

func reportOf(a *attempt, st status) *Report {
	r := &Report{
		Key: a.Key, Attempt: a.Attempt, PID: a.PID,
		StartedAt: a.StartedAt, FinishedAt: time.Now(), Lost: !st.known,
	}
	switch {
	case !st.known:
	case st.signal != 0:
		r.Signal, r.CoreDumped = signalName(st.signal), st.core
	default:
		r.Code = &st.code
	}
	return r
}

// signalName is the name of a signal, also of one without a name of its own.
func signalName(sig unix.Signal) string {
	if name := unix.SignalName(sig); name != "" {
		return name
	}
	if name := child.RealTimeName(int(sig)); name != "" {
		return name
	}
	return sig.String()
}

// settle finishes an attempt whose main process ended, if its tree is gone.
func (s *server) settle(a *attempt) {
	if a.stage != draining {
		return
	}
	if a.WeakKill {
		s.searchFor(a)
		return
	}
	if a.events < 0 {
		if a.events, _ = s.groups.openEvents(a.group); a.events < 0 {
			s.settleTree(a, false) // the cgroup is gone, so it was empty
			return
		}
		if readPopulated(a.events) {
			if err := s.poll.watchTree(a.events, a.n); err != nil {
				s.lookAgain(a, rekill)
			}
		}
	}
	s.settleTree(a, readPopulated(a.events))
}

// settleTree is settle when it is known whether anything of the tree lives.
func (s *server) settleTree(a *attempt, populated bool) {
	if populated {
		if !a.killed && !a.stopping {
			s.killTree(a)
		}
		if !a.killed {
			if a.WeakKill {
				s.lookAgain(a, 5*rekill) // nobody tells when it is gone
			}
			return
		}
		if time.Now().Before(a.giveUp) {
			s.killAgain(a)
			return
		}
		a.report.Leftovers = s.living(a)
	}
	if s.drained(a) {
		s.finish(a)
	}
}

// killAgain kills a tree until it is gone; see rekill.
func (s *server) killAgain(a *attempt) {
	if !a.WeakKill {
		if err := s.groups.kill(a.group); err != nil {
			log.Printf("%s: kill its cgroup: %v", a.Key, err)
		}
	}
	s.lookAgain(a, rekill)
}

// searchFor has the processes of an attempt without a cgroup looked for at the end
// of this turn, together with those of others.
func (s *server) searchFor(a *attempt) {
	if !a.asked {
		a.asked = true
		s.search = append(s.search, a)
	}
}

func (s *server) searchMarked() {
	if len(s.search) == 0 {
		return
	}
	list := s.search
	s.search = nil
	found := findMarked(list)
	for _, a := range list {
		a.asked = false
		if s.attempts[a.n] != a {
			continue
		}
		if a.killed {
			killMarked(a, found[a])
		}
		if a.stage == draining {
			a.forgetDead()
			s.settleTree(a, len(found[a])+len(a.dying) > 0)
		}
	}
}

// drained moves the last output to the log. It is false while that must wait.
func (s *server) drained(a *attempt) bool {
	if a.out < 0 {
		return true
	}
	for range 16 { // MiB; a pipe holds less
		n, err := s.copyMarked(a)
		if n == 0 && err == nil {
			return true
		}
		if err == nil {
			continue
		}
		if a.policy.Drop && isFull(err) {
			s.drop(a)
			return true
		}
		if a.stuck.IsZero() || a.stuck.Before(a.report.FinishedAt) {
			a.stuck = a.report.FinishedAt
			s.poll.unwatch(a.out)
		}
		if time.Since(a.stuck) > logPatience {
			log.Printf("%s: its last output is lost: %v", a.Key, err)
			return true
		}
		s.lookAgain(a, logRetry/4)
		return false
	}
	return true // what is left of the tree keeps printing
}

// finish reports an attempt and keeps nothing of it but the report.
func (s *server) finish(a *attempt) {
	if a.out >= 0 {
		s.poll.unwatch(a.out)
	}
	if a.events >= 0 {
		s.poll.unwatch(a.events)
	}
	s.deafen(a)
	s.reap(a)
	if !a.isMain() {
		a.report.Tail = a.tail.lines()
		s.closeShared(a.Key.ID)
	}
	a.release()
	_ = os.Remove(fifoPath(s.cfg.StateDir, a.Key))
	delete(s.timed, a)
	delete(s.attempts, a.n)
	a.unit.cur = nil
	if len(a.report.Leftovers) > 0 || !a.WeakKill && s.groups.remove(a.group) != nil {
		a.unit.left = append(a.unit.left, a)
	}
	s.exits[a.Key] = *a.report
	s.send(message{Exited: a.report})
}

// reapOrphans reaps what children left behind, where the shim is their parent.
// While a start is under way a child that is not known yet may be among them, so
// that is waited for: each start ends with a turn of the loop.
func (s *server) reapOrphans() {
	for s.parent.Load() && s.starting == 0 {
		pid := zombie()
		if pid == 0 {
			return
		}
		if a := s.mine[pid]; a != nil {
			s.checkEnd(a)
			if a.mine { // it hides the others until its tree is gone
				return
			}
			continue
		}
		reapPID(pid)
	}
}
