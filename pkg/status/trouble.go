package status

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/go-logr/logr"
)

// trouble remembers which files could not be written, so that each cause is
// logged once and not once a file and try: a full disk stops all of them.
type trouble struct {
	log   logr.Logger
	names map[string]error
}

// note records what became of one file; err is nil if it was written.
func (t *trouble) note(name string, err error) {
	before, failing := t.names[name]
	switch {
	case err == nil && !failing:
	case err == nil:
		delete(t.names, name)
		if len(t.names) == 0 {
			t.log.Info("all status files are written again")
		}
	default:
		news := !failing || cause(before) != cause(err)
		for _, other := range t.names {
			news = news && cause(other) != cause(err)
		}
		t.names[name] = err
		if news {
			t.log.Error(err, "a status file could not be written; the old one stays, and it is tried again", "file", name)
		}
	}
}

// err sums the trouble up; nil if there is none.
func (t *trouble) err() error {
	for name, err := range t.names {
		if len(t.names) == 1 {
			return fmt.Errorf("status file %s: %w", name, err)
		}
		return fmt.Errorf("%d status files, one is %s: %w", len(t.names), name, err)
	}
	return nil
}

// cause is the error of the system, without the names that differ by file.
func cause(err error) string {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno.Error()
	}
	return err.Error()
}
