package machine

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

func backoff(initial, limit time.Duration) child.Backoff {
	return child.Backoff{
		InitialDelay: child.Millis(initial), MaxDelay: child.Millis(limit), ResetAfter: child.Seconds(30 * time.Second),
	}
}

func TestRestsDoubleUpToTheirLimit(t *testing.T) {
	b := backoff(10*time.Millisecond, 60*time.Millisecond)
	var last time.Duration
	for i, want := range []time.Duration{10, 20, 40, 60, 60} {
		last = nextDelay(last, time.Second, b)

		if last != want*time.Millisecond {
			t.Errorf("rest %d = %v, want %vms", i+1, last, int64(want))
		}
	}
	if got := nextDelay(last, 30*time.Second, b); got != 10*time.Millisecond {
		t.Errorf("rest after an attempt that ran for reset_after = %v, want 10ms", got)
	}
	if got := nextDelay(time.Millisecond, time.Second, b); got != 10*time.Millisecond {
		t.Errorf("rest after one of 1ms, from an older manifest = %v, want 10ms", got)
	}
}

func TestRestStaysWithinItsBounds(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		span := rapid.Int64Range(-1, int64(child.MaxDuration))
		b := backoff(time.Duration(span.Draw(rt, "initial")), time.Duration(span.Draw(rt, "max")))
		last, ran := time.Duration(span.Draw(rt, "last")), time.Duration(span.Draw(rt, "ran"))
		ratio, u := rapid.Float64Range(-1, 2).Draw(rt, "ratio"), rapid.Float64Range(0, 0.999999).Draw(rt, "u")

		delay := nextDelay(last, ran, b)
		rest := jittered(delay, ratio, u)

		if delay < 0 || delay > max(b.MaxDelay.Duration(), 0) {
			rt.Errorf("delay %v is outside [0, %v]", delay, b.MaxDelay.Duration())
		}
		if rest < 0 || rest > delay {
			rt.Errorf("rest %v is outside [0, %v]", rest, delay)
		}
		if ratio <= 0 && rest != delay {
			rt.Errorf("rest %v without jitter, want %v", rest, delay)
		}
	})
}

func TestJitterSpreadsChildrenAndIsReproducible(t *testing.T) {
	const children = 100
	rests := func(seed uint64) map[time.Duration]bool {
		seen := map[time.Duration]bool{}
		for i := range children {
			s := &state{rng: generator(seed, child.ID("worker"+string(rune('a'+i/26))+string(rune('a'+i%26))))}
			seen[jittered(time.Second, 0.2, s.chance())] = true
		}
		return seen
	}

	first, again, other := rests(1), rests(1), rests(2)

	if len(first) < children-1 {
		t.Errorf("%d different rests of %d children that failed together", len(first), children)
	}
	same := 0
	for rest := range first {
		if !again[rest] {
			t.Errorf("rest %v came with the seed once, and not again", rest)
		}
		if other[rest] {
			same++
		}
		if rest <= 800*time.Millisecond || rest > time.Second {
			t.Errorf("rest %v of 1s with a jitter of 0.2", rest)
		}
	}
	if same > 1 {
		t.Errorf("%d rests are the same with another seed", same)
	}
}

func TestChildrenThatFellTogetherRestForDifferentTimes(t *testing.T) {
	rests := map[time.Duration]bool{}
	w := newWorld(t, "connect")
	for _, id := range []string{"a", "b", "c"} {
		ready := w.do("add "+id+" backoff=1s..1s jitter=0.2", "started "+id, "exit "+id+" 1")
		for _, f := range ready.Facts {
			if f.Kind == BackoffScheduled {
				rests[f.Delay] = true
			}
		}
	}
	if len(rests) != 3 {
		t.Errorf("rests = %v, want three different ones", rests)
	}
}

func TestOrdinals(t *testing.T) {
	for n, want := range map[int]string{1: "1st", 2: "2nd", 3: "3rd", 4: "4th", 11: "11th", 12: "12th", 13: "13th", 21: "21st", 111: "111th"} {
		if got := ordinal(n); got != want {
			t.Errorf("ordinal(%d) = %s, want %s", n, got, want)
		}
	}
}
