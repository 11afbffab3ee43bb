package machine

import (
	"fmt"
	"strings"

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
	switch {
	case ev.Refusals > 0 && ev.Whole:
		said.Refusals, said.Refused = ev.Refusals, child.Words(ev.Refused)
	case ev.Refusals > 0:
		said.Refusals, said.Refused = said.Refusals+ev.Refusals, child.Words(ev.Refused)
		t.fact(s, NoticeRefused, "").Words = said.Refused
	}
	if ev.Extend > 0 {
		t.extend(s, ev)
	}
	if *said != was {
		t.touch(s)
	}
}

// NoticeRefused says that something on the notify socket of an attempt was not
// heard.
const NoticeRefused FactKind = "notice_refused"

// extend gives an attempt more time for what it is doing: becoming ready, or
// ending. It never shortens what it has.
func (t *Tree) extend(s *state, ev Notified) {
	longer := t.in(ev.Extend)
	if s.live.deadline.set {
		s.live.deadline = later(s.live.deadline, longer)
	}
	if s.stop != nil && s.stop.stage == stopSignalled {
		s.stop.deadline = later(s.stop.deadline, longer)
	}
	t.save(s)
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
