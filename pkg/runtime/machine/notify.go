package machine

import (
	"fmt"
	"strings"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// heard takes note of what an attempt says of itself that is neither its readiness
// nor a heartbeat: those are the probes'.
func (t *Tree) heard(s *state, ev Notified) {
	was, said := s.live.said, &s.live.said
	if ev.Status != nil {
		said.Status = child.Words(*ev.Status)
	}
	if ev.Ready != nil {
		said.Reloading, said.Stopping = ev.Reloading, ev.Stopping
	}
	if ev.Errno != 0 {
		said.Errno = ev.Errno
	}
	if ev.ExitStatus != "" {
		said.ExitStatus = ev.ExitStatus
	}
	if n := ev.Refusals + ev.Foreign; n > 0 {
		if said.Refused = child.Words(ev.Refused); ev.Whole {
			said.Refusals, said.Foreign = ev.Refusals, ev.Foreign
		} else {
			said.Refusals, said.Foreign = said.Refusals+ev.Refusals, said.Foreign+ev.Foreign
			t.notHeard(s, n, said.Refused)
		}
	}
	if ev.Extend > 0 {
		t.extend(s, ev)
	}
	if *said != was {
		t.touch(s)
	}
}

// NoticeRefused says that something on the notify socket of an attempt was not
// heard: the first time at once, then at most once in refusedEvery, with a number.
const NoticeRefused FactKind = "notice_refused"

const refusedEvery = 10 * time.Minute

// notHeard takes note that n messages were not heard. Whoever sends them, and how
// many, is not ours to choose.
func (t *Tree) notHeard(s *state, n int, why child.Words) {
	if s.refusals.next.set {
		s.refusals.untold, s.refusals.why = s.refusals.untold+n, why
		return
	}
	reason := ""
	if n > 1 {
		reason = fmt.Sprintf("%d messages, the last", n)
	}
	t.fact(s, NoticeRefused, reason).Words = why
	s.refusals.next = t.in(refusedEvery)
}

// refusals are those that were not told yet, and when they may be.
type refusals struct {
	untold int
	why    child.Words // of the last
	next   moment
}

func (t *Tree) refusalsDue(s *state) {
	r := s.refusals
	if s.refusals = (refusals{}); r.untold > 0 {
		t.notHeard(s, r.untold, r.why)
	}
}

// Whatever a child asks for by EXTEND_TIMEOUT_USEC= or WATCHDOG_USEC=, which may be
// "for ever", one message gives it an hour at most. It may ask again and again for
// becoming ready, as with systemd, because a child that starts is in nobody's way; a
// stop, which others wait for, ends within an hour after its grace.
const (
	longestAsked = time.Hour
	longestStop  = time.Hour
	shortestBeat = 100 * time.Millisecond // WATCHDOG_USEC=1 would keep us busy
)

// extend gives an attempt more time for what it is doing: becoming ready, or
// ending. It never shortens what it has.
func (t *Tree) extend(s *state, ev Notified) {
	longer := t.in(min(ev.Extend, longestAsked))
	if s.live.deadline.set {
		s.live.deadline = later(s.live.deadline, longer)
	}
	if s.stop != nil && s.stop.stage == stopSignalled {
		s.stop.deadline = later(s.stop.deadline, earlier(longer, s.stop.latest))
	}
	t.save(s)
}

// latestStop is until when a stop that begins now may be put off.
func (t *Tree) latestStop(s *state) moment {
	return t.in(s.spec.Shutdown.GracefulTimeout.Duration() + longestStop)
}

// asked is how far apart the heartbeats may be that an attempt asks for.
func asked(every time.Duration) time.Duration {
	return min(max(every, shortestBeat), longestAsked)
}

// lastWords adds to the reason of an exit what the attempt said about it.
func lastWords(e *child.Exit, said child.Said) {
	var words []string
	if said.Errno != 0 {
		words = append(words, fmt.Sprintf("errno %d", said.Errno))
	}
	if said.ExitStatus != "" {
		words = append(words, "exit status "+said.ExitStatus)
	}
	if len(words) > 0 {
		e.Reason += "; it said: " + strings.Join(words, ", ")
	}
	if e.Kind.IsFailure() && said.Status != "" {
		e.Words = joined(e.Words, said.Status)
	}
}

// joined is what was said at two times.
func joined(a, b child.Words) child.Words {
	switch {
	case a == "":
		return b
	case b == "" || a == b:
		return a
	}
	return a + "; " + b
}
