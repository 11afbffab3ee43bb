package runtime

import (
	"crypto/rand"
	"strconv"
	"strings"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

// quiet are the facts that a person reading the log does not want one line each
// of: another fact says the same, or they come by the thousand.
var quiet = map[machine.FactKind]bool{
	machine.ChildStarting: true, machine.ChildReady: true, machine.ChildPending: true,
	machine.HookStarted: true, machine.HookSucceeded: true,
	machine.ChildUpdated: true, machine.StaleReportIgnored: true,
	machine.CommandAccepted: true, machine.OperationChanged: true, machine.ChildStopCompleted: true, machine.ChildStopped: true,
	machine.ChildRestarting: true, machine.RestartLimitUpdated: true, machine.RestartFenceEntered: true,
	machine.RestartFenceAbort: true, machine.RestartFenceReleased: true, machine.RestartFenceCancelled: true,
	machine.RestartConflict: true, machine.ShutdownOutcomeKnown: true, machine.ProbeFailed: true,
}

var messages = map[machine.FactKind]string{
	machine.ChildAdded:          "child added",
	machine.ChildUnseen:         "child starts without a look at its manifest",
	machine.ChildUpdated:        "child updated",
	machine.ChildRemoved:        "child removed",
	machine.ChildStarting:       "child starting",
	machine.ChildRunning:        "child running",
	machine.ChildAdopted:        "child adopted",
	machine.ChildReady:          "child ready",
	machine.ChildNotReady:       "child not ready",
	machine.ChildUnhealthy:      "child unhealthy: it is replaced",
	machine.ProbeFailed:         "probe failed",
	machine.ChildStopping:       "child stopping",
	machine.ChildKilled:         "child killed: it did not stop in time",
	machine.ChildStopFailed:     "child cannot be stopped",
	machine.ChildExited:         "child exited",
	machine.ChildStartFailed:    "child did not start",
	machine.BackoffScheduled:    "child rests before its next start",
	machine.ChildQuarantined:    "child quarantined",
	machine.ChildPaused:         "child paused",
	machine.ChildResumed:        "child resumed",
	machine.HookStarted:         "hook started",
	machine.RunDue:              "a run of its schedule is due",
	machine.RunSkipped:          "a run of its schedule is left out",
	machine.ChildReloaded:       "child told that its files changed",
	machine.ReloadFailed:        "a reload went wrong",
	machine.NoticeRefused:       "what a child said of itself was refused",
	machine.HookSucceeded:       "hook succeeded",
	machine.HookFailed:          "hook failed",
	machine.ChildPending:        "child waits",
	machine.StaleReportIgnored:  "stale report ignored",
	machine.ShutdownRequested:   "shutdown requested",
	machine.ShutdownPhaseChange: "shutdown goes on",
	machine.ShutdownCompleted:   "shutdown completed",
	machine.GroupRestartBegan:   "group restart begins",
	machine.GroupRestarted:      "group restart: all are gone and start",
	machine.SupervisorFailed:    "supervisor failed: its restart limit is used up",
	machine.GroupQuarantined:    "failure group quarantined",
	machine.RuntimeDegraded:     "runtime degraded",
	machine.RuntimeRecovered:    "runtime is well again",
	machine.ShimLost:            "connection to the shim lost; children run on",
	machine.ShimConnected:       "connected to the shim",

	machine.CommandAccepted:       "command accepted",
	machine.CommandRefused:        "command refused",
	machine.RequestsLeftOut:       "requests that changed nothing were only counted",
	machine.OperationChanged:      "operation changed",
	machine.ChildStopCompleted:    "child's stop completed",
	machine.ChildStopped:          "child at rest",
	machine.ChildCompleted:        "child completed: it is not started again",
	machine.ChildFailed:           "child failed: it is not started again",
	machine.ChildRestarting:       "child is started again",
	machine.RestartLimitUpdated:   "use of the restart limit changed",
	machine.RestartFenceEntered:   "restart waits for the old attempt to end",
	machine.RestartFenceAbort:     "restart kills the old attempt",
	machine.RestartFenceReleased:  "the old attempt is gone; restarting",
	machine.RestartFenceCancelled: "restart cancelled",
	machine.RestartConflict:       "restart merged with the one that is pending",
	machine.ShutdownOutcomeKnown:  "shutdown outcome",
	machine.RuntimeStarted:        "runtime started",
	machine.RuntimeEnded:          "runtime ended",
}

// newRun is a name that no other run has, in the order of time: the millisecond
// that it began in, and something random, because clocks are set back.
func newRun(now time.Time) string {
	return strconv.FormatInt(now.UnixMilli(), 36) + strings.ToLower(rand.Text()[:4])
}

// tell logs facts and writes them to the journal.
func (r *Runtime) tell(facts []machine.Fact) {
	if len(facts) == 0 {
		return
	}
	for _, f := range facts {
		level := 0
		if quiet[f.Kind] {
			level = 1
		}
		if log := r.cfg.Log.V(level); log.Enabled() {
			log.Info(messages[f.Kind], pairs(f)...)
		}
	}
	if r.cfg.Journal == nil {
		return
	}
	err := r.cfg.Journal.Append(facts, time.Now())
	if err != nil && !r.journalFails {
		r.cfg.Log.Error(err, "the journal cannot be written; what is missing follows when it can")
	}
	r.journalFails = err != nil
}

// tellOfItself is a fact about the runtime, not about the tree.
func (r *Runtime) tellOfItself(kind machine.FactKind, reason string) {
	r.tell([]machine.Fact{{Kind: kind, Reason: reason, Correlation: r.cfg.Run}})
}

func pairs(f machine.Fact) []any {
	var kv []any
	add := func(key string, value any) { kv = append(kv, key, value) }
	if f.Child != "" {
		add("child", string(f.Child))
	}
	if f.Attempt > 0 {
		add("generation", uint64(f.Generation))
		add("attempt", uint64(f.Attempt))
	}
	if f.PID > 0 {
		add("pid", f.PID)
	}
	if f.Exit != nil {
		add("kind", string(f.Exit.Kind))
		add("after", f.Exit.Duration.Duration().Round(time.Millisecond).String())
		f.Words = f.Exit.Words
	}
	if c := f.Command; c != nil {
		add("command", string(c.Verb))
		add("command_id", string(c.ID))
		add("result", string(c.Decision))
		if c.Code != "" {
			add("code", string(c.Code))
		}
	}
	if f.To != "" {
		add("to", f.To)
	}
	if f.Delay > 0 {
		add("delay", f.Delay.Round(time.Millisecond).String())
	}
	if f.Reason != "" {
		add("reason", f.Reason)
	}
	if f.Words != "" {
		add("words", f.Words.Text())
	}
	if f.Cause.RequestedBy != "" {
		add("requested_by", f.Cause.RequestedBy)
	}
	return kv
}
