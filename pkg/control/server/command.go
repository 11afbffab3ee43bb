package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/control"
	"github.com/reconciler-dev/reconciler/pkg/runtime"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// answerTime bounds the wait for a decision of the runtime. It decides within
// microseconds; after this long it is stuck.
const answerTime = 10 * time.Second

var errPatience = errors.New("the runtime does not answer")

// verbs are the commands of a child, sorted.
var verbs = []string{"pause", "quarantine", "restart", "resume", "signal"}

// commandRoute answers for POST /v1/children/{id}/{verb}.
func (s *Server) commandRoute(w http.ResponseWriter, r *http.Request) error {
	path := r.PathValue("id")
	cut := strings.LastIndexByte(path, '/')
	if cut < 1 || !slices.Contains(verbs, path[cut+1:]) {
		e := noRoute(r.Method + " " + r.URL.Path).(*control.Error)
		e.Hint = "a command is POST /v1/children/ID/COMMAND, with the commands " + strings.Join(verbs, ", ")
		return e
	}
	if q := readQuery(r); q.err != nil {
		return q.err
	}
	id, verb := child.ID(path[:cut]), path[cut+1:]
	if _, err := child.ParseID(string(id)); err != nil {
		return s.noSuchChild(string(id)) // the runtime would put the id on record
	}
	var body control.Command
	if err := readJSON(r, &body); err != nil {
		return err
	}
	signal, err := signalOf(verb, body.Signal)
	if err != nil {
		return err
	}
	cause, err := causeOf(r, verb, body.Reason, body.RequestedBy)
	if err != nil {
		return err
	}
	return s.command(w, r, id, verb, cause, func(ctx context.Context) (runtime.Outcome, error) {
		switch verb {
		case "restart":
			return s.o.Supervisor.Restart(ctx, id, cause)
		case "pause":
			return s.o.Supervisor.Pause(ctx, id, cause)
		case "resume":
			return s.o.Supervisor.Resume(ctx, id, cause)
		case "quarantine":
			return s.o.Supervisor.Quarantine(ctx, id, cause)
		}
		return s.o.Supervisor.Signal(ctx, id, signal, cause)
	})
}

// command carries one command to the runtime and answers what became of it.
func (s *Server) command(w http.ResponseWriter, r *http.Request, id child.ID, verb string, cause child.Cause, do func(context.Context) (runtime.Outcome, error)) error {
	return s.carry(w, r, id, verb, cause, do, nil)
}

// carry is command with something to do once it was accepted, before it is answered.
func (s *Server) carry(w http.ResponseWriter, r *http.Request, id child.ID, verb string, cause child.Cause, do func(context.Context) (runtime.Outcome, error), then func() error) error {
	ctx, cancel := context.WithTimeoutCause(r.Context(), answerTime, errPatience)
	defer cancel()
	outcome, err := do(ctx)
	if err != nil {
		s.o.Log.V(1).Info("command refused", "command", verb, "child", string(id), "requested_by", cause.RequestedBy, "reason", err.Error())
	}
	switch {
	case errors.Is(err, runtime.ErrChildNotFound):
		return onRecord{s.noSuchChild(string(id))}
	case err != nil:
		return isOnRecord(err)
	}
	if then != nil {
		if err := then(); err != nil {
			s.o.Log.Error(err, "what was requested is kept, and not in force yet", "child", string(id))
		}
	}
	return answerJSON(w, http.StatusOK, outcomeOf(outcome, id, verb, cause))
}

func outcomeOf(o runtime.Outcome, id child.ID, verb string, cause child.Cause) control.Outcome {
	return control.Outcome{
		CommandID: string(o.CommandID), ChildID: id, Command: verb, Decision: string(o.Decision), Message: o.Message,
		Before: o.Before, After: o.After, RequestedBy: cause.RequestedBy, Reason: cause.Reason,
	}
}

// causeOf is who asks and why. Whether that is blank is for the runtime to say,
// which refuses and keeps account of it.
func causeOf(r *http.Request, verb string, reason *string, claim string) (child.Cause, error) {
	by, err := asker(connOf(r.Context()).peer, claim)
	if err != nil {
		return child.Cause{}, err
	}
	cause := child.Cause{RequestedBy: by, Reason: "manual " + verb}
	if reason != nil {
		cause.Reason = *reason
	}
	const most = 1024
	if len(cause.Reason) > most {
		return cause, invalid("reason", fmt.Sprintf("the reason has %d bytes; at most %d are allowed", len(cause.Reason), most))
	}
	connOf(r.Context()).asks = cause
	return cause, nil
}

// signalOf is the name of a signal in full: "SIGHUP" for "hup". Only the command
// signal has one; whether there is such a signal is for the runtime to say.
func signalOf(verb, name string) (string, error) {
	switch {
	case verb != "signal" && name != "":
		return "", invalid("signal", verb+" sends no signal of your choice")
	case verb != "signal" || name == "":
		return "", nil
	}
	full := strings.ToUpper(name)
	if !strings.HasPrefix(full, "SIG") {
		full = "SIG" + full
	}
	return full, nil
}
