package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/control"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// LogOptions say which part of a child's output is wanted. The zero value is all
// of it.
type LogOptions struct {
	Tail     int  // only the last so many lines; 0: all
	Previous bool // only what the attempt before the newest one printed
	Follow   bool // then go on with what is printed from now on, until ctx ends
}

// Logs copies the output of a child to w, byte for byte. That ctx ends is no error
// with Follow.
func (c *Client) Logs(ctx context.Context, id child.ID, o LogOptions, w io.Writer) error {
	q := url.Values{}
	if o.Tail > 0 {
		q.Set("tail", strconv.Itoa(o.Tail))
	}
	if o.Previous {
		q.Set("previous", "true")
	}
	if o.Follow {
		q.Set("follow", "true")
	}
	resp, err := c.send(ctx, http.MethodGet, withQuery(childPath(string(id), "logs"), q), control.TypeText, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(w, resp.Body)
	if err != nil && o.Follow && ctx.Err() != nil {
		return nil
	}
	return err
}

// EventOptions say which part of the journal is wanted. The zero value is all of it.
type EventOptions struct {
	After  uint64    // only events with a higher sequence number; 0: from the oldest one on
	Since  time.Time // only what was written from then on; not with After
	Tail   int       // of those, only the last so many; 0: all
	Child  child.ID  // only of this child; "": of all
	Follow bool      // then go on with what comes, until ctx ends
}

// Events yields the events as they stand in the journal, one JSON object each,
// oldest first. An object {"missed":{…}} stands for events that were rotated away
// before they could be read. To go on after a break, ask again with After. The
// sequence ends after the first error; that ctx ends is none with Follow.
func (c *Client) Events(ctx context.Context, o EventOptions) iter.Seq2[json.RawMessage, error] {
	return func(yield func(json.RawMessage, error) bool) {
		resp, err := c.send(ctx, http.MethodGet, withQuery("/v1/events", o.query()), control.TypeNDJSON, nil)
		if err != nil {
			yield(nil, err)
			return
		}
		defer resp.Body.Close()
		for line, err := range lines(resp.Body) {
			if err != nil && o.Follow && ctx.Err() != nil {
				return
			}
			if !yield(line, err) || err != nil {
				return
			}
		}
	}
}

func (o EventOptions) query() url.Values {
	q := url.Values{}
	if o.After > 0 {
		q.Set("since", strconv.FormatUint(o.After, 10))
	}
	if !o.Since.IsZero() && o.After == 0 {
		q.Set("since", o.Since.UTC().Format(time.RFC3339Nano))
	}
	if o.Tail > 0 {
		q.Set("tail", strconv.Itoa(o.Tail))
	}
	if o.Child != "" {
		q.Set("child", string(o.Child))
	}
	if o.Follow {
		q.Set("follow", "true")
	}
	return q
}

// lines yields the lines of a stream, without their ends. A line that is an error
// of the reconciler is returned as one.
func lines(r io.Reader) iter.Seq2[json.RawMessage, error] {
	return func(yield func(json.RawMessage, error) bool) {
		b := bufio.NewReaderSize(r, 64<<10)
		for {
			line, err := b.ReadBytes('\n')
			switch {
			case errors.Is(err, io.EOF) && len(line) == 0:
				return
			case err != nil:
				yield(nil, fmt.Errorf("read events: %w", err))
				return
			}
			if bytes.HasPrefix(line, []byte(`{"error":`)) {
				var last control.ErrorBody
				err := json.Unmarshal(line, &last)
				yield(nil, errors.Join(err, &last.Error))
				return
			}
			if !yield(line[:len(line)-1], nil) {
				return
			}
		}
	}
}
