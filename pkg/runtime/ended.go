package runtime

import (
	"fmt"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// FailedError is how Run ends when a supervisor failed that has no other above
// it. The tree was shut down in an orderly way.
type FailedError struct{ Failure child.Failure }

// Error names the supervisor, its limit and the child that was one too many.
func (e *FailedError) Error() string { return e.Failure.Reason }

// CriticalEndError is how Run ends when a critical child ended for good and
// Config.ExitOnCritical is set. The tree was shut down in an orderly way.
type CriticalEndError struct {
	Child child.ID
	Exit  *child.Exit // nil: it never ran
}

// Error names the child and how it ended, well or not.
func (e *CriticalEndError) Error() string {
	if e.Exit == nil {
		return fmt.Sprintf("critical child %s cannot run", e.Child)
	}
	return fmt.Sprintf("critical child %s ended: %s", e.Child, e.Exit.Reason)
}

// whyDown is what Run returns once the tree is down.
func (r *Runtime) whyDown() error {
	switch report := r.tree.Report(); {
	case r.tree.Left() != nil:
		return nil
	case report.Failure != nil:
		return &FailedError{Failure: *report.Failure}
	case report.EndedBy != "":
		return &CriticalEndError{Child: report.EndedBy, Exit: report.Exit}
	}
	return nil
}
