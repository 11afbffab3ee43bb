package server

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/reconciler-dev/reconciler/pkg/control"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/logs"
)

// getLogs answers with the output of a child, also of one that was removed: as it
// was printed, or for a client that accepts NDJSON an object a line.
func (s *Server) getLogs(w http.ResponseWriter, r *http.Request, id child.ID) error {
	q := readQuery(r, "tail", "follow", "previous")
	o := logs.Options{Tail: q.count("tail"), Follow: q.flag("follow"), Previous: q.flag("previous")}
	if o.Follow && o.Previous {
		q.fail("follow", "previous is over: it cannot be followed")
	}
	if q.err != nil {
		return q.err
	}
	if !s.hasOutput(id) {
		return s.noSuchChild(string(id))
	}
	dir := filepath.Join(s.o.LogDir, filepath.FromSlash(string(id)))
	t, ctx, done := s.newStream(w, r, kindOf(r))
	defer done()
	if o.Follow {
		if err := t.open(); err != nil {
			return nil // it went away
		}
	}
	out, finish := t.lines(id, &o)
	err := logs.Follow(ctx, dir, o, out)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = nil // it has printed nothing
	case errors.Is(err, logs.ErrNoPrevious):
		return &control.Error{Status: http.StatusNotFound, Code: control.CodeNotFound, Field: "previous", Message: string(id) + ": " + err.Error()}
	case ctx.Err() != nil:
		return nil // the client went away, or everything ends
	}
	if err == nil {
		err = finish()
	}
	if err == nil {
		return t.open() // also when nothing was printed
	}
	return t.fail(err)
}

func kindOf(r *http.Request) string {
	if wantsLines(r) {
		return control.TypeNDJSON
	}
	return control.TypeText
}

// lines is what a child's output is written to.
func (t *stream) lines(id child.ID, o *logs.Options) (out io.Writer, finish func() error) {
	if t.kind == control.TypeText {
		return flushing{t}, func() error { return nil }
	}
	send := func(l control.LogLine) error {
		text, err := json.Marshal(l)
		if err == nil {
			_, err = t.Write(append(text, '\n'))
		}
		return err
	}
	o.Missed = func(n int64) { _ = send(control.LogLine{ChildID: id, Missed: n}) } // the next write fails too
	l := &lineWriter{to: func(line []byte) error {
		return send(control.LogLine{ChildID: id, Line: strings.ToValidUTF8(string(line), "\uFFFD")})
	}}
	return flushedLines{l, t}, l.finish
}

// flushing shows the client every piece at once.
type flushing struct{ t *stream }

// Write writes one piece.
func (f flushing) Write(b []byte) (int, error) {
	n, err := f.t.Write(b)
	if err == nil {
		err = f.t.flush()
	}
	return n, err
}

type flushedLines struct {
	*lineWriter
	t *stream
}

// Write writes the lines of one piece.
func (f flushedLines) Write(b []byte) (int, error) {
	n, err := f.lineWriter.Write(b)
	if err == nil && f.t.opened {
		err = f.t.flush()
	}
	return n, err
}

// hasOutput reports whether a child is there, or was and left output.
func (s *Server) hasOutput(id child.ID) bool {
	if _, ok := s.o.Supervisor.Child(id); ok {
		return true
	}
	if _, err := child.ParseID(string(id)); err != nil {
		return false
	}
	_, err := os.Stat(filepath.Join(s.o.LogDir, filepath.FromSlash(string(id)), "current"))
	return err == nil
}
