package machine

import (
	"math/rand/v2"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// state is one child. The comments at the fields are invariants; Check tests
// them.
type state struct {
	id          child.ID
	incarnation uint64
	spec        *child.Spec
	origin      child.Origin
	rng         rand.PCG // of the jitter, this child's own

	operation child.Operation
	hold      *child.Hold  // set exactly while operation is paused or quarantined
	removal   *child.Cause // of a removal that waited for its turn, see removal.go
	phase     child.Phase

	// generation and attempt are of the newest attempt; attempt is 0 before the
	// first. Both only rise.
	generation child.Generation
	attempt    child.Attempt

	// fence is the generation of the next attempt: above the newest one, and above
	// every other that was ever seen alive under this incarnation.
	fence child.Generation

	unseen moment // until when it waits for Seen at the latest; set only after Restore
	late   bool   // it waited in vain, and there was none since

	hook        hooking
	inHookQueue bool
	live        attempt // all zero unless there is one, or the child runs as a folder
	stop        *stop   // set exactly in phase Stopping

	stopState      child.StopState
	pendingRestart *child.PendingRestart  // only in phase Stopping, only when active
	pendingSince   time.Time              // set exactly in phase Pending
	waited         time.Duration          // from there to the start of the newest attempt
	deprived       bool                   // a dependency was missing during this rest
	began          map[child.ID]child.Key // of the newest attempt, for each dependency with restart; replaced as a whole
	waits          []string               // what a child waits for that could start otherwise

	rest      moment        // set exactly in phase Backoff: when the rest is over
	lastDelay time.Duration // the last rest, before jitter; 0: the next is the first
	quick     int           // failures in a row, each before Backoff.ResetAfter
	restarts  []Instant     // automatic restarts within the window of the limit, oldest first; a supervisor's: of its members

	groups map[string][]Instant // a supervisor's: the same for each of its failure groups, by tag
	part   part                 // in a restart of a group; zero: in none
	again  bool                 // the run ended because this child did: the next one begins without it

	nextRun     moment // of a schedule
	betweenRuns bool   // the last run of a schedule is over; it waits for the next
	queuedRun   bool   // one is due when this one is over

	reloadFailed string // what went wrong after the last reload; "": nothing

	exits      []*child.Exit // replaced as a whole, so that snapshots may share it
	failure    *child.Failure
	conditions []child.ConditionState // replaced as a whole
	observed   uint64                 // the manifest's generation that was acted on
	updatedAt  time.Time

	refusals refusals // of what was said on its notify socket
	turns    turns    // how often it became ready and not ready

	correlation string // what its facts belong to, see correlation.go
	toldUsed    int    // the use of its restart limit that was told last

	alarm    alarm
	ticket   uint64 // in the queue for a start slot; 0: not in it
	place    int    // how many were in the queue with it when it came
	offers   offer  // what its dependants were last told
	shutdown ending

	// Marks of the step under way and of the Ready to come.
	examining, changed, unsaved, sync, gone bool
}

// attempt is the newest attempt while it may be alive.
type attempt struct {
	folder bool // the child runs as a supervisor: no process, and nothing else is set but readiness
	asked  bool // a Start is under way and unanswered; it holds a start slot

	// retry is when a start that was refused as busy is repeated; wantsSlot is
	// set once that time has come, until there is a free slot.
	retry     moment
	lastRetry time.Duration
	wantsSlot bool

	pid       int // of a running attempt; 0 while it is not known to run
	startedAt time.Time
	readyAt   time.Time
	ready     bool
	weakKill  bool
	task      bool
	stale     bool // it runs an older spec than the child has now

	// What its probes found. Ready may come and go; wasReady stays.
	wasReady, saidReady bool
	readiness, liveness probing
	deadline            moment // when it must be ready; set only before it ever was

	over bool       // its end is known and dealt with before the step ends: no signal reaches it
	said child.Said // of itself
	log  child.LogState

	files      []child.FileHash // as it knows them; nil: not looked at yet
	unread     string           // why some have not been read for a while
	runLimit   moment           // when it has run for too long
	reloadedAt Instant
	reloaded   string // which files changed; "": it was told of no change

	seen  bool   // this tree itself heard that it runs, not only an earlier one
	epoch uint64 // the connection in which it was last heard of

	stable moment // when it has run for Backoff.ResetAfter; set only while quick counts
}

// moment is a deadline: when, and what the wall clock will show then.
type moment struct {
	at   Instant
	wall time.Time
	set  bool
}

func (t *Tree) in(d time.Duration) moment {
	return moment{at: t.now + Instant(d), wall: t.wall.Add(d), set: true}
}

func (m moment) due(now Instant) bool { return m.set && m.at <= now }

func earlier(a, b moment) moment {
	if b.set && b.at < a.at {
		return b
	}
	return a
}

func later(a, b moment) moment {
	if a.at > b.at {
		return a
	}
	return b
}

func (s *state) key() child.Key {
	return child.Key{ID: s.id, Incarnation: s.incarnation, Generation: s.generation}
}

// isSupervisor reports whether the child should be a folder, which owns no
// process. One that just became a supervisor may still have one.
func (s *state) isSupervisor() bool { return s.spec.Kind == child.Supervisor }

// hasAttempt reports whether an attempt is alive or unaccounted for.
func (s *state) hasAttempt() bool { return s.phase.HasProcess() && !s.live.folder }

// alive reports whether a process is known to run.
func (s *state) alive() bool { return s.hasAttempt() && s.live.pid > 0 }

// wanted reports whether the child should run, as far as it alone is concerned.
func (s *state) wanted() bool { return s.operation == child.Active && !s.spec.Suspend }

// idlePhase is the phase of a child without an attempt that nothing but
// commands and its manifest decide about.
func (s *state) idlePhase() child.Phase {
	switch {
	case s.operation == child.OperationQuarantined:
		return child.Quarantined
	case !s.wanted():
		return child.Stopped
	}
	return child.Pending
}

// idle brings a child without an attempt to where its manifest and commands
// want it. In a shutdown nothing waits for a start.
func (t *Tree) idle(s *state) {
	before := s.phase
	s.rest = moment{}
	s.phase = s.idlePhase()
	if t.shutdown != nil && s.phase == child.Pending {
		s.phase = child.Stopped // only for now: the next run starts it
	}
	folder := s.phase == child.Pending && s.isSupervisor() && s.part.in == nil
	if folder != s.live.folder {
		s.live = attempt{folder: folder}
	}
	if folder {
		t.runsAsFolder(s)
	}
	t.rested(s, before)
	t.save(s)
}

// runsAsFolder is what a supervisor does instead of starting.
func (t *Tree) runsAsFolder(s *state) {
	s.phase, s.failure = child.Running, nil
	if s.quick > 0 && !s.live.stable.set {
		s.live.stable = t.in(s.spec.Backoff.ResetAfter.Duration())
	}
	t.becomeReady(s)
}

// forgive forgets what speaks against a child: it starts afresh.
func (s *state) forgive() {
	s.quick, s.lastDelay, s.restarts = 0, 0, nil
	s.live.stable = moment{}
	if s.stop == nil {
		s.failure = nil
	}
}
