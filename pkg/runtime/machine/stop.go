package machine

import (
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

const (
	sigterm = "SIGTERM"
	sigkill = "SIGKILL"

	// killAgain is the least time between two SIGKILLs to one attempt.
	killAgain = time.Second
)

// stop is the stop of an attempt under way. There is one mechanism, whatever the
// stop is for; what comes after it follows from what is wanted of the child by
// then, so that a pause during a restart needs no rule of its own.
type stop struct {
	why   string // the verb or the field that asked, for people and records
	cause child.Cause
	stage stopStage

	// deadline is when the next stage begins. It is not set in stopRequested,
	// unless mustEnd.
	deadline moment

	// latest is how far its child may put the deadline off: see extend.
	latest moment

	// sent says that a signal left the tree: a deadline that passes without a
	// connection sends nothing. killedIn is the connection in which SIGKILL was
	// sent last; 0: in none of this tree's.
	sent     bool
	killedIn uint64

	// unwell says why the attempt failed while it ran: its end then counts as a
	// failure of the child. "": somebody asked for the stop.
	unwell      string
	unwellWords child.Words // what its probe said
	unwellKind  child.ExitKind

	// hooked says that the pre_stop hooks are under way or done.
	hooked bool

	// hookFailed says how the last pre_stop hook that failed did.
	hookFailed string

	// mustEnd says that the deadlines run also while there is no connection: a
	// shutdown ends rather than hang for ever.
	mustEnd bool
}

// stopStage is how far a stop has come. Records hold it.
type stopStage string

const (
	stopRequested stopStage = "requested" // no signal was sent: the start is not answered yet, or nobody can be asked
	stopSignalled stopStage = "signalled" // the child has its grace
	stopKilled    stopStage = "killed"
	stopGivenUp   stopStage = "failed" // alive after SIGKILL and AbortWait
)

// What a stop is for.
const (
	whySuspend  = "suspend"
	whyShutdown = "shutdown"
	whyUnwell   = "unwell" // a probe or a deadline failed
)

// forOthers reports whether a stop is for the sake of other children and was not
// sent yet: an attempt that ends then has ended by itself.
func (s *stop) forOthers() bool { return !s.sent && (s.why == whyGroup || s.why == whyPrimary) }

// beginStop stops the attempt of a child. One that is being stopped is only told
// the newest reason.
func (t *Tree) beginStop(s *state, why string, cause child.Cause) {
	t.follow(s)
	if s.stop != nil {
		s.stop.why, s.stop.cause = why, cause
		t.save(s)
		return
	}
	noProcess := s.betweenTries()
	s.stop = &stop{why: why, cause: cause, stage: stopRequested}
	s.phase, s.live.ready, s.live.readyAt = child.Stopping, false, time.Time{}
	t.memberStops(s)
	t.factBy(s, ChildStopping, cause)
	t.save(s)
	switch s.hook.role {
	case child.PreStart:
		t.killHook(s, "it was killed by a stop: "+cause.Reason) // what it is for ends with it
	case child.PostStart:
		t.dropHook(s)
	}
	switch {
	case s.live.over:
	case s.live.pid > 0 && t.connected:
		t.requestStop(s)
	case noProcess:
		t.ended(s, nil)
	}
}

// betweenTries reports whether a start that nobody has answered yet is not under
// way either: it was refused as busy, or waits for a slot after its hooks.
func (s *state) betweenTries() bool {
	return s.phase == child.Starting && !s.live.asked && s.hook.role != child.PreStart
}

// requestStop sends the stop signal of a child; its grace begins, unless it began
// with its hooks.
func (t *Tree) requestStop(s *state) {
	if t.beginPreStop(s) {
		return
	}
	grace := t.in(s.spec.Shutdown.GracefulTimeout.Duration())
	if s.stop.sent {
		least := t.in(min(lastGrace, s.spec.Shutdown.GracefulTimeout.Duration()))
		grace = later(s.stop.deadline, least)
	}
	s.stop.stage, s.stop.deadline = stopSignalled, grace
	s.stop.latest = t.latestStop(s)
	s.stopState = child.CancelDelivered
	t.sendStop(s, stopSignal(s.spec))
	t.save(s)
}

func (t *Tree) sendStop(s *state, name string) {
	if t.connected {
		s.stop.sent = true
		if name == sigkill {
			s.stop.killedIn = t.epoch
		}
	}
	t.signal(s.key(), name)
}

func stopSignal(spec *child.Spec) string {
	if spec.Shutdown.Signal == "" {
		return sigterm
	}
	return spec.Shutdown.Signal
}

// escalate is the next stage of a stop whose deadline passed.
func (t *Tree) escalate(s *state) {
	if s.hook.role == child.PreStop { // it took the whole grace
		t.dropHook(s)
		t.requestStop(s)
		return
	}
	switch s.stop.stage {
	case stopRequested, stopSignalled:
		t.kill(s, "it did not stop within "+s.spec.Shutdown.GracefulTimeout.Duration().String())
	case stopKilled:
		t.giveUp(s)
	case stopGivenUp:
		t.sendStop(s, sigkill)
		s.stop.deadline = t.in(killEvery(s.spec))
		t.touch(s)
	}
}

// kill ends the grace of a stop.
func (t *Tree) kill(s *state, why string) {
	if s.hook.role == child.PreStop {
		t.dropHook(s)
	}
	s.stop.stage = stopKilled
	s.stop.deadline = t.in(s.spec.Shutdown.AbortWait.Duration())
	s.stopState = child.CancelDelivered
	t.sendStop(s, sigkill)
	if s.live.task {
		why += "; it is a task, and a goroutine cannot be killed"
	}
	if t.connected {
		t.fact(s, ChildKilled, why)
	}
	if p := s.pendingRestart; p != nil {
		t.fact(s, RestartFenceAbort, why).Target = p.TargetGeneration
	}
	t.save(s)
	t.straggles()
}

// giveUp says that an attempt cannot be killed. It is killed again and again,
// and the child stays as it is until the attempt is gone.
func (t *Tree) giveUp(s *state) {
	s.stop.stage = stopGivenUp
	s.stop.deadline = t.in(killEvery(s.spec))
	s.stopState = child.StopFailed
	s.failure = &child.Failure{Phase: "wait_completion", Reason: t.survived(s), Recoverable: true}
	t.sendStop(s, sigkill)
	t.fact(s, ChildStopFailed, s.failure.Reason)
	t.save(s)
	t.wentDown(s, s.stop, nil)
	t.lookAtStoppedAfter(s)
}

func (t *Tree) survived(s *state) string {
	if !t.connected && t.lost != "" {
		return "nobody could say whether it ended: " + t.lost
	}
	if !t.connected || s.live.pid == 0 {
		return "nobody could say whether it ended"
	}
	if s.live.task {
		return "the task has not returned, and a goroutine cannot be killed; a task must return when its context ends"
	}
	return "still alive after SIGKILL and " + s.spec.Shutdown.AbortWait.Duration().String() + ", as far as the shim tells; look for a process in uninterruptible sleep (state D), or a shim that hangs"
}

func killEvery(spec *child.Spec) time.Duration {
	return max(spec.Shutdown.AbortWait.Duration(), killAgain)
}

// stopAgain repeats the signal of a stop after a new connection: the old one may
// have lost it. Its grace begins anew, because a child that perhaps never heard
// its signal must not be killed without it; a kill goes on.
func (t *Tree) stopAgain(s *state) {
	switch s.stop.stage {
	case stopRequested:
		if s.hook.role != child.PreStop {
			t.requestStop(s)
		}
	case stopSignalled:
		t.sendStop(s, stopSignal(s.spec))
		s.stop.deadline = later(s.stop.deadline, t.in(s.spec.Shutdown.GracefulTimeout.Duration()))
		t.save(s)
	default:
		t.sendStop(s, sigkill)
		s.stop.deadline = t.in(killEvery(s.spec))
		t.touch(s)
	}
}
