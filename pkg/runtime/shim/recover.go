package shim

import (
	"log"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/logs"
)

// past is what the table says of one place.
type past struct {
	last    child.Key
	intent  *line // of a start of which no end was reported; nil: there is none
	started *line // of the same attempt
	said    *Notice
	report  *Report

	stopping bool
}

// replay reads a table. It is void, and the result empty, if it was written
// before a reboot or in another PID namespace: its numbers mean other processes.
func replay(lines []line, boot string) (group string, places map[place]*past, exits map[child.Key]Report) {
	places, exits = map[place]*past{}, map[child.Key]Report{}
	if len(lines) == 0 || lines[0].Kind != lineHead || lines[0].Boot != boot {
		return "", places, exits
	}
	for _, l := range lines[1:] {
		p := places[placeOf(l.Key)]
		if p == nil {
			p = &past{last: child.Key{ID: l.Key.ID, Role: l.Key.Role}}
			places[placeOf(l.Key)] = p
		}
		p.take(l, exits)
	}
	return lines[0].Group, places, exits
}

func (p *past) take(l line, exits map[child.Key]Report) {
	current := p.intent != nil && p.intent.Key == l.Key
	switch l.Kind {
	case lineFence:
		*p = past{last: l.Key}
	case lineIntent:
		if p.report != nil { // reported, and not yet acknowledged
			exits[p.report.Key] = *p.report
		}
		*p = past{last: l.Key, intent: &l}
	case lineStarted:
		if current {
			p.started = &l
		}
	case lineNotified:
		if current {
			p.said = l.Said
		}
	case lineStopping:
		p.stopping = p.stopping || current
	case lineFailed:
		if current {
			*p = past{last: p.last}
		}
	case lineExited:
		if current {
			p.report = l.Report
		} else if l.Report != nil {
			exits[l.Key] = *l.Report
		}
	case lineAcked:
		delete(exits, l.Key)
		if current {
			*p = past{last: p.last}
		}
	}
}

// image is the whole table as it should be now.
func (s *server) image() []line {
	head := line{Kind: lineHead, Version: tableVersion, Boot: s.boot, Group: s.groups.base}
	if now, err := longTagOf(s.cfg.StateDir); err != nil || now != s.longTag {
		head.Tag = s.longTag
	}
	lines := []line{head}
	for key, r := range s.exits {
		lines = append(lines, line{Kind: lineExited, Key: key, Report: &r})
	}
	for _, u := range s.units {
		a := u.cur
		if a == nil {
			lines = append(lines, line{Kind: lineFence, Key: u.last})
			continue
		}
		lines = append(lines, a.line(lineIntent))
		if a.stage != starting {
			lines = append(lines, a.line(lineStarted))
		}
		if a.ear.said.Ready != nil {
			lines = append(lines, a.line(lineNotified))
		}
		if a.stopping {
			lines = append(lines, a.line(lineStopping))
		}
		if a.report != nil {
			lines = append(lines, a.line(lineExited))
		}
	}
	return lines
}

// recover takes over what an earlier shim of this directory owned.
func (s *server) recover(lines []line) {
	group, places, exits := replay(lines, s.boot)
	s.exits = exits
	s.openGroups(group)
	for _, p := range places {
		u := s.unitOf(p.last)
		u.last = p.last
		if p.intent != nil {
			s.takeOver(u, p)
		}
	}
	s.takeStrays()
	keep, sockets := map[string]bool{}, map[string]bool{}
	for _, a := range s.attempts {
		keep[entryName(a.Key)] = true
		if a.ear.address != nil {
			sockets[filepath.Base(a.ear.address.Path)] = true
		}
	}
	if err := s.places().clean(sockets); err != nil {
		log.Printf("remove old notify sockets: %v", err)
	}
	if err := removeAll(fifoDir(s.cfg.StateDir), keep); err != nil {
		log.Printf("remove old FIFOs: %v", err)
	}
}

// openGroups uses the directory that the table names, where the children are, or
// makes one.
func (s *server) openGroups(recorded string) {
	parent, name := s.cfg.CgroupParent, "reconciler-"+s.tag
	s.groups = &groups{}
	if recorded != "" {
		s.groups = openGroups(filepath.Dir(recorded), filepath.Base(recorded))
	}
	if s.groups.base == "" {
		s.groups = openGroups(parent, name)
	}
	if s.groups.base == "" {
		log.Printf("children get no cgroup of their own, so a process that hides its origin can escape a kill: %v", s.groups.why)
		s.becomeParent()
	}
}

// takeOver goes on with one attempt: it runs, or it ended, or it never began.
func (s *server) takeOver(u *unit, p *past) {
	a := s.newAttempt(u, p.intent.Key)
	u.cur = a
	a.stopping = p.stopping
	a.Attempt, a.SpecHash, a.StartedAt, a.token = p.intent.Attempt, p.intent.SpecHash, p.intent.StartedAt, p.intent.Token
	if p.intent.Log != nil {
		a.policy = *p.intent.Log
	}
	if p.started != nil {
		a.PID, a.ident, a.StartedAt, a.WeakKill = p.started.PID, p.started.Identity, p.started.StartedAt, p.started.Weak
	}
	if a.WeakKill {
		s.becomeParent()
	}
	s.reopenOutput(a)
	if a.ear.talks, a.ear.address = p.intent.Talks, p.intent.Notify; a.ear.talks && p.report == nil {
		s.reopenNotify(a, p.said)
	}
	switch {
	case p.report != nil:
		a.report, a.stage = p.report, draining
		s.settle(a)
	case p.started != nil && s.prove(a):
		s.adopt(a)
	case p.started != nil:
		s.ended(a, status{})
	case s.identify(a):
		s.adopt(a)
		s.write(a.line(lineStarted))
	default:
		s.abandon(a)
	}
}

func (s *server) adopt(a *attempt) {
	a.stage = running
	s.watch(a)
}

// prove holds the process that the table names, if it still is that process:
// first the pidfd, then the questions.
func (s *server) prove(a *attempt) bool {
	proc, err := openProcess(a.PID)
	if err != nil {
		return false
	}
	ident, err := proc.identity()
	if err != nil || ident != a.ident || !s.isMember(a, proc) {
		proc.close()
		return false
	}
	a.proc = proc
	return true
}

// isMember reports whether a process is in the cgroup of an attempt, where it has
// one. A zombie has left its own.
func (s *server) isMember(a *attempt, proc process) bool {
	if a.WeakKill || s.groups.holds(a.group, proc) {
		return true
	}
	end, _ := proc.peek()
	return end != alive
}

// identify finds the main process of a start whose end nobody wrote down: it
// founded a session and carries the mark of the attempt.
func (s *server) identify(a *attempt) bool {
	pids := s.groups.members(a.group)
	if len(pids) == 0 {
		if pids = findMarked([]*attempt{a})[a]; len(pids) > 0 {
			a.WeakKill = true
			s.becomeParent()
		}
	}
	for _, pid := range pids {
		if a.PID = s.founder(pid, a); a.PID == 0 {
			continue
		}
		proc, err := openProcess(pid)
		if err != nil {
			continue
		}
		if a.ident, err = proc.identity(); err == nil && s.founder(pid, a) != 0 {
			a.proc = proc
			return true
		}
		proc.close()
	}
	a.PID = 0
	return false
}

// founder is pid if that process founded a session and has the mark of the attempt;
// else 0.
func (s *server) founder(pid int, a *attempt) int {
	if session, err := unix.Getsid(pid); err != nil || session != pid || !a.marked(pid) {
		return 0
	}
	return pid
}

// abandon ends what is left of a start that nobody can say anything about.
func (s *server) abandon(a *attempt) {
	s.deafen(a)
	a.release()
	if s.groups.populated(a.group) {
		if err := s.groups.kill(a.group); err != nil {
			log.Printf("%s: kill its cgroup: %v", a.Key, err)
		}
		a.unit.left = append(a.unit.left, a)
	} else {
		_ = s.groups.remove(a.group)
	}
	s.notStarted(a, s.failure(a.Key, "the shim was killed while it started this attempt"))
}

// takeStrays looks at cgroups that the table does not know: its end, or all of
// it, was lost. What says who it is, is adopted; the rest is killed.
func (s *server) takeStrays() {
	known := map[string]bool{}
	for _, u := range s.units {
		if u.cur != nil {
			known[u.cur.group] = true
		}
		for _, a := range u.left {
			known[a.group] = true
		}
	}
	for _, name := range s.groups.list() {
		if known[name] || s.groups.remove(name) == nil {
			continue
		}
		if !s.takeStray(name) {
			log.Printf("nobody knows what runs in the cgroup %s: killed", name)
			s.killStray(name)
		}
	}
}

func (s *server) takeStray(name string) bool {
	for _, pid := range s.groups.members(name) {
		key, ok := parseMark(markOf(pid), s.tag)
		if !ok || entryName(key) != name {
			continue
		}
		u := s.unitOf(key)
		if u.cur != nil || key.OlderThan(u.last) {
			return false
		}
		a := s.newAttempt(u, key)
		a.token = variableOf(pid, TokenVariable) // that it is in this cgroup proves the rest
		if !s.identify(a) {
			delete(s.attempts, a.n)
			continue
		}
		u.cur, u.last, a.StartedAt = a, key, time.Now()
		if a.ear.address = s.findAddress(key); a.ear.address != nil {
			a.ear.talks = true
			s.reopenNotify(a, nil)
		}
		s.reopenOutput(a)
		s.adopt(a)
		return true
	}
	return false
}

// killStray kills a cgroup and waits a moment for it to be empty: nobody else
// would remove it.
func (s *server) killStray(name string) {
	if err := s.groups.kill(name); err != nil {
		log.Printf("kill the cgroup %s: %v", name, err)
		return
	}
	for deadline := time.Now().Add(time.Second); s.groups.remove(name) != nil && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
}

// reopenNotify goes on listening.
func (s *server) reopenNotify(a *attempt, said *Notice) {
	if said != nil {
		a.ear.said = *said
	}
	if err := a.reopenNotify(s.tag); err != nil {
		log.Printf("%s: what it says cannot be heard any more: %v", a.Key, err)
		a.ear.fd = -1
	}
}

// reopenOutput goes on reading where the earlier shim was killed: what a living
// child printed meanwhile is still in its FIFO.
func (s *server) reopenOutput(a *attempt) {
	var err error
	if a.out, err = openReader(fifoPath(s.cfg.StateDir, a.Key)); err != nil {
		a.out = -1
		return // it was finished but for its report
	}
	if !a.isMain() {
		return
	}
	if a.log, err = logs.ContinueWriter(logsDir(s.cfg.StateDir), string(a.Key.ID), a.policy); err != nil {
		log.Printf("%s: its output waits: %v", a.Key, err)
	}
}
