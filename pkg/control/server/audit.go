package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/reconciler-dev/reconciler/pkg/control"
	"github.com/reconciler-dev/reconciler/pkg/runtime"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

// Every request to change something has one entry in the journal, whatever becomes of
// it. Those that reach the runtime as a command get theirs there; this file sees to
// all others: the refused ones, and those of a peer that may not even look. How many of
// them are told one by one is the machine's to limit.

// onRecord is an error of a request that has its entry already, or will have.
type onRecord struct{ error }

func (e onRecord) Unwrap() error { return e.error }

// auditRefusal puts a refused request on record.
func (s *Server) auditRefusal(r *http.Request, err error, e *control.Error) {
	var has onRecord
	looks := r.Method == http.MethodGet || r.Method == http.MethodHead
	if errors.As(err, &has) || looks && e.Status != http.StatusForbidden {
		return
	}
	note := requestOf(r)
	note.Cause = connOf(r.Context()).asks
	note.Decision, note.Code, note.Message = machine.Rejected, machine.ErrorCode(e.Code), e.Message
	if note.Verb == machine.OtherRequest {
		note.Message = fmt.Sprintf("%.20q %.200q: %s", r.Method, r.URL.Path, e.Message)
	}
	if _, err := s.note(r, note); err != nil {
		s.o.Log.Info("request refused", "method", r.Method, "path", r.URL.Path, "requested_by", note.Cause.RequestedBy, "code", e.Code, "reason", e.Message, "not_in_the_journal", err.Error())
	}
}

// note puts a request on record, also when its client has gone away.
func (s *Server) note(r *http.Request, n machine.Noted) (machine.CommandID, error) {
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(r.Context()), answerTime, errPatience)
	defer cancel()
	return s.o.Supervisor.Note(ctx, n)
}

// noteDone puts a request on record that does not go to the runtime as a command. One
// that cannot be told is not carried out.
func (s *Server) noteDone(r *http.Request, n machine.Noted) (machine.CommandID, error) {
	id, err := s.note(r, n)
	if err != nil {
		return "", onRecord{fmt.Errorf("the request cannot be put on record: %w", err)}
	}
	return id, nil
}

// requestOf is what a request wants, as far as its line says so. An id that is none
// is nobody's to fill the journal with.
func requestOf(r *http.Request) machine.Noted {
	rest, ofChild := strings.CutPrefix(r.URL.Path, "/v1/children/")
	n := machine.Noted{Verb: machine.OtherRequest}
	switch {
	case ofChild && r.Method == http.MethodPut:
		n.Verb, n.Child = machine.Put, child.ID(rest)
	case ofChild && r.Method == http.MethodDelete:
		n.Verb, n.Child = machine.Remove, child.ID(rest)
	case ofChild && r.Method == http.MethodPost:
		if cut := strings.LastIndexByte(rest, '/'); cut > 0 && slices.Contains(verbs, rest[cut+1:]) {
			n.Verb, n.Child = machine.Verb(rest[cut+1:]), child.ID(rest[:cut])
		}
	case r.Method == http.MethodPost && r.URL.Path == "/v1/reconcile":
		n.Verb = machine.Reconcile
	case r.Method == http.MethodPost && r.URL.Path == "/v1/shutdown":
		n.Verb = machine.ShutdownTree
	}
	if _, err := child.ParseID(string(n.Child)); n.Child != "" && err != nil {
		n = machine.Noted{Verb: machine.OtherRequest}
	}
	return n
}

// isOnRecord marks the errors of commands that the runtime tells of itself: what it
// refused, and what it may still carry out.
func isOnRecord(err error) error {
	var refused *runtime.CommandError
	if errors.As(err, &refused) || errors.Is(err, errPatience) {
		return onRecord{err}
	}
	return err
}
