package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/status"
)

// why explains a child's phase, and what else somebody should know of it, a
// sentence each: first that it should not be there any more. A child that runs and is
// well has none.
func why(c *status.Child, runtime status.State, now time.Time) []string {
	var reasons []string
	if v, ok := c.Condition(child.ConditionManifestValid); ok && v.Reason == status.ReasonRemovalHeld {
		reasons = append(reasons, v.Message)
	}
	reasons = append(reasons, whyPhase(c, runtime, now)...)
	if f := c.Failure; f != nil && !failedUpward(c) {
		reasons = append(reasons, fmt.Sprintf("%s went wrong: %s", strings.ReplaceAll(f.Phase, "_", " "), f.Reason))
	}
	if p := c.PendingRestart; p != nil {
		reasons = append(reasons, fmt.Sprintf("a restart waits for attempt %d to end (%s, asked for by %s)", p.OldAttempt, p.Cause.Reason, p.Cause.RequestedBy))
	}
	for _, condition := range c.Conditions {
		if isAdverse(condition, c.Phase) {
			reasons = append(reasons, conditionText(c, condition))
		}
	}
	return reasons
}

func whyPhase(c *status.Child, runtime status.State, now time.Time) []string {
	switch c.Phase {
	case child.Pending, child.Starting:
		if len(c.WaitsFor) > 0 {
			return []string{"it waits for " + strings.Join(c.WaitsFor, ", ") + waitText(c, now)}
		}
	case child.BackingOff:
		if failedUpward(c) && c.NextRestartAt != nil {
			return []string{fmt.Sprintf("it failed: %s; it starts again, with all that is in it, at %s", c.Failure.Reason, moment(*c.NextRestartAt, now))}
		}
		if c.NextRestartAt != nil {
			return []string{fmt.Sprintf("%s; it starts again at %s", endText(c.LastExit), moment(*c.NextRestartAt, now))}
		}
	case child.Stopped:
		return []string{whyStopped(c, runtime, now)}
	case child.Quarantined:
		return []string{whyQuarantined(c, now)}
	case child.Completed, child.FailedPhase:
		if c.NextRunAt != nil {
			return []string{fmt.Sprintf("%s; its next run is at %s", endText(c.LastExit), moment(*c.NextRunAt, now))}
		}
		return []string{endText(c.LastExit) + "; its restart policy does not start it again"}
	case child.Stopping:
		if len(c.WaitsFor) > 0 && c.StopDeadline != nil {
			return []string{fmt.Sprintf("it is to stop, and waits for %s, until %s at the latest", strings.Join(c.WaitsFor, ", "), moment(*c.StopDeadline, now))}
		}
		if c.StopDeadline != nil {
			return []string{"it was told to stop; the next step is due at " + moment(*c.StopDeadline, now)}
		}
	}
	return nil
}

// failedUpward reports whether c is a folder whose children used up its limit.
func failedUpward(c *status.Child) bool {
	return c.Failure != nil && c.Failure.Phase == "restart_limit"
}

// waitText says how long a wait may still take, as far as that is known.
func waitText(c *status.Child, now time.Time) string {
	switch {
	case c.QueuePlace > 0:
		return fmt.Sprintf(" (it came to the queue at place %d)", c.QueuePlace)
	case c.NextRestartAt != nil:
		return "; it starts at " + moment(*c.NextRestartAt, now) + " at the earliest"
	case c.PendingSince != nil:
		return ", since " + moment(*c.PendingSince, now)
	}
	return ""
}

func whyStopped(c *status.Child, runtime status.State, now time.Time) string {
	switch {
	case c.Hold != nil:
		return holdText("paused", c.Hold, now)
	case runtime == status.Starting || runtime == status.Alive:
		return "its manifest says suspend: true"
	}
	return "the reconciler was shut down"
}

func whyQuarantined(c *status.Child, now time.Time) string {
	if c.Hold != nil {
		text := holdText("quarantined", c.Hold, now)
		if e := c.LastExit; e != nil && e.Kind.IsFailure() {
			text += "; " + endText(e)
		}
		return text
	}
	text := endText(c.LastExit) + "; it is not started again until its manifest changes"
	if l := c.RestartLimit; l != nil {
		text += fmt.Sprintf(" (restart limit: %d in %s)", l.Limit, humanDuration(l.Window.Duration()))
	}
	return text
}

func holdText(what string, h *child.Hold, now time.Time) string {
	return fmt.Sprintf("it was %s by %s at %s: %s", what, h.RequestedBy, moment(h.At, now), h.Reason)
}

func endText(e *status.Exit) string {
	if e == nil {
		return "it ended"
	}
	return fmt.Sprintf("attempt %d ended after %s: %s", e.Attempt, humanDuration(e.Duration.Duration()), e.Words.With(e.Reason))
}

// isAdverse reports whether a condition is worth a sentence. That a child without
// a process is not ready is no news, nor that it is waited for what it waits for.
func isAdverse(c child.ConditionState, p child.Phase) bool {
	switch c.Type {
	case child.ConditionReady, child.ConditionHealthy:
		return c.Status == "False" && p == child.Running
	case child.ConditionDependenciesReady:
		return c.Status == "False" && p != child.Pending
	case child.ConditionManifestValid, child.ConditionManifestSeen, child.ConditionTreeKill, child.ConditionFilesRead, child.ConditionLogWritable:
		return c.Status == "False"
	case child.ConditionReconciling:
		return c.Status == "True" && p == child.Running // else the phase says it
	}
	return c.Status == "True"
}

func conditionText(of *status.Child, c child.ConditionState) string {
	message := conditionMessage(of, c)
	if message == "" {
		return fmt.Sprintf("%s is %s: %s", c.Type, c.Status, c.Reason)
	}
	return fmt.Sprintf("%s is %s (%s): %s", c.Type, c.Status, c.Reason, message)
}

// conditionMessage is the message of a condition with what its probe printed.
func conditionMessage(of *status.Child, c child.ConditionState) string {
	for kind, probe := range map[child.ConditionType]status.Probe{child.ConditionReady: of.Health.Readiness, child.ConditionHealthy: of.Health.Liveness} {
		if c.Type == kind && c.Status != "True" && c.Message == probe.Message {
			return probe.Words.With(c.Message)
		}
	}
	return c.Message
}
