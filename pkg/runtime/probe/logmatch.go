package probe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/logs"
)

// maxLine is how much of a line is matched.
const maxLine = 64 << 10

// quietLooks is for how many looks at the log in a row nothing follows a line without an
// end, until it counts as it is: half a second. A prompt (server ready> ) never ends; what
// is printed in pieces is there by then, so that "port 80" is no match in "port 8080".
const quietLooks = int(500 * time.Millisecond / logs.PollEvery)

// errMatched ends the reading of a log.
var errMatched = errors.New("a line matches")

// awaitLine reads what the attempt prints, from its beginning, until a line
// matches.
func (p *Prober) awaitLine(ctx context.Context, j *job, pattern string) error {
	if p.config.LogDir == nil {
		return errors.New("the output of this child is not captured, so log_match finds nothing in it")
	}
	re, err := p.regexp(pattern)
	if err != nil {
		return fmt.Errorf("log_match: %w", err)
	}
	from := logs.Mark{Incarnation: j.Key.Incarnation, Generation: j.Key.Generation, Attempt: j.Attempt}
	m := &lineMatcher{pattern: re}
	err = logs.Follow(ctx, p.config.LogDir(j.Key.ID), logs.Options{Attempt: &from, Follow: true, Idle: m.idle}, m)
	switch {
	case errors.Is(err, errMatched):
		return nil
	case err == nil:
		return context.Canceled
	}
	return err
}

// lineMatcher is a writer that fails with errMatched once a line matches: a whole one,
// or one that has had no end for quietLooks.
type lineMatcher struct {
	pattern *regexp.Regexp
	line    []byte // the beginning of one that has not ended
	quiet   int    // how many looks found nothing behind it
}

// idle counts a look at the log that found nothing new.
func (m *lineMatcher) idle() error {
	if m.quiet++; m.quiet == quietLooks && len(m.line) > 0 && m.pattern.Match(m.line) {
		return errMatched
	}
	return nil
}

func (m *lineMatcher) Write(b []byte) (int, error) {
	m.quiet = 0
	for part := range bytes.Lines(b) {
		text, ended := bytes.CutSuffix(part, []byte("\n"))
		m.line = append(m.line, text[:min(len(text), maxLine-len(m.line))]...)
		if !ended {
			continue
		}
		if m.pattern.Match(bytes.TrimSuffix(m.line, []byte("\r"))) {
			return 0, errMatched
		}
		m.line = m.line[:0]
	}
	return len(b), nil
}
