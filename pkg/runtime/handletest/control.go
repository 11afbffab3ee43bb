package handletest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync/atomic"
	"testing"

	"github.com/reconciler-dev/reconciler/pkg/runtime"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/journal"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

// Control is one way to command a runtime and to look at it. Refusals are a
// *runtime.CommandError or, where the runtime has ended, a *runtime.EndedError, as
// errors.As finds them; a door that cannot tell the two apart returns the first, with
// the code machine.ErrShuttingDown.
type Control interface {
	// Command calls the method that is called like c.Verb.
	Command(ctx context.Context, c machine.Command) (runtime.Outcome, error)

	// ShutdownTree returns when the tree is down.
	ShutdownTree(context.Context, child.Cause) (*machine.ShutdownReport, error)

	Children(context.Context) ([]State, error)
	Child(context.Context, child.ID) (State, error) // runtime.ErrChildNotFound
	Health(context.Context) (Health, error)

	// Journal is what was recorded so far; Events is that from the beginning, and then
	// what comes until ctx ends.
	Journal(context.Context) ([]journal.Entry, error)
	Events(context.Context) iter.Seq2[journal.Entry, error]
}

// State is what the suite looks at of a child.
type State struct {
	ID         child.ID
	Phase      child.Phase
	Operation  child.Operation
	Generation child.Generation
	Restarting bool // a restart waits for the old attempt to end
}

// String is the state in the words of the page.
func (s State) String() string {
	words := string(s.Phase)
	if s.Operation != child.Active {
		words += ", " + string(s.Operation)
	}
	if s.Restarting {
		words += ", restart pending"
	}
	if s.Generation > 0 {
		words += fmt.Sprintf(", generation %d", s.Generation)
	}
	return words
}

// Health is what the suite looks at of the control plane.
type Health struct {
	State runtime.State
	Alive bool
}

// Stage is what a Door opens to.
type Stage struct {
	Handle     *runtime.Handle
	Dir        string // the state directory, empty but for the journal
	JournalDir string
}

// Door is a kind of Control, and in what it differs from a handle.
type Door struct {
	// Open makes a Control for a runtime that may not have begun to run. It lasts until
	// the test ends, and the runtime may end before.
	Open func(*testing.T, Stage) Control

	// Names is whom the journal names when somebody asks through the door; nil: him.
	Names func(requestedBy string) string

	// Without are the verbs that the door does not have.
	Without []machine.Verb

	// Differs are the answers that are not the page's. Each is a decision, so say why
	// beside it.
	Differs map[Cell]Answer

	vain *atomic.Bool // somebody waited in vain
}

// Cell is a place in the table of the page.
type Cell struct {
	Verb  machine.Verb
	State string // as the page says it
}

// Answer is what a door says instead of what the page says.
type Answer struct {
	Says string       // as the page says it
	Verb machine.Verb // in the journal, if it is another one

	// Now and End are what the child becomes; "": it stays as it is, and comes to what
	// it would have come to.
	Now, End string
}

// applied is r with what the door says instead. stays is what the child is now.
func (d Door) applied(r row, stays string) row {
	a, ok := d.Differs[r.Cell]
	if !ok {
		return r
	}
	r.answer, r.now, r.end = a.Says, a.Now, a.End
	if a.Now == "" {
		r.now = stays
	}
	return r
}

// asks is whom the journal names.
func (d Door) asks(by string) string {
	if d.Names == nil {
		return by
	}
	return d.Names(by)
}

// answerOf is an answer as the page writes it.
func answerOf(o runtime.Outcome, err error) string {
	switch code := codeOf(err); {
	case err == nil:
		return "`" + string(o.Decision) + "`"
	case code == "":
		return "error: " + err.Error()
	default:
		return "refused: `" + string(code) + "`"
	}
}

// codeOf is the code of a refusal, "" for another error.
func codeOf(err error) machine.ErrorCode {
	var refused *runtime.CommandError
	var ended *runtime.EndedError
	switch {
	case errors.As(err, &refused):
		return refused.Code
	case errors.As(err, &ended):
		return machine.ErrShuttingDown
	}
	return ""
}
