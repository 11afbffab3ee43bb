package server

import (
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"

	"github.com/reconciler-dev/reconciler/pkg/control"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/status"
)

// handler is one route. It answers, or returns why it cannot.
type handler func(w http.ResponseWriter, r *http.Request) error

// route is one line of the table of all routes; openapi.yaml has the same.
type route struct {
	method, path string
	handle       handler
}

// table is every route. An id has slashes of its own, so what comes behind one is
// taken apart in childRoute and commandRoute.
func (s *Server) table() []route {
	all := []route{
		{http.MethodGet, "/v1/health", s.getHealth},
		{http.MethodGet, "/v1/state", s.getState},
		{http.MethodGet, "/v1/children", s.getChildren},
		{http.MethodGet, "/v1/children/{id...}", s.childRoute},
		{http.MethodPut, "/v1/children/{id...}", s.putChild},
		{http.MethodDelete, "/v1/children/{id...}", s.deleteChild},
		{http.MethodPost, "/v1/children/{id...}", s.commandRoute},
		{http.MethodGet, "/v1/events", s.getEvents},
		{http.MethodGet, "/v1/plan", s.getPlan},
		{http.MethodPost, "/v1/reconcile", s.postReconcile},
		{http.MethodPost, "/v1/shutdown", s.postShutdown},
		{http.MethodGet, "/v1/openapi.yaml", getDocument},
		{http.MethodGet, "/v1/schema/status.json", getSchema(status.Schema)},
		{http.MethodGet, "/v1/schema/runtime.json", getSchema(status.RuntimeSchema)},
	}
	if s.o.Metrics != nil {
		all = append(all, route{http.MethodGet, "/metrics", func(w http.ResponseWriter, r *http.Request) error {
			s.o.Metrics.ServeHTTP(w, r)
			return nil
		}})
	}
	return all
}

// handler answers every request of a connection.
func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	methods := map[string][]string{}
	for _, r := range s.table() {
		mux.Handle(r.method+" "+r.path, s.answering(r.handle))
		methods[r.path] = append(methods[r.path], r.method)
	}
	for at, allowed := range methods {
		mux.Handle(at, s.answering(methodNotAllowed(allowed)))
	}
	mux.Handle("/", s.answering(func(_ http.ResponseWriter, r *http.Request) error { return noRoute(r.URL.Path) }))
	routes := s.repeatable(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := connOf(r.Context())
		c.serve(true)
		defer c.serve(false)
		c.asks = child.Cause{RequestedBy: c.peer.String()}
		err := s.admitRate(w, c.peer)
		if err == nil {
			err = s.admit(c)
		}
		if err == nil {
			err = s.browsers.check(r)
		}
		if err != nil {
			w.Header().Set("Connection", "close")
			s.answerError(w, r, err)
			return
		}
		if clean := path.Clean("/" + r.URL.Path); clean != strings.TrimSuffix(r.URL.Path, "/") && clean != r.URL.Path {
			s.answerError(w, r, noRoute(r.URL.Path)) // the mux would redirect
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, control.MaxBody)
		routes.ServeHTTP(w, r)
	})
}

// admit says why nothing is answered on a connection; nil if all is well.
func (s *Server) admit(c *conn) error {
	switch {
	case c.surplus:
		return &control.Error{
			Status: http.StatusServiceUnavailable, Code: control.CodeTooManyConnections,
			Message: fmt.Sprintf("%d connections are in use already", s.limits.connections),
			Hint:    "end some that follow events or logs, or try again",
		}
	case c.unknown != nil:
		return c.unknown
	case !s.access.allows(c.peer):
		return notPermitted(c.peer, "use this socket")
	}
	return nil
}

func (s *Server) answering(h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			s.answerError(w, r, err)
		}
	})
}

func methodNotAllowed(allowed []string) handler {
	slices.Sort(allowed)
	list := strings.Join(allowed, ", ")
	return func(w http.ResponseWriter, r *http.Request) error {
		w.Header().Set("Allow", list)
		return &control.Error{
			Status: http.StatusMethodNotAllowed, Code: control.CodeMethodNotAllowed,
			Message: fmt.Sprintf("%.20s %.200s is not possible", r.Method, r.URL.Path), Hint: "use " + list,
		}
	}
}

func noRoute(path string) error {
	return &control.Error{
		Status: http.StatusNotFound, Code: control.CodeNotFound,
		Message: fmt.Sprintf("there is nothing at %.200s", path), Hint: "GET /v1/openapi.yaml describes all there is",
	}
}

// getDocument answers with the description of the API.
func getDocument(w http.ResponseWriter, r *http.Request) error {
	if q := readQuery(r); q.err != nil {
		return q.err
	}
	answer(w, http.StatusOK, control.TypeYAML, control.OpenAPI)
	return nil
}

// getSchema answers with a schema that the document refers to.
func getSchema(schema func() ([]byte, error)) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if q := readQuery(r); q.err != nil {
			return q.err
		}
		text, err := schema()
		if err != nil {
			return err
		}
		answer(w, http.StatusOK, control.TypeJSON, text)
		return nil
	}
}
