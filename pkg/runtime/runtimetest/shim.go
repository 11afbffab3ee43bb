package runtimetest

import (
	"fmt"
	"slices"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

const (
	starters      = 2               // starts under way at the same time
	leftBehind    = 2 * time.Second // from SIGKILL to a report that names what is left
	greetPatience = 2 * time.Second // how long a hanging start delays a new brain
)

// stage is how far an attempt has come in the hands of one shim. A shim may be
// killed between any two.
type stage int

const (
	queued   stage = iota // waits for a starter
	intended              // its intent is in the table
	cloned                // its process exists
	recorded              // and is in the table
	running               // and was reported
	reaped                // its main process ended, and how is in the table
	done                  // its exit was reported; kept until acknowledged
)

// run is one attempt in the memory of a shim.
type run struct {
	key     child.Key
	attempt child.Attempt
	stage   stage
	proc    *process // nil once reaped
	row     *row
	told    bool          // a signal to its tree was delivered: who asked decides about the rest
	killed  bool          // SIGKILL was sent to its tree
	giveUp  time.Duration // when its exit is reported in spite of leftovers
	missed  bool          // it ended before it was watched; only when WatchLate is broken
	waiting []machine.Effect
}

// row is one attempt in the table on disk.
type row struct {
	key     child.Key
	attempt child.Attempt
	pid     int // 0: only the intent is known
	born    uint64
	started time.Time
	exit    *machine.Exited
}

// table is what a shim keeps on disk: it survives it.
type table struct {
	rows []*row
	last map[place]child.Key // the newest key ever intended
}

func (t *table) drop(r *row) {
	t.rows = slices.DeleteFunc(t.rows, func(q *row) bool { return q == r })
}

// shim is one life of the process that owns all others.
type shim struct {
	s       *sim
	runs    []*run
	recover []*row              // rows of the table that this life has not looked at yet
	failed  map[place]child.Key // the last start that failed, to repeat that answer
	greetBy time.Duration       // when a waiting brain is served though a start is under way; 0: none waits for one
	serving *link
	waiting []*link
}

// newShim begins a life: it reads the table before it serves anybody.
func newShim(s *sim) *shim {
	if s.broken(LoseTable) {
		s.table.rows = nil
	}
	return &shim{s: s, recover: slices.Clone(s.table.rows), failed: map[place]child.Key{}}
}

func (m *shim) find(key child.Key) *run {
	for _, r := range m.runs {
		if r.key == key {
			return r
		}
	}
	return nil
}

// starting is the attempt of a place that is not reported yet, if there is one:
// requests of one place stay in order behind it.
func (m *shim) starting(key child.Key) *run {
	for _, r := range m.runs {
		if placeOf(r.key) == placeOf(key) && r.stage < running {
			return r
		}
	}
	return nil
}

// canServe reports whether a waiting brain may be served now: when all that the
// old one said is done, so that the list is complete. A start that hangs delays
// it for some time only.
func (m *shim) canServe() bool {
	switch {
	case len(m.recover) > 0 || len(m.waiting) == 0 || m.serving != nil && !m.serving.left:
		return false
	case m.serving == nil || m.s.broken(ServeBeforeDrain):
		return true
	case len(m.serving.up) > 0:
		return false
	case !slices.ContainsFunc(m.runs, func(r *run) bool { return r.stage < running }):
		return true
	case m.greetBy == 0:
		m.greetBy = m.s.now + greetPatience
	}
	return m.s.now >= m.greetBy
}

// serve tells a new brain the whole truth.
func (m *shim) serve() {
	old := m.serving
	m.serving, m.waiting = m.waiting[0], m.waiting[1:]
	if old != nil && len(old.up) > 0 { // only when ServeBeforeDrain is broken: they are handled later
		m.serving.up = append(m.serving.up, old.up...)
	}
	m.greetBy = 0
	m.send(m.list())
	if m.s.chance(m.s.fault.repeat) {
		m.repeat()
	}
}

func (m *shim) list() machine.Adopted {
	var a machine.Adopted
	for _, r := range m.runs {
		switch {
		case r.stage == done:
			a.Exits = append(a.Exits, *r.row.exit)
		case r.stage >= recorded:
			a.Processes = append(a.Processes, m.process(r))
		default:
			a.Starting = append(a.Starting, r.key)
			m.s.count.Hanging++
		}
	}
	return a
}

// repeat sends what was sent before: every event may come twice.
func (m *shim) repeat() {
	for _, r := range m.runs {
		switch {
		case r.stage == running:
			m.send(machine.Started{Process: m.process(r)})
		case r.stage == done:
			m.send(*r.row.exit)
		}
	}
}

func (m *shim) process(r *run) machine.Process {
	return machine.Process{Key: r.key, Attempt: r.attempt, PID: r.row.pid, StartedAt: r.row.started, WeakKill: m.s.weak}
}

// send answers whoever is served now; an answer to nobody is lost.
func (m *shim) send(ev machine.Event) {
	if m.serving == nil || m.serving.left {
		return
	}
	m.s.logf("shim: says %s", show(ev))
	m.serving.down = append(m.serving.down, ev)
}

// handleNext takes one request from the connection that is served.
func (m *shim) handleNext() {
	req := m.serving.up[0]
	m.serving.up = m.serving.up[1:]
	m.handle(req)
}

func (m *shim) handle(req machine.Effect) {
	if r := m.starting(keyOfEffect(req)); r != nil {
		r.waiting = append(r.waiting, req)
		return
	}
	m.s.logf("shim: handles %s", show(req))
	switch req := req.(type) {
	case machine.Start:
		m.start(req)
	case machine.Signal:
		m.signal(req)
	case machine.Acknowledge:
		m.acknowledge(req.Key)
	}
}

// start is idempotent by its key, and refuses a second live attempt and a key
// that is not the newest.
func (m *shim) start(req machine.Start) {
	if r := m.find(req.Key); r != nil && !m.s.broken(StartTwice) {
		if r.stage == done {
			m.send(*r.row.exit)
		} else {
			m.send(machine.Started{Process: m.process(r)})
		}
		return
	}
	last, known := m.s.table.last[placeOf(req.Key)]
	switch {
	case m.failed[placeOf(req.Key)] == req.Key:
		m.refuse(req.Key, "it failed before", false)
	case m.busy(req.Key) && !m.s.broken(IgnoreBusy):
		m.refuse(req.Key, "an older attempt, or something it left behind, is still alive", true)
	case known && !last.OlderThan(req.Key) && !m.s.broken(AcceptOldKeys):
		m.refuse(req.Key, "this attempt was started before, or is older than the last one", false)
	default:
		m.runs = append(m.runs, &run{key: req.Key, attempt: req.Attempt})
	}
}

func (m *shim) refuse(key child.Key, reason string, busy bool) {
	if busy {
		m.s.count.Busy++
	}
	m.send(machine.StartFailed{Key: key, Reason: reason, Busy: busy, At: m.s.wall()})
}

// busy reports whether anything of a place lives. Without cgroups only main
// processes can be seen.
func (m *shim) busy(key child.Key) bool {
	for _, r := range m.runs {
		if placeOf(r.key) == placeOf(key) && r.stage < done {
			return true
		}
	}
	return m.s.kernel.populatedPlace(key)
}

func (m *shim) signal(req machine.Signal) {
	r := m.find(req.Key)
	if r == nil || r.stage == done {
		return
	}
	m.s.truth.signalled(req)
	tree := req.Tree
	if tree && req.Signal == "SIGKILL" {
		m.killTree(r)
		return
	}
	p := m.identify(r)
	switch {
	case p == nil: // the main process is gone; its number may be somebody else's
	case tree:
		r.told = true
		m.s.kernel.killGroup(p.key, req.Signal)
	default:
		m.s.kernel.kill(p, req.Signal)
	}
}

// identify is the live main process of an attempt.
func (m *shim) identify(r *run) *process {
	p := m.s.kernel.byPID(r.row.pid)
	if p == nil || !p.alive {
		return nil
	}
	if p.born != r.row.born && !m.s.broken(TrustPID) {
		return nil
	}
	if p.key != r.key {
		m.s.failf("a signal for %s reaches pid %d of %s", r.key, p.pid, p.key)
	}
	return p
}

func (m *shim) killTree(r *run) {
	if !r.killed {
		r.killed, r.giveUp = true, m.s.now+leftBehind
	}
	m.s.kernel.killTree(r.key)
}

func (m *shim) acknowledge(key child.Key) {
	r := m.find(key)
	if r == nil || r.stage != done {
		return
	}
	m.s.truth.acknowledged(key)
	m.forget(r)
}

func (m *shim) forget(r *run) {
	m.runs = slices.DeleteFunc(m.runs, func(q *run) bool { return q == r })
	if r.row != nil {
		m.s.table.drop(r.row)
	}
}

// nextTimer is when something comes due that no event announces.
func (m *shim) nextTimer() time.Duration {
	at := never
	if m.greetBy > m.s.now {
		at = m.greetBy
	}
	for _, r := range m.runs {
		if r.stage == reaped && r.killed && r.giveUp > m.s.now {
			at = min(at, r.giveUp)
		}
	}
	return at
}

func (r *run) String() string { return fmt.Sprintf("%s at stage %d", r.key, r.stage) }
