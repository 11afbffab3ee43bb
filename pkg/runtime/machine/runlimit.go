package machine

import (
	"fmt"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// arrangeRunLimit sets when an attempt has run for too long: a job that should be
// done by then. Time that passed while nobody looked counts.
func (t *Tree) arrangeRunLimit(s *state) {
	limit := s.spec.Deadline.Duration()
	if limit == 0 || s.phase != child.Running || s.live.folder || s.live.pid == 0 {
		s.live.runLimit = moment{}
		return
	}
	if !s.live.runLimit.set {
		s.live.runLimit = t.in(max(limit-ranFor(s.live.startedAt, t.wall), 0))
	}
}

// ranTooLong ends an attempt that is not done in time. That is a failure: it is
// tried again, or not, as after any other.
func (t *Tree) ranTooLong(s *state) {
	s.live.runLimit = moment{}
	t.failAttempt(s, fmt.Sprintf("not done within %s", s.spec.Deadline.Duration()), "")
}

func (t *Tree) checkRunLimit(s *state) error {
	wants := s.spec.Deadline > 0 && s.phase == child.Running && !s.live.folder && s.live.pid > 0
	if wants != s.live.runLimit.set {
		return fmt.Errorf("an attempt that may run for %s has a limit: %v", s.spec.Deadline.Duration(), s.live.runLimit.set)
	}
	return nil
}
