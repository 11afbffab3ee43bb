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
	t.forgetOldOfGroups(s)
	limit := s.spec.RestartLimit
	if limit == nil {
		s.restarts = nil
		return
	}
	s.restarts = t.recent(s.restarts, limit)
}

// recent drops those that left the sliding window.
func (t *Tree) recent(restarts []Instant, limit *child.RestartLimit) []Instant {
	window := Instant(limit.Window)
	return slices.DeleteFunc(restarts, func(at Instant) bool { return at+window <= t.now })
}

func (t *Tree) forgetOldOfGroups(s *state) {
	for tag, restarts := range s.groups {
		i := slices.IndexFunc(s.spec.FailureGroups, func(g child.FailureGroup) bool { return g.Tag == tag })
		if i >= 0 {
			restarts = t.recent(restarts, &s.spec.FailureGroups[i].RestartLimit)
		}
		if i < 0 || len(restarts) == 0 {
			delete(s.groups, tag)
		} else {
			s.groups[tag] = restarts
		}
	}
}

// limitDeadline is when the oldest restart leaves the window: what a snapshot
// says of the limit changes then, without any event.
func (t *Tree) limitDeadline(s *state) (first moment) {
	consider := func(restarts []Instant, limit *child.RestartLimit) {
		if limit == nil || len(restarts) == 0 {
			return
		}
		if at := restarts[0] + Instant(limit.Window); !first.set || at < first.at {
			first = moment{at: at, set: true}
		}
	}
	consider(s.restarts, s.spec.RestartLimit)
	for i := range s.spec.FailureGroups {
		g := &s.spec.FailureGroups[i]
		consider(s.groups[g.Tag], &g.RestartLimit)
	}
	return first
}

// limitUse is the limit for people.
func limitUse(s *state) child.RestartLimitUse {
	limit := s.spec.RestartLimit
	if limit == nil {
		return child.RestartLimitUse{}
	}
	use := useOf(limit, len(s.restarts))
	use.Exhausted = s.operation == child.OperationQuarantined && s.hold != nil && s.hold.RequestedBy == runtimeItself
	return use
}

func useOf(limit *child.RestartLimit, used int) child.RestartLimitUse {
	return child.RestartLimitUse{
		Window: limit.Window, Limit: limit.MaxRestarts, Used: used, Remaining: max(limit.MaxRestarts-used, 0),
	}
}

// groupUse is the use of each failure group of a supervisor, for people.
func groupUse(s *state) (all []child.FailureGroupUse) {
	for i := range s.spec.FailureGroups {
		g := &s.spec.FailureGroups[i]
		all = append(all, child.FailureGroupUse{Tag: g.Tag, RestartLimitUse: useOf(&g.RestartLimit, len(s.groups[g.Tag]))})
	}
	return all
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
