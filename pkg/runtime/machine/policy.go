package machine

import (
	"fmt"
	"slices"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// afterExit is where a child goes whose attempt ended without being asked to:
// Backoff when it is to be started again, else Completed or Failed.
func afterExit(policy child.RestartPolicy, kind child.ExitKind) child.Phase {
	switch {
	case policy != child.Transient && policy != child.Temporary:
		return child.BackingOff // permanent, which is also the default
	case !kind.IsFailure():
		return child.Completed
	case policy == child.Transient:
		return child.BackingOff
	}
	return child.FailedPhase
}

// classify says how an attempt ended. asked means that a stop of ours was on
// its way: then it is no failure, whatever the code.
func classify(ev Exited, spec *child.Spec, asked bool) child.ExitKind {
	switch {
	case asked:
		return child.Cancelled
	case ev.Kind != "":
		return ev.Kind
	case ev.Lost || ev.Code == nil && ev.Signal == "":
		return child.LostExit
	case ev.OOMKilled:
		return child.OOMKilled
	case ev.Signal != "":
		return child.Signaled
	case isSuccess(spec, *ev.Code):
		return child.Succeeded
	}
	return child.FailedExit
}

func isSuccess(spec *child.Spec, code int) bool {
	if len(spec.SuccessExitCodes) == 0 {
		return code == 0
	}
	return slices.Contains(spec.SuccessExitCodes, code)
}

// exitReason is how an attempt ended, for people, in our words.
func exitReason(ev Exited, kind child.ExitKind, stopped *stop) string {
	switch {
	case stopped != nil && stopped.sent && stopped.unwell != "":
		return stopped.unwell
	case kind == child.Cancelled:
		return "stopped: " + stopped.cause.Reason
	case kind == child.LostExit:
		return "ended while nobody could see"
	case ev.Reason != "":
		return ev.Reason
	case ev.Signal == "":
		return fmt.Sprintf("exit code %d", *ev.Code)
	}
	how := "killed by " + ev.Signal
	if ev.CoreDumped {
		how += " (core dumped)"
	}
	if ev.OOMKilled {
		how += ", out of memory"
	}
	return how
}
