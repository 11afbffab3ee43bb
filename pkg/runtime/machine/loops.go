package machine

import (
	"time"
)

// A hot loop is a child whose last three attempts all failed before they had run
// for a second, within ten seconds: it burns processor time and does no work. The
// growing rests cool it down to quick failures, which are a crash loop all the
// same. A child that fails after Backoff.ResetAfter fails slowly: each of its
// attempts did work, its rest is the first one each time, and there is no loop.
const (
	hotRun    = time.Second
	hotWithin = 10 * time.Second
)

// crashLoopReason tells a hot loop from other quick failures.
func crashLoopReason(s *state) string {
	if len(s.exits) < crashLoop {
		return "QuickFailures" // a supervisor has no exits of its own
	}
	last := s.exits[len(s.exits)-crashLoop:]
	for _, e := range last {
		if !e.Kind.IsFailure() || e.Duration.Duration() >= hotRun {
			return "QuickFailures"
		}
	}
	if took := last[crashLoop-1].FinishedAt.Sub(last[0].StartedAt); took < 0 || took > hotWithin {
		return "QuickFailures"
	}
	return "HotLoop"
}
