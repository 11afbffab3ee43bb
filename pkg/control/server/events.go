package server

import (
	"errors"
	"fmt"
	"iter"
	"net/http"
	"strconv"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/control"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/journal"
)

// getEvents answers with the journal as NDJSON. It is read from its files: a
// reader that is slow delays nobody, and is told what was rotated away meanwhile.
func (s *Server) getEvents(w http.ResponseWriter, r *http.Request) error {
	q := readQuery(r, "follow", "since", "child", "tail")
	o := journal.Options{Newest: q.count("tail")}
	q.since(&o)
	follow := q.flag("follow")
	if name := q.text("child"); name != "" {
		id, err := child.ParseID(name)
		if err != nil {
			q.fail("child", err.Error())
		}
		o.Want = func(e *journal.Entry) bool { return e.ChildID == id }
	}
	if q.err != nil {
		return q.err
	}
	t, ctx, done := s.newStream(w, r, control.TypeNDJSON)
	defer done()
	items := journal.Read(s.o.JournalDir, o)
	if follow {
		items = journal.Follow(ctx, s.o.JournalDir, o)
		if ahead := s.isAhead(o.After); ahead != nil {
			return ahead
		}
		if t.open() != nil {
			return nil // it went away
		}
	}
	err := t.events(items, follow)
	switch {
	case errors.Is(err, journal.ErrAhead):
		return s.isAhead(o.After)
	case ctx.Err() != nil || errors.Is(err, errUnread):
		return nil
	case err != nil:
		return t.fail(err)
	}
	return t.open() // also when there are none
}

var errUnread = errors.New("the client does not read")

// events writes events, and shows the client each one at once if live.
func (t *stream) events(items iter.Seq2[journal.Item, error], live bool) error {
	for item, err := range items {
		if err != nil {
			return err
		}
		if _, err = t.Write(append(item.Line, '\n')); err == nil && live {
			err = t.flush()
		}
		if err != nil {
			return errUnread
		}
	}
	return nil
}

// isAhead is the refusal of a sequence number that the journal has not reached.
func (s *Server) isAhead(after uint64) error {
	last, err := journal.Last(s.o.JournalDir)
	if err != nil || after <= last {
		return err
	}
	e := invalid("since", fmt.Sprintf("the last event is %d; there is none after %d yet", last, after))
	e.Status, e.Code, e.Hint = http.StatusGone, control.CodeGone, "the journal began anew: ask without since"
	return e
}

// since reads a sequence number, a moment, or how long ago.
func (q *query) since(o *journal.Options) {
	text := q.text("since")
	if text == "" {
		return
	}
	if n, err := strconv.ParseUint(text, 10, 64); err == nil {
		o.After = n
		return
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		o.Since = time.Now().Add(-d)
		return
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		q.fail("since", fmt.Sprintf("since=%.60s: want the sequence number of the last event that you have, a moment such as 2026-11-24T12:00:00Z, or a duration such as 10m", text))
	}
	o.Since = at
}
