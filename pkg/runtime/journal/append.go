package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/reconciler-dev/reconciler/internal/private"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

// EntriesLost is the type of an entry that stands for those which could not be
// written, and were more than could be kept in memory until they could.
const EntriesLost machine.FactKind = "entries_lost"

// maxBacklog is how many bytes of lines are kept while they cannot be written:
// some thousand.
const maxBacklog = 1 << 20

// backlog is what could not be written yet. Its lines have their numbers.
type backlog struct {
	text []byte // whole lines
	sync bool   // somebody wants to know them safe
	lost int    // facts that had no room behind text
	why  string
}

// Append adds facts, in one write. After an error what is missing is kept, and
// comes before the facts of the next Append, or of Close: do not repeat it. If it
// is more than a megabyte, an entry of the type EntriesLost says how many facts
// are not there.
func (f *Facts) Append(facts []machine.Fact, wall time.Time) error {
	if f.backlog.lost > 0 {
		if err := f.flush(); err != nil {
			f.backlog.lost += len(facts)
			return err
		}
		f.tellLost(wall)
	}
	for i, fact := range facts {
		if len(f.backlog.text) >= maxBacklog {
			if err := f.flush(); err != nil {
				f.backlog.lost = len(facts) - i
				return err
			}
		}
		if err := f.put(entryOf(fact, f.next, wall)); err != nil {
			return fmt.Errorf("encode %s for the journal: %w", fact.Kind, err)
		}
		f.backlog.sync = f.backlog.sync || byOperator(fact)
	}
	return f.flush()
}

// byOperator reports whether somebody gave a command and may rely on its being on
// record. What the runtime does by itself, and what manifests say, is on disk
// elsewhere or happens again.
func byOperator(f machine.Fact) bool { return fromOperator(f.Cause.RequestedBy) }

func fromOperator(requestedBy string) bool {
	switch requestedBy {
	case "", "runtime", "manifest":
		return false
	}
	return true
}

func (f *Facts) tellLost(wall time.Time) {
	reason := fmt.Sprintf("%d events could not be written: %s", f.backlog.lost, f.backlog.why)
	if f.put(Entry{Sequence: f.next, Time: wall.UTC(), Type: EntriesLost, Reason: reason}) == nil {
		f.backlog.lost = 0
	}
}

// firstUnwritten is the number of the first line that is not in the file.
func (f *Facts) firstUnwritten() uint64 {
	return f.next - uint64(bytes.Count(f.backlog.text, []byte("\n")))
}

// put gives an entry its place behind what is to be written.
func (f *Facts) put(e Entry) error {
	text := bytes.NewBuffer(f.backlog.text)
	enc := json.NewEncoder(text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(e); err != nil {
		return err
	}
	f.backlog.text = text.Bytes()
	f.next++
	return nil
}

// flush writes what is to be written. A line that is in the file stays there: a
// reader may have seen it.
func (f *Facts) flush() error {
	b := &f.backlog
	if len(b.text) > 0 {
		n, err := f.write(b.text)
		b.text = b.text[:copy(b.text, b.text[n:])]
		if err != nil {
			b.why = err.Error()
			return fmt.Errorf("append to the journal: %w", err)
		}
	}
	if cap(b.text) > 64<<10 {
		b.text = nil
	}
	if !b.sync {
		return nil
	}
	b.sync = false // what fails cannot be repeated on this file
	if err := f.sync(); err != nil {
		return fmt.Errorf("make the journal durable: %w", err)
	}
	return nil
}

// write appends lines and says how many bytes of whole lines are in the file now.
func (f *Facts) write(text []byte) (int, error) {
	if err := f.prepare(int64(len(text))); err != nil {
		return 0, err
	}
	n, err := f.file.WriteAt(text, f.size)
	whole := bytes.LastIndexByte(text[:n], '\n') + 1
	f.size += int64(whole)
	if n > whole {
		f.torn = f.file.Truncate(f.size) != nil
	}
	return whole, err
}

// prepare makes sure that there is a file to append to.
func (f *Facts) prepare(length int64) error {
	info, err := f.file.Stat()
	switch {
	case err != nil:
		return err
	case unlinked(info):
		if err := private.Below(f.dir); err != nil {
			return err
		}
		return f.create()
	case f.size > 0 && (f.suspect || f.size+length > f.maxSize):
		return f.create()
	case f.torn:
		err = f.file.Truncate(f.size)
		f.torn = err != nil
	}
	return err
}

// sync makes the file durable, and once also its name and that of the directory.
func (f *Facts) sync() error {
	if err := fdatasync(f.file); err != nil {
		f.suspect = true
		return err
	}
	if f.durableName {
		return nil
	}
	err := errors.Join(syncDir(f.dir), syncDir(filepath.Dir(f.dir)))
	f.durableName = err == nil
	return err
}

// Close writes what could not be written before, and closes the file.
func (f *Facts) Close() error { return errors.Join(f.flush(), f.file.Close()) }
