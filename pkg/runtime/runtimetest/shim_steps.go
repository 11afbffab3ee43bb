package runtimetest

import (
	"fmt"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

// ready lists the attempts for which the shim has something to do now, besides
// requests. Each of these steps is a point at which it may be killed.
func (m *shim) ready() []*run {
	var out []*run
	busy := 0
	for _, r := range m.runs {
		if r.stage > queued && r.stage < running {
			busy++
		}
	}
	for _, r := range m.runs {
		if r.stage == queued && busy < starters || r.stage > queued && m.actionable(r) {
			out = append(out, r)
		}
	}
	return out
}

func (m *shim) actionable(r *run) bool {
	switch r.stage {
	case intended, cloned, recorded:
		return true
	case running:
		return !r.missed && (r.proc == nil || !r.proc.alive)
	case reaped:
		return m.treeGone(r) || !r.told && !r.killed || m.givesUp(r)
	}
	return false
}

// step moves one attempt by one stage.
func (m *shim) step(r *run) {
	switch r.stage {
	case queued:
		m.intend(r)
	case intended:
		m.clone(r)
	case cloned:
		m.record(r)
	case recorded:
		m.announce(r)
	case running:
		m.reap(r)
	case reaped:
		m.finish(r)
	}
}

func (m *shim) intend(r *run) {
	r.stage = intended
	m.s.table.last[placeOf(r.key)] = r.key
	r.row = &row{key: r.key, attempt: r.attempt}
	if !m.s.broken(NoIntent) {
		m.s.table.rows = append(m.s.table.rows, r.row)
	}
}

func (m *shim) clone(r *run) {
	h := m.s.habit(r.key)
	if h.unstartable {
		m.forget(r)
		m.failed[placeOf(r.key)] = r.key
		m.refuse(r.key, "exec: no such file or directory", false)
		m.release(r)
		return
	}
	r.proc = m.s.kernel.fork(m, r.key, h)
	m.s.count.Starts++
	if r.key.Role != child.Main {
		m.s.count.Hooks++
	}
	m.s.logf("shim: pid %d is %s", r.proc.pid, r.key)
	r.stage = cloned
}

func (m *shim) record(r *run) {
	r.row.pid, r.row.born, r.row.started = r.proc.pid, r.proc.born, m.s.wall()
	if m.s.broken(NoIntent) {
		m.s.table.rows = append(m.s.table.rows, r.row)
	}
	m.s.truth.tabled(r.key)
	r.stage = recorded
}

func (m *shim) announce(r *run) {
	r.stage = running
	m.send(machine.Started{Process: m.process(r)})
	r.missed = m.s.broken(WatchLate) && !r.proc.alive
	m.release(r)
}

// release lets the requests go on that waited behind a start.
func (m *shim) release(r *run) {
	waiting := r.waiting
	r.waiting = nil
	for _, req := range waiting {
		m.handle(req)
	}
}

// reap takes the exit status of a main process that ended, and writes it into
// the table before anything else. The status of a process that an earlier shim
// started is visible on kernels from 6.15 on (PIDFD_GET_INFO) only.
func (m *shim) reap(r *run) {
	e := machine.Exited{
		Key: r.key, Attempt: r.attempt, PID: r.row.pid,
		StartedAt: r.row.started, FinishedAt: m.s.wall(),
	}
	if p := r.proc; p != nil && (p.parent == m || m.s.exitInfo) {
		fill(&e, p.ends)
		m.s.truth.seen(r.key)
	} else {
		m.lose(&e)
	}
	if r.proc != nil {
		m.s.kernel.reap(r.proc)
		r.proc = nil
	}
	r.row.exit = &e
	r.stage = reaped
}

func (m *shim) lose(e *machine.Exited) {
	e.Lost = true
	m.s.count.Lost++
	if m.s.broken(InventCode) {
		e.Lost = false
		fill(e, ending{})
	}
}

func fill(e *machine.Exited, ends ending) {
	e.Signal = ends.signal
	if ends.signal == "" {
		code := ends.code
		e.Code = &code
	}
}

// finish reports an exit once the whole tree is gone. Who sent a signal to the
// tree decides when the rest is killed; otherwise it is killed at once, so that
// nothing of it lives beside its successor.
func (m *shim) finish(r *run) {
	switch {
	case m.treeGone(r):
	case !r.told && !r.killed:
		m.killTree(r)
		return
	default: // killed, and not gone in time
		r.row.exit.Leftovers = []string{fmt.Sprintf("%d processes", m.s.kernel.leftovers(r.key))}
		m.s.truth.leftBehind(r.key)
	}
	r.stage = done
	m.send(*r.row.exit)
	if m.s.broken(ForgetExits) {
		m.forget(r)
	}
}

// givesUp reports whether the rest of a tree was given long enough to die.
func (m *shim) givesUp(r *run) bool { return r.killed && r.giveUp <= m.s.now }

func (m *shim) treeGone(r *run) bool { return !m.s.kernel.populated(r.key) }

// recoverOne looks at one row that an earlier life left.
func (m *shim) recoverOne() {
	w := m.recover[0]
	m.recover = m.recover[1:]
	r := &run{key: w.key, attempt: w.attempt, row: w}
	switch {
	case w.exit != nil && m.treeGone(r):
		r.stage = done
	case w.exit != nil:
		r.stage = reaped
	case w.pid != 0:
		r.stage, r.proc = running, m.lookup(w)
		m.s.count.Adoptions++
	default:
		if !m.recoverIntent(r) {
			return
		}
	}
	m.s.logf("shim: found %s", r)
	m.runs = append(m.runs, r)
}

// lookup is the live process of a row, nil if it is gone.
func (m *shim) lookup(w *row) *process {
	p := m.s.kernel.byPID(w.pid)
	if p != nil && p.alive && (p.born == w.born || m.s.broken(TrustPID)) {
		return p
	}
	return nil
}

// recoverIntent takes over a start that an earlier life was in the middle of, if
// its process shows its mark. Otherwise the start has failed, and what is left of
// it is killed; until that is gone the child is busy.
func (m *shim) recoverIntent(r *run) bool {
	if p := m.s.kernel.mainOf(r.key); p != nil && !p.habit.unidentified {
		r.row.pid, r.row.born, r.row.started = p.pid, p.born, m.s.wall()
		m.s.truth.tabled(r.key)
		r.stage, r.proc = running, p
		return true
	}
	m.s.truth.of(r.key).loose = true
	m.s.kernel.killTree(r.key)
	m.s.table.drop(r.row)
	m.failed[placeOf(r.key)] = r.key
	return false
}
