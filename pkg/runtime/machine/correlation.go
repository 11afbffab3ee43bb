package machine

import (
	"fmt"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// Every fact carries a correlation: the name of what led to it. There are three
// kinds of beginnings, and all that follows from one carries its name.
//
//   - A command: its ID. The stop that it asks for, the exit that answers, and the
//     start that comes after carry it.
//   - An attempt that ended, or failed, without being asked to: its key, such as
//     "payments/worker#7.3". The exit, the rest, the restart and the next attempt,
//     until that ends in turn, carry it.
//   - A connection to the shim: Config.Run and a number.
//
// Keys are unique for ever, because records keep the incarnations and fences.
// Command IDs are whoever gives them to keep unique; package runtime does.

// beginning is the correlation that an event begins; "" for one that belongs to
// what is under way already.
func (t *Tree) beginning(ev Event) string {
	switch ev := ev.(type) {
	case Command:
		return string(ev.ID)
	case Noted:
		return string(ev.ID)
	case Exited:
		return ev.Key.Attempt().String()
	case StartFailed:
		return ev.Key.Attempt().String()
	case FilesSeen:
		return ev.Key.String()
	case Adopted:
		return t.connectionName(t.epoch + 1)
	case Detached:
		return t.connectionName(t.epoch)
	}
	return ""
}

func (t *Tree) connectionName(epoch uint64) string {
	if t.cfg.Run == "" {
		return fmt.Sprintf("shim-%d", epoch)
	}
	return fmt.Sprintf("%s-shim-%d", t.cfg.Run, epoch)
}

// within sets what the step is about until leave is called.
func (t *Tree) within(correlation string) (leave func()) {
	was := t.correlation
	t.correlation = correlation
	return func() { t.correlation = was }
}

// failing begins the story of an attempt that fails while it runs: its end, its
// rest and the next attempt belong to it.
func (t *Tree) failing(s *state) (leave func()) {
	if s.phase == child.Running {
		s.correlation = s.key().String()
	}
	return t.within(s.about())
}

// follow says that the step decides what becomes of a child from now on.
func (t *Tree) follow(s *state) {
	if t.correlation != "" {
		s.correlation = t.correlation
	}
}

// about is the correlation of facts about a child.
func (s *state) about() string {
	if s.correlation == "" {
		return s.key().String() // its record is older than correlations
	}
	return s.correlation
}
