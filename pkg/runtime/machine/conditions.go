package machine

import (
	"fmt"
	"strings"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// crashLoop is after how many quick failures in a row a child is said to be
// crash looping: one may be chance and two a slow dependency.
const crashLoop = 3

func truth(b bool) string {
	if b {
		return "True"
	}
	return "False"
}

func readyReason(s *state) string {
	switch {
	case !s.live.ready && s.phase == child.Running:
		return unreadyReason(s)
	case !s.live.ready:
		return string(s.phase)
	case s.live.folder:
		return "Supervisor"
	}
	return probedReason(s)
}

func waitMessage(s *state) string { return waiting(s.waits) }

func waiting(things []string) string {
	if len(things) == 0 {
		return ""
	}
	return "waits for " + strings.Join(things, ", ")
}

func crashLoopMessage(s *state) string {
	return fmt.Sprintf("%d attempts in a row failed within %g s", s.quick, s.spec.Backoff.ResetAfter.Duration().Seconds())
}

func notEnforcedMessage(fields []string) string {
	return "this version accepts but does not enforce: " + strings.Join(fields, ", ")
}

// stalledReason says why a child does not get where it should without help; ""
// when it may.
func stalledReason(s *state) string {
	switch {
	case s.failure == nil:
		return ""
	case s.failure.Phase == "restart_limit":
		return "RestartLimitExceeded"
	case s.stop != nil && s.stop.stage == stopGivenUp:
		return "StopFailed"
	case s.phase == child.Starting && !s.hook.on():
		return "StartBusy"
	case s.phase == child.BackingOff || s.phase == child.Pending:
		return "StartFailed"
	}
	return ""
}
