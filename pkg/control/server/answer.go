package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/control"
	"github.com/reconciler-dev/reconciler/pkg/reconcile"
	"github.com/reconciler-dev/reconciler/pkg/runtime"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

// answerJSON writes v as the whole answer.
func answerJSON(w http.ResponseWriter, status int, v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	answer(w, status, control.TypeJSON, b.Bytes())
	return nil
}

func answer(w http.ResponseWriter, status int, kind string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that went away misses it
}

// answerError writes why a request was refused.
func (s *Server) answerError(w http.ResponseWriter, r *http.Request, err error) {
	e := asError(err)
	if e.Status == http.StatusInternalServerError {
		s.o.Log.Error(err, "control socket: a request failed", "method", r.Method, "path", r.URL.Path)
	}
	s.auditRefusal(r, err, e)
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(control.ErrorBody{Error: *e}) // strings can be encoded
	answer(w, e.Status, control.TypeJSON, b.Bytes())
}

// statuses are those of the refusals of the runtime; 409 for one that is not here.
var statuses = map[machine.ErrorCode]int{
	machine.ErrInvalid:       http.StatusBadRequest,
	machine.ErrChildNotFound: http.StatusNotFound,
	machine.ErrShuttingDown:  http.StatusServiceUnavailable,
	machine.ErrNotConnected:  http.StatusServiceUnavailable,
}

// asError is any error as the socket says it.
func asError(err error) *control.Error {
	var said *control.Error
	var refused *runtime.CommandError
	var ended *runtime.EndedError
	switch {
	case errors.As(err, &said):
		return said
	case errors.As(err, &refused):
		e := &control.Error{Status: statuses[refused.Code], Code: string(refused.Code), Message: refused.Message}
		if e.Status == 0 {
			e.Status = http.StatusConflict
		}
		return e
	case errors.Is(err, reconcile.ErrEnded):
		return &control.Error{Status: http.StatusServiceUnavailable, Code: control.CodeShuttingDown, Message: err.Error()}
	case errors.As(err, &ended):
		return &control.Error{Status: http.StatusServiceUnavailable, Code: control.CodeShuttingDown, Message: ended.Error()}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, errPatience):
		return &control.Error{Status: http.StatusGatewayTimeout, Code: control.CodeTimedOut, Message: err.Error(), Hint: "try again"}
	}
	return &control.Error{Status: http.StatusInternalServerError, Code: control.CodeInternal, Message: err.Error()}
}

func invalid(field, message string) *control.Error {
	return &control.Error{Status: http.StatusBadRequest, Code: control.CodeInvalid, Field: field, Message: message}
}

// readJSON reads the body into v, which keeps what it has if there is none.
// Content-Type is not looked at: curl -d says that a form comes.
func readJSON(r *http.Request, v any) error {
	text, err := readBody(r)
	if err != nil || len(bytes.TrimSpace(text)) == 0 {
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err = eachOnce(text, v); err == nil {
		err = dec.Decode(v)
	}
	if err == nil {
		if _, more := dec.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("there is more behind the object")
		}
	}
	if err != nil {
		e := invalid("", "the body is not what is wanted: "+err.Error())
		var kind *json.UnmarshalTypeError
		if errors.As(err, &kind) {
			e.Field = kind.Field
		}
		e.Hint = "send one JSON object, or nothing"
		return e
	}
	return nil
}

func readBody(r *http.Request) ([]byte, error) {
	text, err := io.ReadAll(r.Body)
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, &control.Error{
			Status: http.StatusRequestEntityTooLarge, Code: control.CodeBodyTooLarge,
			Message: fmt.Sprintf("the body is larger than %d bytes", large.Limit),
		}
	case err != nil:
		return nil, invalid("", "the body ended too soon: "+err.Error())
	}
	return text, nil
}

// patience removes the bounds in time of a request whose answer may be long in
// coming: its body was read, and each write has a bound of its own.
func patience(w http.ResponseWriter) {
	c := http.NewResponseController(w)
	_ = c.SetReadDeadline(time.Time{}) // else net/http takes the client for gone
	_ = c.SetWriteDeadline(time.Time{})
}

// hurry bounds the next write after patience.
func (s *Server) hurry(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(s.limits.write))
}

// eachOnce says that a name of the object stands there twice, or is not spelled as it
// is: encoding/json takes the last of them, and any case, so two readers of one body
// could see two requests. The objects that we read have no others in them.
func eachOnce(text []byte, v any) error {
	known := map[string]bool{}
	for f := range reflect.TypeOf(v).Elem().Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		known[name] = true
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return nil // Decode says it better
	}
	seen := map[string]bool{}
	for dec.More() {
		token, err := dec.Token()
		name, ok := token.(string)
		var value json.RawMessage
		if err != nil || !ok || dec.Decode(&value) != nil {
			return nil
		}
		switch {
		case seen[name]:
			return fmt.Errorf("%.40q stands there twice", name)
		case !known[name]:
			return fmt.Errorf("json: unknown field %.40q", name)
		}
		seen[name] = true
	}
	return nil
}
