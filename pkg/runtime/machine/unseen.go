package machine

import (
	"fmt"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// A tree that was restored knows its children only as an earlier run did. Until
// somebody has looked at what is declared now, what runs is adopted and left as it
// is, and nothing starts: neither the command of before, nor what was taken out or
// suspended since. Who has looked says so with Seen. Nobody waits for ever: a child
// of which nothing is said within Config.LookTime starts as it was declared last,
// and a fact tells that.

// ChildUnseen says that a child is no longer kept from starting although nobody
// could look at its manifest.
const ChildUnseen FactKind = "child_unseen"

const waitsForLook = "a look at its manifest"

// Seen says that what children are now is what they are declared to be.
type Seen struct{ IDs []child.ID }

func (Seen) event() {}

func (t *Tree) seen(ev Seen) {
	for _, id := range ev.IDs {
		if s, ok := t.children[id]; ok {
			t.isSeen(s)
		}
	}
}

// isSeen ends the wait for a look.
func (t *Tree) isSeen(s *state) {
	if s.unseen.set || s.late {
		s.unseen, s.late = moment{}, false
		t.queueHook(s)
		t.lookAt(s)
	}
}

// lookTooLate starts a child as it was declared last.
func (t *Tree) lookTooLate(s *state) {
	t.isSeen(s)
	s.late = true
	t.fact(s, ChildUnseen, t.lateWords())
}

func (t *Tree) lateWords() string {
	return fmt.Sprintf("nobody could look at its manifest within %s: it is what it was declared to be last", t.cfg.LookTime.Round(time.Millisecond))
}

// waitsForLook names the look that a child waits for, and until when it does.
func (s *state) waitsForLook() []string {
	if !s.unseen.set {
		return nil
	}
	return []string{waitsForLook + ", until " + s.unseen.wall.Format(time.RFC3339) + " at the latest"}
}
