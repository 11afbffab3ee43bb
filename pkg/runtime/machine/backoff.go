package machine

import (
	"hash/fnv"
	"math/rand/v2"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// nextDelay is how long a child rests before its next start, before jitter:
// twice the last rest, within the child's bounds as they are now. An attempt that
// ran for ResetAfter begins at the initial rest again, and so does last 0.
func nextDelay(last, ran time.Duration, b child.Backoff) time.Duration {
	first, limit := max(b.InitialDelay.Duration(), 0), max(b.MaxDelay.Duration(), 0)
	if last <= 0 || ran >= b.ResetAfter.Duration() {
		return min(first, limit)
	}
	if last > limit/2 {
		return limit
	}
	return min(max(2*last, first), limit)
}

// jittered is delay, shortened by up to ratio of itself: u is in [0, 1).
func jittered(delay time.Duration, ratio, u float64) time.Duration {
	ratio = min(max(ratio, 0), 1)
	return delay - time.Duration(ratio*u*float64(delay))
}

// ranFor is how long an attempt ran by the clock of who watched it. That clock
// may have been set back: nothing runs for less than no time.
func ranFor(started, finished time.Time) time.Duration {
	if started.IsZero() || finished.IsZero() {
		return 0
	}
	return max(finished.Sub(started), 0)
}

// generator is the random generator of one child. Two children of one seed
// have different ones, so that children that fell together do not rise together.
func generator(seed uint64, id child.ID) rand.PCG {
	h := fnv.New64a()
	h.Write([]byte(id))
	return *rand.NewPCG(seed, h.Sum64())
}

// chance is the next random number of a child, in [0, 1).
func (s *state) chance() float64 {
	return float64(s.rng.Uint64()>>11) / (1 << 53)
}
