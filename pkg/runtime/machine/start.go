package machine

import (
	"slices"
	"strings"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// A start that was refused as busy is repeated soon, then ever less often.
const (
	firstBusyRetry = 100 * time.Millisecond
	lastBusyRetry  = 5 * time.Second
)

const (
	waitsForSlot       = "a free start slot"
	waitsForConnection = "the connection to the shim"
)

// await decides whether a child that wants to start may queue for a slot, and
// else names what it waits for.
func (t *Tree) await(s *state) {
	var waits []string
	switch {
	case s.phase == child.Pending && s.part.in != nil:
		t.leaveQueue(s)
		t.setWaits(s, []string{s.part.in.name() + " (" + s.part.in.reason + ")"})
		return
	case s.phase == child.Pending:
		waits, _ = t.missing(s)
		waits = append(waits, s.waitsForRun()...)
	case s.phase == child.Starting && !s.live.asked && (s.live.wantsSlot || !t.connected):
	default:
		t.setWaits(s, append(t.hookWaits(s), t.removedBefore(s)...))
		t.leaveQueue(s)
		return
	}
	waits = append(waits, t.obstacles(s)...)
	if len(waits) > 0 {
		t.leaveQueue(s)
	} else {
		t.enqueue(s)
		waits = []string{waitsForSlot}
	}
	t.setWaits(s, waits)
}

// obstacles is what keeps any child from starting that depends on nothing, apart
// from the start slots.
func (t *Tree) obstacles(s *state) (waits []string) {
	if !t.connected {
		waits = append(waits, waitsForConnection)
	}
	waits = append(waits, s.waitsForLook()...)
	waits = append(waits, t.hookWaits(s)...)
	for _, stray := range t.straysOf(s.id) {
		waits = append(waits, "the end of its earlier attempt "+stray.key.String())
	}
	return waits
}

// hookWaits names the hook that is under way.
func (t *Tree) hookWaits(s *state) []string {
	if s.hook.on() {
		return []string{s.hookName()}
	}
	return nil
}

func (t *Tree) setWaits(s *state, waits []string) {
	if slices.Equal(waits, s.waits) {
		return
	}
	fresh := len(s.waits) == 0 || s.isSupervisor() // one that ran as a folder may have waited for a hook
	if fresh && s.phase == child.Pending && waits[0] != waitsForSlot && waits[0] != waitsForConnection {
		t.fact(s, ChildPending, "waits for "+strings.Join(waits, ", "))
	}
	s.waits = waits
	t.publish(s)
}

// start makes the next attempt of a child, or repeats one that was refused as
// busy. Nothing else emits a first Start.
func (t *Tree) start(s *state) {
	first := s.phase == child.Pending
	if first {
		s.generation = s.fence
		s.fence++
		s.attempt++
		s.phase, s.live, s.stopState = child.Starting, attempt{epoch: t.epoch}, child.StopIdle
		s.waited = ranFor(s.pendingSince, t.wall)
		t.noteAttempts(s, false)
		t.save(s)
		t.fact(s, ChildStarting, "")
	}
	s.live.wantsSlot = false
	if !first || !t.beginHooks(s, child.PreStart) { // hooks hold no slot
		t.ask(s)
		t.emit(Start{Key: s.key(), Attempt: s.attempt, Spec: s.spec})
	}
	t.touch(s)
}

// started is the answer to a start, or the first news of a process.
func (t *Tree) started(ev Started) {
	if s := t.hookOf(ev.Key); s != nil {
		t.hookRuns(s)
		return
	}
	s, ok := t.children[ev.Key.ID]
	if !ok || s.key() != ev.Key || !s.hasAttempt() {
		t.stray(ev.Process)
		return
	}
	if s.live.pid > 0 && s.live.seen {
		t.stale(ev.Key, "it is known to run")
		return
	}
	t.runs(s, ev.Process, ChildRunning)
}

// runs takes note that the attempt of a child is alive.
func (t *Tree) runs(s *state, p Process, how FactKind) {
	if s.hook.role == child.PreStart {
		t.dropHook(s)
	}
	t.answered(s)
	l := &s.live
	l.retry, l.wantsSlot, l.lastRetry = moment{}, false, 0
	l.seen, l.epoch = true, t.epoch
	l.pid, l.startedAt, l.weakKill, l.task, l.log = p.PID, p.StartedAt, p.WeakKill, p.Task, p.Log
	if s.stop == nil || s.stop.stage != stopGivenUp {
		s.failure = nil
	}
	if s.quick > 0 {
		rest := s.spec.Backoff.ResetAfter.Duration() - ranFor(p.StartedAt, t.wall)
		l.stable = t.in(max(rest, 0))
	}
	t.fact(s, how, "")
	t.save(s)
	if s.phase == child.Stopping {
		t.stopAgain(s)
		return
	}
	first := s.phase == child.Starting
	s.phase = child.Running
	if first {
		t.beginHooks(s, child.PostStart)
	}
}

// becomeReady is called when nothing is awaited of a child any more: see arrange.
func (t *Tree) becomeReady(s *state) {
	if s.live.ready || s.hook.role == child.PostStart {
		return
	}
	again := s.live.wasReady
	s.live.ready, s.live.wasReady = true, true
	if s.live.readyAt.IsZero() {
		s.live.readyAt = t.wall
	}
	if again {
		t.turn(s, ChildReady, "", "")
	} else {
		t.fact(s, ChildReady, "") // of each attempt once, as its start is
	}
	t.save(s)
}

// startFailed is the other answer to a start: there is no process.
func (t *Tree) startFailed(ev StartFailed) {
	if s := t.hookOf(ev.Key); s != nil {
		t.hookNotStarted(s, ev)
		return
	}
	s, ok := t.children[ev.Key.ID]
	switch {
	case !ok || s.key() != ev.Key || !s.hasAttempt() || s.live.pid > 0 || s.hook.role == child.PreStart:
		t.stale(ev.Key, "a start failed: "+ev.Reason)
	case ev.Busy && s.phase == child.Starting && t.shutdown == nil:
		t.busy(s, ev.Reason)
	case ev.Busy:
		t.ended(s, nil)
	default:
		t.failedToStart(s, ev)
	}
}

// busy plans to repeat a start that something is in the way of.
func (t *Tree) busy(s *state, reason string) {
	t.answered(s)
	s.live.lastRetry = min(max(2*s.live.lastRetry, firstBusyRetry), lastBusyRetry)
	s.live.retry, s.live.wantsSlot = t.in(s.live.lastRetry), false
	s.failure = &child.Failure{Phase: "start", Reason: reason, Recoverable: true}
	t.touch(s)
}

func (t *Tree) failedToStart(s *state, ev StartFailed) {
	at := ev.At
	if at.IsZero() {
		at = t.wall
	}
	e := &child.Exit{
		Incarnation: s.incarnation, Generation: s.generation, Attempt: s.attempt,
		Kind: child.StartFailure, Reason: ev.Reason, StartedAt: at, FinishedAt: at,
		LogTail: ev.LogTail,
	}
	if s.stop == nil {
		s.correlation = ev.Key.String()
	}
	t.fact(s, ChildStartFailed, ev.Reason).Exit = e
	t.ended(s, e)
	if !s.gone && s.wanted() && t.shutdown == nil {
		s.failure = &child.Failure{Phase: "start", Reason: ev.Reason, Recoverable: true}
	}
}
