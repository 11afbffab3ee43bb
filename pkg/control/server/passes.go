package server

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/control"
	"github.com/reconciler-dev/reconciler/pkg/desired"
	"github.com/reconciler-dev/reconciler/pkg/reconcile"
	"github.com/reconciler-dev/reconciler/pkg/runtime"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
	"github.com/reconciler-dev/reconciler/pkg/status"
)

// getPlan answers with what a pass would do now.
func (s *Server) getPlan(w http.ResponseWriter, r *http.Request) error {
	if q := readQuery(r); q.err != nil {
		return q.err
	}
	want, have := s.o.Desired(), s.o.Supervisor.Children()
	plan := control.Plan{
		Actions: []control.Action{}, Kept: append([]child.ID{}, reconcile.Protected(want, have)...),
		Problems: append([]desired.Problem{}, want.Problems...), Stalls: append([]desired.Stall{}, want.Stalls...),
	}
	for _, a := range reconcile.Plan(want, have) {
		action := control.Action{
			Action: string(a.Verb), ChildID: a.ID, Manifest: a.Origin, Reason: a.Reason, Differences: []control.Difference{},
		}
		for _, d := range a.Why {
			action.Differences = append(action.Differences, control.Difference{Field: d.Field, Old: d.Old, New: d.New, Class: string(d.Class)})
		}
		plan.Actions = append(plan.Actions, action)
	}
	return answerJSON(w, http.StatusOK, plan)
}

// passTime bounds the wait for a pass: two looks of at most three seconds each, and
// ten thousand commands.
const passTime = time.Minute

var errPass = errors.New("the pass is not done yet; it goes on")

// postReconcile makes a pass, and answers what it did.
func (s *Server) postReconcile(w http.ResponseWriter, r *http.Request) error {
	var body control.ReconcileRequest
	if q := readQuery(r); q.err != nil {
		return q.err
	}
	if err := readJSON(r, &body); err != nil {
		return err
	}
	verb := machine.Reconcile
	if body.ConfirmRemovals {
		verb = machine.ConfirmRemovals
	}
	cause, err := causeOf(r, string(verb), body.Reason, body.RequestedBy)
	switch {
	case err != nil:
		return err
	case strings.TrimSpace(cause.Reason) == "":
		return invalid("reason", "reason is blank; say why, or leave it out")
	case s.ending() != nil:
		return s.ending()
	}
	if _, err := s.noteDone(r, machine.Noted{Verb: verb, Cause: cause, Decision: machine.Accepted}); err != nil {
		return err
	}
	patience(w)
	ctx, cancel := context.WithTimeoutCause(r.Context(), passTime, errPass)
	defer cancel()
	var confirm *child.Cause
	if body.ConfirmRemovals {
		confirm = &cause
	}
	done, removed, err := s.o.Reconcile(ctx, confirm)
	s.hurry(w)
	switch {
	case err != nil && s.ending() != nil:
		return onRecord{s.ending()}
	case errors.Is(err, errPass):
		return onRecord{&control.Error{Status: http.StatusGatewayTimeout, Code: control.CodeTimedOut, Message: err.Error()}}
	case err != nil:
		return onRecord{err}
	}
	set := s.o.Desired()
	return answerJSON(w, http.StatusOK, control.Pass{
		Reconcile: *done,
		Removed:   append([]child.ID{}, removed...),
		Problems:  append([]desired.Problem{}, s.o.View.Runtime().Problems...),
		Stalls:    append([]desired.Stall{}, set.Stalls...),
	})
}

// ending is the refusal of commands by a runtime that shuts down or has ended.
func (s *Server) ending() error {
	switch h := s.o.Supervisor.Health(); {
	case h.Report != nil:
		return &runtime.EndedError{Report: *h.Report}
	case h.State == runtime.StateShuttingDown:
		return &control.Error{Status: http.StatusServiceUnavailable, Code: control.CodeShuttingDown, Message: "the tree is shutting down"}
	}
	return nil
}

// postShutdown stops the tree, and answers when it is down. A client that goes
// away before changes nothing: the shutdown goes on.
func (s *Server) postShutdown(w http.ResponseWriter, r *http.Request) error {
	var body control.ShutdownRequest
	if q := readQuery(r); q.err != nil {
		return q.err
	}
	if err := readJSON(r, &body); err != nil {
		return err
	}
	cause, err := causeOf(r, "shutdown", body.Reason, body.RequestedBy)
	if err != nil {
		return err
	}
	patience(w)
	report, err := s.o.Supervisor.ShutdownTree(r.Context(), cause)
	s.hurry(w)
	if err != nil {
		return isOnRecord(err)
	}
	answer := control.ShutdownReport{
		RequestedBy: report.Cause.RequestedBy, Reason: report.Cause.Reason,
		StartedAt: report.StartedAt.UTC(), CompletedAt: report.CompletedAt.UTC(), Children: []status.ChildEnd{},
		VerifiedClean: report.VerifiedClean, Orphans: append([]child.Orphan{}, report.Orphans...),
	}
	for _, o := range report.Outcomes {
		end := status.ChildEnd{ID: o.ChildID, Generation: o.Generation, Attempt: o.Attempt, Status: string(o.Status), Phase: o.Phase, Reason: o.Reason}
		if o.Exit != nil {
			exit := status.NewExit(o.Exit)
			end.Exit = &exit
		}
		answer.Children = append(answer.Children, end)
	}
	return answerJSON(w, http.StatusOK, answer)
}
