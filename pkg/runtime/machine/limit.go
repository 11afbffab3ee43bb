package machine

import (
	"fmt"
	"slices"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// countRestart takes one restart from the limit of a child. It is false when
// there is none left; then nothing was counted.
func (t *Tree) countRestart(s *state) bool {
	limit := s.spec.RestartLimit
	if limit == nil {
		return true
	}
	t.forgetOldRestarts(s)
	if len(s.restarts) >= limit.MaxRestarts {
		return false
	}
	s.restarts = append(s.restarts, t.now)
	return true
}

// forgetOldRestarts drops those that left the sliding window.
func (t *Tree) forgetOldRestarts(s *state) {
	limit := s.spec.RestartLimit
	if limit == nil {
		s.restarts = nil
		return
	}
	window := Instant(limit.Window)
	s.restarts = slices.DeleteFunc(s.restarts, func(at Instant) bool { return at+window <= t.now })
}

// limitDeadline is when the oldest restart leaves the window: what a snapshot
// says of the limit changes then, without any event.
func (t *Tree) limitDeadline(s *state) moment {
	if s.spec.RestartLimit == nil || len(s.restarts) == 0 {
		return moment{}
	}
	return moment{at: s.restarts[0] + Instant(s.spec.RestartLimit.Window), set: true}
}

// limitUse is the limit for people.
func limitUse(s *state) child.RestartLimitUse {
	limit := s.spec.RestartLimit
	if limit == nil {
		return child.RestartLimitUse{}
	}
	used := len(s.restarts)
	return child.RestartLimitUse{
		Window: limit.Window, Limit: limit.MaxRestarts, Used: used,
		Remaining: max(limit.MaxRestarts-used, 0),
		Exhausted: s.operation == child.OperationQuarantined && s.hold != nil && s.hold.RequestedBy == runtimeItself,
	}
}

// limitReason is why a limit stopped a child: "11th restart within 60 s".
func limitReason(limit *child.RestartLimit) string {
	return fmt.Sprintf("%s restart within %g s", ordinal(limit.MaxRestarts+1), limit.Window.Duration().Seconds())
}

func ordinal(n int) string {
	suffix := "th"
	if n%100 < 11 || n%100 > 13 {
		switch n % 10 {
		case 1:
			suffix = "st"
		case 2:
			suffix = "nd"
		case 3:
			suffix = "rd"
		}
	}
	return fmt.Sprint(n, suffix)
}
