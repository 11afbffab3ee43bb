package server

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/control"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/status"
)

// getHealth answers 200 if all is well and 503 if not, with the same body.
func (s *Server) getHealth(w http.ResponseWriter, r *http.Request) error {
	if q := readQuery(r); q.err != nil {
		return q.err
	}
	h := s.health()
	code := http.StatusOK
	if !h.Healthy {
		code = http.StatusServiceUnavailable
	}
	w.Header().Set(control.HealthHeader, fmt.Sprint(h.Healthy))
	return answerJSON(w, code, h)
}

// shimPatience is how long the shim may be away before that is no health: one that was
// killed is replaced within milliseconds.
const shimPatience = 2 * time.Second

func (s *Server) health() control.Health {
	h, all, blocked := s.o.Supervisor.Health(), s.o.View.Runtime(), s.outputBlocked()
	kept, _ := all.Condition(status.ConditionStateKept)
	return control.Health{
		StateLost: kept.Message,
		Healthy:   h.Alive && !h.Degraded && len(blocked) == 0 && (h.Connected || time.Since(h.Lost) < shimPatience),
		State:     status.State(h.State), PID: os.Getpid(), Version: all.Version, StartedAt: all.StartedAt,
		LastObserved: h.LastObserved.UTC(), Shim: h.Connected, ShimReason: all.Shim.Reason, ShimLacks: all.Shim.Lacks, RecordsError: h.RecordsError,
		Unwell: append([]child.ID{}, h.Unwell...), OutputBlocked: blocked, Stalls: s.o.Desired().Stalls,
	}
}

// outputBlocked are the children that a log holds up, critical or not: it is not they
// that are unwell, but what is kept of them.
func (s *Server) outputBlocked() (ids []child.ID) {
	for _, c := range s.o.Supervisor.Children() {
		if c.Log.HoldsUp() {
			ids = append(ids, c.ID)
		}
	}
	return ids
}

func (s *Server) getState(w http.ResponseWriter, r *http.Request) error {
	if q := readQuery(r); q.err != nil {
		return q.err
	}
	return answerJSON(w, http.StatusOK, s.o.View.Runtime())
}

func (s *Server) getChildren(w http.ResponseWriter, r *http.Request) error {
	q := readQuery(r, "tag", "name")
	if q.err != nil {
		return q.err
	}
	list := control.Children{Children: []status.Child{}}
	for _, c := range s.o.Supervisor.Children() {
		if isNamed(c.ID, q.values["name"]) && hasAll(c.Spec.Tags, q.values["tag"]) {
			list.Children = append(list.Children, s.o.View.Child(c))
		}
	}
	return answerJSON(w, http.StatusOK, list)
}

// isNamed reports whether one of names is the id or its last segment.
func isNamed(id child.ID, names []string) bool {
	return len(names) == 0 || slices.Contains(names, string(id)) || slices.Contains(names, id.Name())
}

func hasAll(tags, wanted []string) bool {
	return !slices.ContainsFunc(wanted, func(t string) bool { return !slices.Contains(tags, t) })
}

// childRoute answers for /v1/children/{id} and /v1/children/{id}/logs. A child
// that is itself called logs is meant by its id; its output is at {id}/logs/logs.
func (s *Server) childRoute(w http.ResponseWriter, r *http.Request) error {
	path := r.PathValue("id")
	if c, ok := s.o.Supervisor.Child(child.ID(path)); ok {
		if q := readQuery(r); q.err != nil {
			return q.err
		}
		return answerJSON(w, http.StatusOK, s.o.View.Child(c))
	}
	if id, isLogs := strings.CutSuffix(path, "/logs"); isLogs {
		return s.getLogs(w, r, child.ID(id))
	}
	return s.noSuchChild(path)
}

func (s *Server) noSuchChild(name string) error {
	if name == "" {
		return noRoute("/v1/children/")
	}
	var ids []child.ID
	for _, c := range s.o.Supervisor.Children() {
		ids = append(ids, c.ID)
	}
	e := &control.Error{Status: http.StatusNotFound, Code: control.CodeChildNotFound, Message: fmt.Sprintf("child not found: %.200s", name)}
	if near := control.Nearest(name, ids); len(near) > 0 {
		e.Hint = "did you mean " + strings.Join(near, " or ") + "?"
	}
	return e
}
