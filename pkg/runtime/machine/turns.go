package machine

import (
	"fmt"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// A running child can become ready and not ready as often as it likes: by READY=1 and
// RELOADING=1, or by what it answers to probes. Each of these is told at once as long
// as they are not too many: turnsAtOnce, and one more each turnEvery. Of the others
// an entry says how many were left out; the last word is what holds then. A child
// writes 4 MB a day at most that way. (What an attempt does once is not limited here:
// backoff and restart limits are, and operators' commands have their own place in the
// journal.)
const (
	turnsAtOnce = 50
	turnEvery   = 10 * time.Second
)

// turns counts what was told of them. The zero value: nothing.
type turns struct {
	full    Instant // when all of turnsAtOnce may be told again
	leftOut int
	next    moment // when the next may be told; set only while leftOut counts
}

// turn tells of a readiness or a probe that turned, unless there were too many.
func (t *Tree) turn(s *state, kind FactKind, why string, words child.Words) {
	u := &s.turns
	full := max(u.full, t.now) + Instant(turnEvery)
	if ahead := full - t.now - Instant(turnsAtOnce*turnEvery); ahead > 0 {
		if u.leftOut++; !u.next.set {
			u.next = t.in(time.Duration(ahead))
		}
		return
	}
	u.full = full
	if u.leftOut > 0 {
		why = leftOut(why, u.leftOut)
		u.leftOut, u.next = 0, moment{}
	}
	t.fact(s, kind, why).Words = words
}

func leftOut(why string, n int) string {
	words := fmt.Sprintf("%d changes before it are left out", n)
	if why == "" {
		return words
	}
	return why + "; " + words
}

// turnsDue tells what holds now, after too many changes.
func (t *Tree) turnsDue(s *state) {
	s.turns.next = moment{}
	switch {
	case s.turns.leftOut == 0:
	case s.live.ready:
		t.turn(s, ChildReady, "", "")
	case s.phase == child.Running:
		t.turn(s, ChildNotReady, s.live.readiness.state.Message, s.live.readiness.state.Words)
	default:
		s.turns.leftOut = 0 // its end was told
	}
}
