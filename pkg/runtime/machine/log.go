package machine

import (
	"fmt"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// LogChanged says what becomes of the output of an attempt now.
type LogChanged struct {
	Key child.Key
	Log child.LogState
}

func (LogChanged) event() {}

// logChanged takes note of it: it changes what is shown, and no decision. A child that
// waits for its log is neither failed nor ended for that; it goes on when it can.
func (t *Tree) logChanged(ev LogChanged) {
	s, ok := t.children[ev.Key.ID]
	if !ok || s.key() != ev.Key || !s.hasAttempt() || s.live.log == ev.Log {
		return
	}
	s.live.log = ev.Log
	t.touch(s)
}

func logReason(l child.LogState) string {
	if l.Drops {
		return "OutputDropped"
	}
	return "OutputBlocked"
}

func logMessage(l child.LogState) string {
	if l.Drops {
		return fmt.Sprintf("its output cannot be written (%s) and is dropped, as logs.when_full says: %d bytes so far", l.Blocked, l.Dropped)
	}
	return fmt.Sprintf("its output cannot be written (%s): it waits in a pipe, and once that is full (64 KiB) the child waits too", l.Blocked)
}
