package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/reconciler-dev/reconciler/pkg/control"
	"github.com/reconciler-dev/reconciler/pkg/desired"
	"github.com/reconciler-dev/reconciler/pkg/reconcile"
	"github.com/reconciler-dev/reconciler/pkg/runtime"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// putChild declares a child that has no file. Its body is kept, and goes through the
// same merge as the files do; it outlives the reconciler until it is deleted here or a
// file declares the same id, which then counts. What a file declares already is changed
// there and nowhere else.
func (s *Server) putChild(w http.ResponseWriter, r *http.Request) error {
	id := child.ID(r.PathValue("id"))
	body, cause, err := s.change(r, "put")
	if err != nil {
		return err
	}
	done, err := s.declaring(r, id)
	if err != nil {
		return err
	}
	defer done()
	if file, declared := s.declaredBy(id); declared {
		return declaredElsewhere(id, file, "change the file")
	}
	request, entry, err := s.meaningOf(r, id, body)
	if err != nil {
		return err
	}
	old, exists := s.o.Supervisor.Child(id)
	if !exists {
		if err := s.mayAdd(id); err != nil {
			return err
		}
	}
	if err := s.o.Requests.Write(request); err != nil {
		return fmt.Errorf("keep the body of the request: %w", err)
	}
	if exists {
		err = s.putAgain(w, r, old, entry, cause, request)
	} else {
		entry.Origin.Generation = 1
		err = s.carry(w, r, id, "add", cause, func(ctx context.Context) (runtime.Outcome, error) {
			return s.o.Supervisor.Add(ctx, id, entry.Spec, entry.Origin, cause)
		}, func() error { return s.inForce(r, request) })
	}
	if err != nil {
		return errors.Join(err, s.o.Requests.Undo(id))
	}
	return nil
}

// declaring waits for its turn among the requests that declare, and keeps all passes
// from the child.
func (s *Server) declaring(r *http.Request, id child.ID) (done func(), err error) {
	ctx, cancel := context.WithTimeoutCause(r.Context(), answerTime, errPatience)
	defer cancel()
	select {
	case s.declares <- struct{}{}:
		release := s.o.Hold(id)
		return func() { release(); <-s.declares }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// meaningOf reads a body, and says what would be in force for it.
func (s *Server) meaningOf(r *http.Request, id child.ID, body []byte) (desired.Request, desired.Entry, error) {
	if _, err := child.ParseID(string(id)); err != nil {
		return desired.Request{}, desired.Entry{}, invalid("name", err.Error())
	}
	isJSON := strings.Contains(r.Header.Get("Content-Type"), "json")
	request, problems := desired.NewRequest(id, isJSON, body)
	if len(problems) == 0 {
		problems = s.o.Desired().CheckRequest(request)
	}
	if len(problems) > 0 {
		return request, desired.Entry{}, asInvalid(problems)
	}
	ctx, cancel := context.WithTimeoutCause(r.Context(), answerTime, errPatience)
	defer cancel()
	entry, problems, err := s.o.Requests.Try(ctx, request)
	switch {
	case err != nil:
		return request, entry, err
	case len(problems) > 0:
		return request, entry, asInvalid(problems)
	}
	return request, entry, nil
}

// inForce lets a request count whose command was accepted.
func (s *Server) inForce(r *http.Request, request desired.Request) error {
	s.o.Requests.Show(request)
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(r.Context()), answerTime, errPatience)
	defer cancel()
	return s.o.Requests.Refresh(ctx)
}

// putAgain gives a child that is there a new spec; one that runs notices only what
// it must.
func (s *Server) putAgain(w http.ResponseWriter, r *http.Request, old *child.Snapshot, entry desired.Entry, cause child.Cause, request desired.Request) error {
	entry.Origin.Generation = max(1, old.Origin.Generation)
	change, changes := reconcile.Change(entry, old)
	if !changes { // that is for the runtime to say, which may be ending or removing the child
		return s.carry(w, r, old.ID, "update", cause, func(ctx context.Context) (runtime.Outcome, error) {
			return s.o.Supervisor.Update(ctx, old.ID, old.Spec, old.Origin, cause)
		}, func() error { return s.inForce(r, request) })
	}
	entry.Origin.Generation = old.Origin.Generation + 1
	return s.carry(w, r, old.ID, string(change.Verb), cause, func(ctx context.Context) (runtime.Outcome, error) {
		if change.Verb == reconcile.Replace {
			return s.o.Supervisor.Replace(ctx, old.ID, entry.Spec, entry.Origin, cause)
		}
		return s.o.Supervisor.Update(ctx, old.ID, entry.Spec, entry.Origin, cause)
	}, func() error { return s.inForce(r, request) })
}

// deleteChild removes a child that no file declares: one that was put, or one that
// is protected and whose file is gone. Any other would be back at once.
func (s *Server) deleteChild(w http.ResponseWriter, r *http.Request) error {
	id := child.ID(r.PathValue("id"))
	if readQuery(r).err != nil {
		return readQuery(r).err
	}
	if _, err := child.ParseID(string(id)); err != nil {
		return s.noSuchChild(string(id))
	}
	var body control.Command
	if err := readJSON(r, &body); err != nil {
		return err
	}
	if body.Signal != "" {
		return invalid("signal", "remove sends no signal of your choice")
	}
	if p := connOf(r.Context()).peer; !s.access.owns(p) {
		return notPermitted(p, "remove children")
	}
	cause, err := causeOf(r, "remove", body.Reason, body.RequestedBy)
	if err != nil {
		return err
	}
	done, err := s.declaring(r, id)
	if err != nil {
		return err
	}
	defer done()
	if file, declared := s.declaredBy(id); declared {
		return declaredElsewhere(id, file, "remove the file")
	}
	was, requested := s.o.Requests.Get(id)
	if requested {
		if err := s.withdraw(r, id); err != nil {
			return err
		}
	}
	err = s.command(w, r, id, "remove", cause, func(ctx context.Context) (runtime.Outcome, error) {
		return s.o.Supervisor.Remove(ctx, id, cause)
	})
	var refused onRecord
	if requested && errors.As(err, &refused) && asError(err).Code != control.CodeChildNotFound {
		return errors.Join(err, s.restore(r, was))
	}
	return err
}

// withdraw takes a request out of what is desired, so that no pass brings the child
// back that is removed next. Killed in between, the child runs on until it is deleted
// again.
func (s *Server) withdraw(r *http.Request, id child.ID) error {
	if err := s.o.Requests.Delete(id); err != nil {
		return fmt.Errorf("forget the request for %s: %w", id, err)
	}
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(r.Context()), answerTime, errPatience)
	defer cancel()
	return s.o.Requests.Refresh(ctx)
}

// restore puts back a request whose child was not removed after all.
func (s *Server) restore(r *http.Request, was desired.Request) error {
	if len(was.Body) > 0 {
		if err := s.o.Requests.Write(was); err != nil {
			return err
		}
	}
	return s.inForce(r, was)
}

// change reads a request that changes what runs. Who has the group of the socket
// may not: a new child could run anything as the reconciler's user.
func (s *Server) change(r *http.Request, verb string) ([]byte, child.Cause, error) {
	q := readQuery(r, "reason", "requested_by")
	if q.err != nil {
		return nil, child.Cause{}, q.err
	}
	if p := connOf(r.Context()).peer; !s.access.owns(p) {
		return nil, child.Cause{}, notPermitted(p, "add or change children")
	}
	if !s.o.Desired().Complete {
		return nil, child.Cause{}, &control.Error{
			Status: http.StatusServiceUnavailable, Code: control.CodeStarting,
			Message: "the manifests are not read yet, so what they declare is not known", Hint: "try again",
		}
	}
	var reason *string
	if q.values.Has("reason") {
		text := q.text("reason")
		reason = &text
	}
	body, err := readBody(r)
	if err != nil {
		return nil, child.Cause{}, err
	}
	cause, err := causeOf(r, verb, reason, q.text("requested_by"))
	return body, cause, err
}

// declaredBy is the file that declares a child or a folder now.
func (s *Server) declaredBy(id child.ID) (file string, declared bool) {
	e, ok := s.o.Desired().Get(id)
	return e.Origin.File, ok && !e.Origin.ByRequest
}

func declaredElsewhere(id child.ID, file, way string) error {
	where := "the manifest " + file
	if file == "" {
		where = "its folder of manifests"
	}
	return &control.Error{
		Status: http.StatusConflict, Code: control.CodeDeclaredByManifest,
		Message: fmt.Sprintf("%s is declared by %s", id, where), Hint: way,
	}
}

// mayAdd says why a child cannot be added beside those that are there.
func (s *Server) mayAdd(id child.ID) error {
	all := s.o.Supervisor.Children()
	if len(all) >= desired.MaxChildren {
		return invalid("", fmt.Sprintf("there are %d children already; more are not allowed", len(all)))
	}
	for _, c := range all {
		if strings.EqualFold(string(c.ID), string(id)) {
			return &control.Error{
				Status: http.StatusConflict, Code: control.CodeChildExists,
				Message: fmt.Sprintf("%s differs from %s by case only", id, c.ID), Hint: "choose another name",
			}
		}
	}
	return nil
}

// asInvalid is the first problem of a manifest that came as a body.
func asInvalid(problems []desired.Problem) error {
	p := problems[0]
	e := invalid(p.Field, p.Reason)
	if p.Line > 0 {
		e.Message = fmt.Sprintf("line %d, column %d: %s", p.Line, max(p.Column, 1), e.Message)
	}
	if n := len(problems) - 1; n > 0 {
		e.Message = fmt.Sprintf("%s (and %d more)", e.Message, n)
	}
	e.Hint = p.Hint
	return e
}
