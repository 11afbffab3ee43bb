package server

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/reconciler-dev/reconciler/pkg/control"
)

// stream writes an answer piece by piece, at the pace of its reader. A reader that
// takes nothing for as long as a write may last is cut off.
type stream struct {
	s      *Server
	w      http.ResponseWriter
	out    *http.ResponseController
	opened bool
	kind   string
}

// newStream is the stream of one answer, and the context that ends when the client
// goes away or the server does.
func (s *Server) newStream(w http.ResponseWriter, r *http.Request, kind string) (*stream, context.Context, context.CancelFunc) {
	patience(w)
	ctx, cancel := context.WithCancel(r.Context())
	stop := context.AfterFunc(s.streams, cancel)
	return &stream{s: s, w: w, out: http.NewResponseController(w), kind: kind}, ctx, func() { stop(); cancel() }
}

// open sends the header, so that a client knows that it follows.
func (t *stream) open() error {
	if t.opened {
		return nil
	}
	t.opened = true
	t.w.Header().Set("Content-Type", t.kind)
	t.w.Header().Set("X-Content-Type-Options", "nosniff")
	t.s.hurry(t.w)
	t.w.WriteHeader(http.StatusOK)
	return t.out.Flush()
}

// Write writes one piece.
func (t *stream) Write(b []byte) (int, error) {
	if err := t.open(); err != nil {
		return 0, err
	}
	t.s.hurry(t.w)
	return t.w.Write(b)
}

// flush lets the client see what was written.
func (t *stream) flush() error {
	t.s.hurry(t.w)
	return t.out.Flush()
}

// fail ends the stream with an error: as a whole answer if nothing was written
// yet, else as its last line, or where lines are not ours by a cut.
func (t *stream) fail(err error) error {
	if !t.opened {
		return err
	}
	if t.kind != control.TypeNDJSON {
		panic(http.ErrAbortHandler) // the client must not take it for the whole
	}
	line, _ := json.Marshal(control.ErrorBody{Error: *asError(err)}) // strings can be encoded
	if _, err := t.Write(append(line, '\n')); err == nil {
		_ = t.flush()
	}
	return nil
}

// wantsLines reports whether a client asks for NDJSON.
func wantsLines(r *http.Request) bool {
	return slices.ContainsFunc(r.Header.Values("Accept"), func(v string) bool { return strings.Contains(v, control.TypeNDJSON) })
}

// lineWriter makes an object of each line that is written to it.
type lineWriter struct {
	to   func(line []byte) error
	rest []byte // a line that has begun
}

// maxLine is how long a line of a child may be in NDJSON; longer ones are cut into
// several. As text they come as they are.
const maxLine = 64 << 10

// Write passes whole lines on.
func (l *lineWriter) Write(b []byte) (int, error) {
	l.rest = append(l.rest, b...)
	for {
		end := bytes.IndexByte(l.rest, '\n')
		next := end + 1
		switch {
		case end < 0 && len(l.rest) < maxLine:
			return len(b), nil
		case end < 0 || end > maxLine:
			end, next = maxLine, maxLine
		}
		if err := l.to(l.rest[:end]); err != nil {
			return 0, err
		}
		l.rest = l.rest[next:]
	}
}

// finish passes on a last line that has no end.
func (l *lineWriter) finish() error {
	if len(l.rest) == 0 {
		return nil
	}
	return l.to(l.rest)
}
