package machine

import (
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// The stages of a shutdown, in order. The tree is in the furthest one that any
// child is in.
const (
	stageRequest = iota
	stageDrain
	stageAbort
	stageReconcile
	stageCompleted
)

var stageNames = [...]string{"request_stop", "graceful_drain", "abort_stragglers", "reconcile", "completed"}

// shutdown is a shutdown of the whole tree under way, or over.
type shutdown struct {
	cause       child.Cause
	correlation string
	startedAt   time.Time
	waiting     []CommandID // who gets the report; the first asked first
	stage       int
	hurried     bool
	left        int // children without an outcome
	draining    int // those of them that are being stopped
	outcomes    []ShutdownOutcome
	report      *ShutdownReport // set when it is over

	failure *child.Failure // why the runtime itself asked for it; nil: somebody else did
	endedBy child.ID       // the critical child whose end it is for; "": none
	exit    *child.Exit    // of that child
}

// ending is one child's part in a shutdown.
type ending struct {
	left       bool // it has no outcome yet
	draining   bool // and is being stopped
	dependants int  // dependants that are left; it is stopped when they are not
}

// stopCause is what children are told to stop for.
func (d *shutdown) stopCause() child.Cause {
	return child.Cause{RequestedBy: d.cause.RequestedBy, Reason: "shutdown: " + d.cause.Reason}
}

// beginShutdown stops every child, dependants before what they depend on.
func (t *Tree) beginShutdown(cause child.Cause, correlation string) {
	t.endGroups()
	t.shutdown = &shutdown{cause: cause, correlation: correlation, startedAt: t.wall}
	t.shutdownFact(ShutdownRequested, cause.Reason).Cause = cause
	ids := t.IDs()
	for _, id := range ids {
		t.enterShutdown(t.children[id])
	}
	for _, id := range ids {
		t.eachDependency(t.children[id], func(on *state) { on.shutdown.dependants++ })
	}
	for _, id := range ids {
		if s, ok := t.children[id]; ok && (s.shutdown.dependants == 0 || s.stop != nil) {
			t.drain(s)
		}
	}
	if t.shutdown.left > 0 {
		t.reach(stageDrain)
	}
}

// enterShutdown gives a child without an attempt its outcome, and counts others.
func (t *Tree) enterShutdown(s *state) {
	t.follow(s)
	if s.betweenTries() {
		t.beginStop(s, whyShutdown, t.shutdown.stopCause()) // a busy start between two tries ends at once
	}
	if !s.hasAttempt() {
		if s.phase == child.Pending || s.phase == child.BackingOff || s.live.folder {
			t.idle(s)
		}
		t.outcome(s, AlreadyExited, stageReconcile, s.lastExit())
		return
	}
	t.shutdown.left++
	s.shutdown = ending{left: true}
	t.lookAt(s) // it is not probed any more
}

// eachDependency visits what is stopped after a child, if both are left.
func (t *Tree) eachDependency(s *state, visit func(*state)) {
	if !s.shutdown.left {
		return
	}
	t.eachStoppedAfter(s, func(on *state) {
		if on.shutdown.left {
			visit(on)
		}
	})
}

// drain stops one child. One that is being stopped already goes on with that.
func (t *Tree) drain(s *state) {
	if s.shutdown.draining || !s.shutdown.left {
		return
	}
	defer t.within(t.shutdown.correlation)()
	s.shutdown.draining = true
	t.shutdown.draining++
	if !s.hasAttempt() {
		return // it waits for the hooks after its end
	}
	if s.stop != nil && s.stop.stage == stopGivenUp {
		t.wentDown(s, s.stop, nil)
		return
	}
	if s.stop == nil {
		t.beginStop(s, whyShutdown, t.shutdown.stopCause())
	}
	if s.stop == nil {
		return // it had no process after all
	}
	t.mustEnd(s)
	if t.shutdown.hurried {
		t.hurry(s)
	}
}

// mustEnd gives a stop a deadline that runs with or without a connection.
func (t *Tree) mustEnd(s *state) {
	s.stop.mustEnd = true
	if !s.stop.deadline.set {
		s.stop.deadline = t.in(s.spec.Shutdown.GracefulTimeout.Duration())
	}
	t.touch(s)
}

// hurry ends the grace of one child.
func (t *Tree) hurry(s *state) {
	if s.stop.stage == stopRequested || s.stop.stage == stopSignalled {
		t.kill(s, "the shutdown was hurried: no more grace")
	}
}

// hurryUp ends all grace and all waiting for dependants.
func (t *Tree) hurryUp() {
	t.shutdown.hurried = true
	for _, id := range t.IDs() {
		s, ok := t.children[id]
		if ok && s.hook.role != child.PreStop {
			t.killHook(s, "it was killed: the shutdown was hurried")
		}
		switch {
		case !ok || !s.shutdown.left:
		case s.stop != nil && s.shutdown.draining:
			t.hurry(s)
		default:
			t.drain(s)
		}
	}
	for _, g := range t.sortedStrays() {
		if !g.killed {
			t.straySurvived(g)
		}
	}
}

// wentDown gives a child its outcome in a shutdown under way, if it has none:
// its attempt ended, or (e is nil) could not be ended.
func (t *Tree) wentDown(s *state, by *stop, e *child.Exit) {
	if t.shutdown == nil || !s.shutdown.left {
		return
	}
	status, stage := LateReport, t.shutdown.stage
	switch {
	case by != nil && by.stage == stopGivenUp:
		status, stage = AbortFailed, stageAbort
	case e == nil:
		status, stage = AlreadyExited, stageReconcile // it never ran
	case by != nil && t.wasKilled(by, e):
		status, stage = Aborted, stageAbort
	case by != nil && by.sent:
		status, stage = Graceful, stageDrain
	}
	t.outcome(s, status, stage, e)
	t.eachDependency(s, func(on *state) {
		on.shutdown.dependants--
		if on.shutdown.dependants == 0 {
			t.drain(on)
		}
	})
	t.shutdown.left--
	if s.shutdown.draining {
		t.shutdown.draining--
	}
	s.shutdown = ending{}
}

// wasKilled reports whether there is evidence that SIGKILL ended an attempt: one
// that was sent through an earlier connection may have been lost with it.
func (t *Tree) wasKilled(by *stop, e *child.Exit) bool {
	return e.Signal == sigkill || by.killedIn != 0 && by.killedIn == t.epoch
}

func (t *Tree) outcome(s *state, status OutcomeStatus, stage int, e *child.Exit) {
	o := ShutdownOutcome{
		ChildID: s.id, Generation: s.generation, Attempt: s.attempt,
		Status: status, Phase: stageNames[stage], Exit: e,
	}
	switch {
	case status == AbortFailed:
		o.Reason = t.survived(s)
	case e != nil:
		o.Reason = e.Reason
	}
	t.shutdown.outcomes = append(t.shutdown.outcomes, o)
	f := t.fact(s, ShutdownOutcomeKnown, o.Reason)
	f.Correlation, f.To = t.shutdown.correlation, string(status)
}

func (t *Tree) shutdownFact(kind FactKind, reason string) *Fact {
	t.out.facts = append(t.out.facts, Fact{Kind: kind, Reason: reason, Correlation: t.shutdown.correlation})
	return &t.out.facts[len(t.out.facts)-1]
}

// straggles notes that a child did not stop in time.
func (t *Tree) straggles() {
	if t.shutdown != nil {
		t.reach(stageAbort)
	}
}

func (t *Tree) reach(stage int) {
	if stage > t.shutdown.stage {
		f := t.shutdownFact(ShutdownPhaseChange, stageNames[stage])
		f.From, f.To = stageNames[t.shutdown.stage], stageNames[stage]
		t.shutdown.stage = stage
	}
}

// goDown moves a shutdown along when nothing else happens any more. It reports
// whether that changed anything.
func (t *Tree) goDown() bool {
	d := t.shutdown
	switch {
	case d == nil || d.report != nil:
		return false
	case d.left > 0 && d.draining == 0:
		t.breakCycle()
		return true
	case d.left > 0 || t.hooks > 0 || t.straysLeft():
		return false
	}
	t.complete()
	return true
}

// breakCycle stops all children that wait for each other: a cycle of
// dependencies has no order.
func (t *Tree) breakCycle() {
	for _, id := range t.IDs() {
		if s, ok := t.children[id]; ok {
			t.drain(s)
		}
	}
}

func (t *Tree) straysLeft() bool {
	for _, g := range t.strays {
		if !g.lost {
			return true
		}
	}
	return false
}

func (t *Tree) complete() {
	d := t.shutdown
	t.reach(stageReconcile)
	t.reach(stageCompleted)
	d.report = &ShutdownReport{
		Cause: d.cause, StartedAt: d.startedAt, CompletedAt: t.wall,
		Phase: stageNames[d.stage], Outcomes: d.outcomes,
		Failure: d.failure, EndedBy: d.endedBy, Exit: d.exit,
		Orphans: t.orphans(),
	}
	d.report.VerifiedClean = len(d.report.Orphans) == 0
	t.shutdownFact(ShutdownCompleted, d.cause.Reason).Cause = d.cause
	for i, id := range d.waiting {
		t.replyReport(id, i > 0)
	}
	d.waiting = nil
}

func (t *Tree) replyReport(id CommandID, again bool) {
	r := Reply{To: id, Decision: Accepted, Report: t.shutdown.report}
	if again {
		r.Decision = Idempotent
	}
	t.reply(r)
}
