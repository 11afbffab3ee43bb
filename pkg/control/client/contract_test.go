package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"os/user"
	"testing"

	"github.com/reconciler-dev/reconciler/pkg/control"
	"github.com/reconciler-dev/reconciler/pkg/control/client"
	"github.com/reconciler-dev/reconciler/pkg/runtime"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/handletest"
	"github.com/reconciler-dev/reconciler/pkg/runtime/journal"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
	"github.com/reconciler-dev/reconciler/pkg/status"
)

func TestTheClientKeepsTheContractOfTheHandle(t *testing.T) {
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	handletest.Test(t, handletest.Door{
		Open: func(t *testing.T, s handletest.Stage) handletest.Control { return remote{serving(t, s)} },
		// Whoever asks is named behind the user that the kernel names.
		Names: func(by string) string { return fmt.Sprintf("%s(%s) for %s", me.Username, me.Uid, by) },
		// A client may go away, the daemon decides how it ends, and it ends once.
		Without: []machine.Verb{machine.Leave, machine.HurryUp},
		Differs: differs(),
	})
}

// differs are the answers to a PUT, which says what a child is to be and not what is
// to be done, and to what would change a folder, which its files declare.
func differs() map[handletest.Cell]handletest.Answer {
	const folder = "a folder (supervisor)"
	all := map[handletest.Cell]handletest.Answer{
		{Verb: machine.Update, State: "unknown"}:  {Says: "`accepted`", Verb: machine.Add, Now: "Starting", End: "Running"},
		{Verb: machine.Replace, State: "unknown"}: {Says: "`accepted`", Verb: machine.Add, Now: "Starting", End: "Running"},
	}
	for _, state := range []string{
		"pending on a dependency", "starting", "running, not ready yet", "running and ready", "stopping (to pause)", "restart pending", "backoff",
		"paused", "suspended", "completed", "completed, then paused", "failed", "quarantined", "the shim is lost",
	} {
		all[handletest.Cell{Verb: machine.Add, State: state}] = handletest.Answer{Says: "`idempotent`", Verb: machine.Update}
	}
	declared := handletest.Answer{Says: "refused: `declared_by_manifest`"}
	all[handletest.Cell{Verb: machine.Remove, State: folder}] = declared
	declared.Verb = machine.Put // what it would have been is not asked any more
	for _, verb := range []machine.Verb{machine.Add, machine.Update, machine.Replace} {
		all[handletest.Cell{Verb: verb, State: folder}] = declared
	}
	ending := handletest.Answer{Says: "refused: `shutting_down`", Verb: machine.Update}
	all[handletest.Cell{Verb: machine.Add, State: "the tree is shutting down"}] = ending
	all[handletest.Cell{Verb: machine.Add, State: "being removed"}] = handletest.Answer{Says: "refused: `still_stopping`", Verb: machine.Update}
	return all
}

// remote is the client as a Control.
type remote struct{ *client.Client }

// Command implements Control: a PUT adds, updates and replaces.
func (r remote) Command(ctx context.Context, c machine.Command) (runtime.Outcome, error) {
	var o control.Outcome
	var err error
	body := control.Command{Reason: &c.Cause.Reason, RequestedBy: c.Cause.RequestedBy, Signal: c.Signal}
	switch c.Verb {
	case machine.Add, machine.Update, machine.Replace:
		o, err = r.put(ctx, c, body)
	case machine.Remove:
		o, err = r.Delete(ctx, c.Child, body)
	default:
		o, err = r.Client.Command(ctx, string(c.Verb), c.Child, body)
	}
	return runtime.Outcome{
		CommandID: machine.CommandID(o.CommandID), Decision: machine.Decision(o.Decision), Message: o.Message, Before: o.Before, After: o.After,
	}, refusal(err)
}

func (r remote) put(ctx context.Context, c machine.Command, body control.Command) (control.Outcome, error) {
	text, err := manifestOf(c.Child, c.Spec)
	if err != nil {
		return control.Outcome{}, err
	}
	return r.Put(ctx, c.Child, text, body)
}

// manifestOf writes a spec as a manifest in JSON: its fields are called alike.
func manifestOf(id child.ID, s *child.Spec) ([]byte, error) {
	text, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	var m map[string]any
	if err := json.Unmarshal(text, &m); err != nil {
		return nil, err
	}
	m["name"] = id.Name()
	return json.Marshal(m)
}

// refusal is an error of the socket as the handle says it.
func refusal(err error) error {
	var said *control.Error
	if !errors.As(err, &said) {
		return err
	}
	return &runtime.CommandError{Code: machine.ErrorCode(said.Code), Message: said.Error()}
}

func (r remote) ShutdownTree(ctx context.Context, c child.Cause) (*machine.ShutdownReport, error) {
	got, err := r.Shutdown(ctx, control.ShutdownRequest{Reason: &c.Reason, RequestedBy: c.RequestedBy})
	if err != nil {
		return nil, refusal(err)
	}
	report := &machine.ShutdownReport{
		Cause:     child.Cause{RequestedBy: got.RequestedBy, Reason: got.Reason},
		StartedAt: got.StartedAt, CompletedAt: got.CompletedAt,
	}
	for _, c := range got.Children {
		report.Outcomes = append(report.Outcomes, machine.ShutdownOutcome{ChildID: c.ID, Generation: c.Generation, Attempt: c.Attempt, Status: machine.OutcomeStatus(c.Status)})
	}
	return report, nil
}

func (r remote) Children(ctx context.Context) (all []handletest.State, err error) {
	children, err := r.Client.Children(ctx, client.Filter{})
	for i := range children {
		all = append(all, stateOf(&children[i]))
	}
	return all, refusal(err)
}

func (r remote) Child(ctx context.Context, id child.ID) (handletest.State, error) {
	c, err := r.Client.Child(ctx, id)
	if err != nil {
		return handletest.State{}, refusal(err)
	}
	return stateOf(c), nil
}

func stateOf(c *status.Child) handletest.State {
	return handletest.State{ID: c.ID, Phase: c.Phase, Operation: c.Operation, Generation: c.Generation, Restarting: c.PendingRestart != nil}
}

func (r remote) Health(ctx context.Context) (handletest.Health, error) {
	h, err := r.Client.Health(ctx)
	return handletest.Health{State: runtime.State(h.State), Alive: h.Healthy}, err
}

func (r remote) Journal(ctx context.Context) (all []journal.Entry, err error) {
	for e, err := range r.entries(ctx, client.EventOptions{}) {
		if err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	return all, nil
}

func (r remote) Events(ctx context.Context) iter.Seq2[journal.Entry, error] {
	return r.entries(ctx, client.EventOptions{Follow: true})
}

func (r remote) entries(ctx context.Context, o client.EventOptions) iter.Seq2[journal.Entry, error] {
	return func(yield func(journal.Entry, error) bool) {
		for line, err := range r.Client.Events(ctx, o) {
			var e journal.Entry
			if err == nil {
				err = json.Unmarshal(line, &e)
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}
