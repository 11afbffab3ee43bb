package handletest

import (
	"context"
	"fmt"
	"iter"
	"testing"

	"github.com/reconciler-dev/reconciler/pkg/runtime"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/journal"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

// Handle is the door without a door: the handle itself.
func Handle() Door {
	return Door{Open: func(_ *testing.T, s Stage) Control { return direct{s.Handle, s.JournalDir} }}
}

type direct struct {
	*runtime.Handle
	journal string
}

func (d direct) Command(ctx context.Context, c machine.Command) (runtime.Outcome, error) {
	switch c.Verb {
	case machine.Add:
		return d.Add(ctx, c.Child, c.Spec, c.Origin, c.Cause)
	case machine.Update:
		return d.Update(ctx, c.Child, c.Spec, c.Origin, c.Cause)
	case machine.Replace:
		return d.Replace(ctx, c.Child, c.Spec, c.Origin, c.Cause)
	case machine.Remove:
		return d.Remove(ctx, c.Child, c.Cause)
	case machine.Restart:
		return d.Restart(ctx, c.Child, c.Cause)
	case machine.Pause:
		return d.Pause(ctx, c.Child, c.Cause)
	case machine.Resume:
		return d.Resume(ctx, c.Child, c.Cause)
	case machine.Quarantine:
		return d.Quarantine(ctx, c.Child, c.Cause)
	case machine.SendSignal:
		return d.Signal(ctx, c.Child, c.Signal, c.Cause)
	case machine.HurryUp:
		return runtime.Outcome{Decision: machine.Accepted}, d.Hurry(ctx, c.Cause)
	case machine.Leave:
		_, err := d.Leave(ctx, c.Cause)
		return runtime.Outcome{Decision: machine.Accepted}, err
	}
	return runtime.Outcome{}, fmt.Errorf("a handle has no method for %s", c.Verb)
}

func (d direct) Children(context.Context) (all []State, _ error) {
	for _, s := range d.Handle.Children() {
		all = append(all, stateOf(s))
	}
	return all, nil
}

func (d direct) Child(_ context.Context, id child.ID) (State, error) {
	s, ok := d.Handle.Child(id)
	if !ok {
		return State{}, runtime.ErrChildNotFound
	}
	return stateOf(s), nil
}

func stateOf(s *child.Snapshot) State {
	return State{ID: s.ID, Phase: s.Phase, Operation: s.Operation, Generation: s.Generation, Restarting: s.PendingRestart != nil}
}

func (d direct) Health(context.Context) (Health, error) {
	h := d.Handle.Health()
	return Health{State: h.State, Alive: h.Alive}, nil
}

func (d direct) Journal(context.Context) (all []journal.Entry, err error) {
	for item, err := range journal.Read(d.journal, journal.Options{}) {
		if err != nil {
			return nil, err
		}
		all = append(all, item.Entry)
	}
	return all, nil
}

func (d direct) Events(ctx context.Context) iter.Seq2[journal.Entry, error] {
	return func(yield func(journal.Entry, error) bool) {
		for item, err := range journal.Follow(ctx, d.journal, journal.Options{}) {
			if !yield(item.Entry, err) || err != nil {
				return
			}
		}
	}
}
