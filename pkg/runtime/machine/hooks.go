package machine

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// Hooks are processes beside the main one of an attempt, one after another:
//
//   - pre_start before each start. One that fails, or takes too long, means that
//     the attempt failed to start.
//   - post_start once it runs. The child is ready when they are done. One that
//     fails ends the attempt, as a failure.
//   - pre_stop before the stop signal, within the grace of the stop. Whatever
//     becomes of them the signal follows, with what is left of the grace, and at
//     least lastGrace.
//   - post_stop after each end, before anything starts the child again, before it
//     is gone when it was removed, and before a shutdown goes on to what it
//     depends on. One that fails is told of, and the next one runs.
//
// A hook runs once: its key is written down before it is started, the shim starts
// a key once, and its end is acknowledged after it is written down. Only where the
// shim itself was killed while it started one is it not known whether that began;
// then it counts as failed. Each hook ends: at its timeout its tree is killed, and
// hookWait later nobody waits for it any more, connected or not.
const (
	hookWait  = 5 * time.Second
	lastGrace = 2 * time.Second

	tooLong = "it took too long and was killed"
)

// hooking is the hook that is under way; its zero value: none.
type hooking struct {
	role     child.Role
	run      int    // the number of its key: how many of its role were begun, from 1
	next     int    // its place in the list, from 1; the hook after it has the next one
	queued   bool   // it waits for its turn, see hooks_turn.go
	asked    bool   // its start is under way and holds a place
	begun    bool   // its turn came, and its time runs
	deadline moment // until its turn must come, then until it is killed, then until nobody waits for it. Always set
	again    moment // when a start that was refused as busy is repeated
	killed   string // why it was killed; "": it was not
	seen     bool   // it is known to run
	epoch    uint64 // the connection in which it was asked for or heard of

	// What waits for the last post_stop: how its attempt ended.
	by *stop
	e  *child.Exit
}

func (h *hooking) on() bool { return h.role != child.Main }

// String is the hook for people: "pre_start hook 1 of 2".
func (s *state) hookName() string {
	return fmt.Sprintf("%s hook %d of %d", s.hook.role, s.hook.run, max(len(hooksOf(s.spec, s.hook.role)), s.hook.run))
}

func (s *state) hookKey() child.Key {
	k := s.key()
	k.Role, k.Run = s.hook.role, uint64(s.hook.run)
	return k
}

// hooksOf are the commands of one role.
func hooksOf(spec *child.Spec, role child.Role) [][]string {
	switch h := spec.Hooks; {
	case h == nil:
	case role == child.PreStart:
		return h.PreStart
	case role == child.PostStart:
		return h.PostStart
	case role == child.PreStop:
		return h.PreStop
	case role == child.PostStop:
		return h.PostStop
	}
	return nil
}

// beginHooks starts the hooks of a role; false: there are none.
func (t *Tree) beginHooks(s *state, role child.Role) bool {
	t.dropHook(s)
	return t.runHook(s, hooking{role: role, run: 1, next: 1})
}

// runHook starts one hook; false: the list is at its end.
func (t *Tree) runHook(s *state, h hooking) bool {
	if h.next > len(hooksOf(s.spec, h.role)) {
		return false
	}
	if !s.hook.on() {
		t.hooks++
	}
	h.deadline = t.in(hookTurn)
	s.hook = h
	t.askHook(s)
	t.save(s)
	return true
}

// hookEnvironment is what a hook is told in its environment, as systemd does
// (systemd.exec(5)): the main process, or how it ended.
func (s *state) hookEnvironment() []string {
	if s.hook.role != child.PostStop {
		if s.live.pid == 0 {
			return nil
		}
		return []string{"MAINPID=" + strconv.Itoa(s.live.pid)}
	}
	e := s.lastExit()
	if e == nil {
		return nil
	}
	env := []string{"SERVICE_RESULT=" + serviceResult(e)}
	switch {
	case e.Signal != "" && e.CoreDumped:
		env = append(env, "EXIT_CODE=dumped", "EXIT_STATUS="+strings.TrimPrefix(e.Signal, "SIG"))
	case e.Signal != "":
		env = append(env, "EXIT_CODE=killed", "EXIT_STATUS="+strings.TrimPrefix(e.Signal, "SIG"))
	case e.Code != nil:
		env = append(env, "EXIT_CODE=exited", "EXIT_STATUS="+strconv.Itoa(*e.Code))
	}
	return env // of what nobody saw, neither is known
}

func serviceResult(e *child.Exit) string {
	switch {
	case e.Kind == child.Succeeded || e.Kind == child.Cancelled:
		return "success"
	case e.Kind == child.TimedOut:
		return "timeout"
	case e.Kind == child.OOMKilled:
		return "oom-kill"
	case e.CoreDumped:
		return "core-dump"
	case e.Signal != "":
		return "signal"
	case e.Kind == child.StartFailure:
		return "resources"
	case e.Code != nil:
		return "exit-code"
	}
	return "protocol"
}

// hookOf is the child whose hook under way has this key; nil: none.
func (t *Tree) hookOf(key child.Key) *state {
	if s, ok := t.children[key.ID]; ok && s.hook.on() && s.hookKey() == key {
		return s
	}
	return nil
}

// hookRuns takes note that a hook is alive.
func (t *Tree) hookRuns(s *state) {
	t.hookAnswered(s)
	h := &s.hook
	h.seen, h.begun, h.queued, h.epoch, h.again = true, true, false, t.epoch, moment{}
	if h.killed != "" {
		t.signal(s.hookKey(), sigkill)
	}
	t.touch(s)
}

// hookNotStarted is the answer that there is no process. While one of its role
// that was killed is still there, it is asked for again.
func (t *Tree) hookNotStarted(s *state, ev StartFailed) {
	t.hookAnswered(s)
	if ev.Busy && s.hook.killed == "" {
		s.hook.again, s.hook.queued = t.in(firstBusyRetry), false
		t.touch(s)
		return
	}
	t.hookOver(s, ev.Reason, nil)
}

func (t *Tree) hookExited(s *state, ev Exited) {
	why := ""
	switch {
	case s.hook.killed != "":
		why = s.hook.killed
	case ev.Lost || ev.Code == nil && ev.Signal == "":
		why = "it ended while nobody could see"
	case ev.Signal != "":
		why = "killed by " + ev.Signal
	case *ev.Code != 0:
		why = fmt.Sprintf("exit code %d", *ev.Code)
	}
	t.hookOver(s, why, ev.LogTail)
}

// hookOver is the end of a hook; why says how it failed, "" if it did not.
func (t *Tree) hookOver(s *state, why string, tail child.Output) {
	t.hookAnswered(s)
	h, name := s.hook, s.hookName()
	kind := HookSucceeded
	if why != "" {
		kind, name = HookFailed, name+": "+why
	}
	t.fact(s, kind, name)
	if h.killed == takenOut {
		why = ""
	}
	if why != "" {
		s.reportHook(h.role, name)
	}
	goesOn := why == "" || h.role == child.PreStop || h.role == child.PostStop
	if h.role == child.PreStart && s.stop != nil {
		goesOn = false
	}
	if goesOn && t.runHook(s, hooking{role: h.role, run: h.run + 1, next: h.next + 1, by: h.by, e: h.e}) {
		return
	}
	t.noHook(s)
	switch h.role {
	case child.PreStart:
		t.preStarted(s, name, why, tail)
	case child.PostStart:
		t.postStarted(s, name, why)
	case child.PreStop:
		t.requestStop(s)
	case child.PostStop:
		t.postStopped(s, h)
	}
}

// reportHook adds the failure of a hook around an end to the exit report.
func (s *state) reportHook(role child.Role, failed string) {
	switch last := s.lastExit(); {
	case role == child.PreStop && s.stop != nil:
		s.stop.hookFailed = failed
	case role == child.PostStop && last != nil:
		told := *last // records share it
		told.Reason += "; " + failed
		s.exits = append(slices.Clone(s.exits[:len(s.exits)-1]), &told)
	}
}

// noHook says that no hook is under way any more.
func (t *Tree) noHook(s *state) {
	t.hookAnswered(s)
	s.hook = hooking{}
	t.hooks--
	t.save(s)
}

// The facts about hooks.
const (
	HookStarted   FactKind = "hook_started"
	HookSucceeded FactKind = "hook_succeeded"
	HookFailed    FactKind = "hook_failed"
)

func (t *Tree) preStarted(s *state, name, why string, tail child.Output) {
	switch {
	case s.stop != nil:
		t.ended(s, nil) // it never ran
	case why != "":
		t.failedToStart(s, StartFailed{Key: s.key(), Reason: name, At: t.wall, LogTail: tail})
	case t.shutdown != nil:
		t.ended(s, nil)
	default: // it queues for the start itself
		s.live.epoch, s.live.wantsSlot = t.epoch, true
		t.touch(s)
	}
}

// postStopped is when what waited for the hooks after an end goes on.
func (t *Tree) postStopped(s *state, h hooking) {
	t.wentDown(s, h.by, h.e)
	if s.operation == child.Removed {
		t.forget(s)
	} else {
		t.touch(s)
	}
}

func (t *Tree) postStarted(s *state, name, why string) {
	if why != "" {
		t.failAs(s, child.FailedExit, name, "")
	}
	t.touch(s) // it may be ready now
}

// beginPostStop starts the hooks after an end; a shutdown waits for them.
func (t *Tree) beginPostStop(s *state, by *stop, e *child.Exit) bool {
	if e == nil || !t.runHook(s, hooking{role: child.PostStop, run: 1, next: 1, by: by, e: e}) {
		return false
	}
	if t.shutdown != nil && s.shutdown.left && !s.shutdown.draining {
		s.shutdown.draining = true
		t.shutdown.draining++
	}
	return true
}

// beginPreStop starts the hooks before a stop signal; false: there are none, or
// they are done.
func (t *Tree) beginPreStop(s *state) bool {
	if s.stop.hooked {
		return false
	}
	s.stop.hooked = true
	if len(hooksOf(s.spec, child.PreStop)) == 0 {
		return false
	}
	wait := s.spec.Shutdown.GracefulTimeout.Duration()
	if t.connected {
		wait += hookTurn // until its turn comes: then the grace begins
	}
	s.stop.deadline = t.in(wait)
	s.stopState = child.CancelDelivered
	return t.beginHooks(s, child.PreStop)
}

// dropHook kills a hook that nobody waits for any more.
func (t *Tree) dropHook(s *state) {
	if s.hook.on() {
		if s.hook.begun {
			t.signal(s.hookKey(), sigkill)
		}
		t.fact(s, HookFailed, s.hookName()+": it was ended, nobody waits for it any more")
		t.noHook(s)
	}
}

// killHook ends a hook before its time. What waits for its end goes on then.
func (t *Tree) killHook(s *state, why string) {
	h := &s.hook
	switch {
	case !h.on() || h.killed != "":
	case !h.begun:
		h.killed = why
		t.hookOver(s, why, nil)
	default:
		h.killed, h.again, h.queued, h.deadline = why, moment{}, false, t.in(hookWait)
		t.signal(s.hookKey(), sigkill)
		t.save(s)
	}
}

// hookDue does what is due of the hook of a child.
func (t *Tree) hookDue(s *state) {
	h := &s.hook
	switch {
	case !h.on():
	case h.deadline.due(t.now) && !h.begun:
		t.hookMissed(s)
	case h.deadline.due(t.now) && h.role == child.PreStop:
		t.preStopTooLong(s)
	case h.deadline.due(t.now) && h.killed != "":
		t.hookOver(s, h.killed+", and is perhaps still there", nil)
	case h.deadline.due(t.now):
		t.killHook(s, tooLong)
	case h.again.due(t.now):
		t.askHook(s)
	}
}

// preStopTooLong does not wait for the end of what it kills: the grace runs.
func (t *Tree) preStopTooLong(s *state) {
	if s.stop.deadline.due(t.now) { // there is no time for another one
		t.dropHook(s)
		t.requestStop(s)
		return
	}
	t.signal(s.hookKey(), sigkill)
	t.hookOver(s, tooLong, nil)
}

// accountHook decides about a hook of which a new connection says nothing.
func (t *Tree) accountHook(s *state) {
	h := &s.hook
	switch {
	case !h.on() || h.epoch == t.epoch:
	case h.killed != "" || h.seen:
		t.hookOver(s, "it ended while nobody could see", nil)
	default:
		t.hookAnswered(s)
		if h.role == child.PreStart { // it never began, and may have to wait for a look at its manifest
			h.begun, h.deadline = false, t.in(hookTurn)
		}
		t.askHook(s)
	}
}
