package journal

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/reconciler-dev/reconciler/internal/regular"
)

// reader goes through the files of a journal, line by line, while a writer may
// append, rotate and delete.
type reader struct {
	dir   string
	since time.Time // zero: passed, or not asked for
	least uint64    // lower numbers are passed over
	want  uint64    // the next number; 0: whichever comes first

	// Of what is kept of files that are gone, nobody who began at the beginning needs
	// to hear what is missing between. It is told from this number on: where the
	// first file that was whole begins.
	whole uint64

	file   *os.File // nil before the first
	first  uint64   // the number in its name
	lines  *bufio.Reader
	offset int64 // of the next whole line
	over   bool  // a newer file was seen: no more is written to this one

	looked uint64 // the number that was missing when the file was read again from its beginning
	held   *Item  // what comes behind the gap that was told last
}

func newReader(dir string, o Options) (*reader, error) {
	r := &reader{dir: dir, since: o.Since}
	if o.After == 0 && (o.Newest <= 0 || o.Want != nil) {
		return r, nil
	}
	last, err := Last(dir)
	switch {
	case err != nil:
		return nil, err
	case o.After > last:
		return nil, fmt.Errorf("entries after %d were asked for, and the last one is %d: %w", o.After, last, ErrAhead)
	case o.After > 0:
		r.want = o.After + 1
	}
	r.least = r.want
	if n := uint64(o.Newest); o.Want == nil && n > 0 && last > o.After+n {
		r.least, r.want = last-n+1, 0 // whether older ones are missing does not matter
	}
	return r, nil
}

// next is the next item; more is false if all that is there has been read.
func (r *reader) next() (i Item, more bool, err error) {
	if r.held != nil {
		i, r.held = *r.held, nil
		return i, true, nil
	}
	for {
		line, err := r.line()
		if err != nil {
			return Item{}, false, err
		}
		if line == nil {
			if more, err := r.advance(); !more || err != nil {
				return Item{}, false, err
			}
			continue
		}
		if i, ok := r.take(line); ok {
			return i, true, nil
		}
	}
}

// line is the next whole line, nil if there is none yet.
func (r *reader) line() ([]byte, error) {
	if r.file == nil {
		return nil, nil
	}
	line, err := r.lines.ReadBytes('\n')
	if errors.Is(err, io.EOF) { // what was read may be half a line
		return nil, r.seek(r.offset)
	}
	r.offset += int64(len(line))
	return line, err
}

func (r *reader) seek(offset int64) error {
	_, err := r.file.Seek(offset, io.SeekStart)
	r.lines.Reset(r.file)
	r.offset = offset
	return err
}

// take makes an item of a line; false if it is not wanted, or cannot be read:
// then the number of the next one tells.
func (r *reader) take(line []byte) (Item, bool) {
	line = line[:len(line)-1]
	var e Entry
	if json.Unmarshal(line, &e) != nil || e.Sequence < max(r.want, r.least, 1) {
		return Item{}, false
	}
	if e.Time.Before(r.since) {
		r.least = e.Sequence + 1
		r.want, r.whole = 0, 0
		return Item{}, false
	}
	i, from := Item{Entry: e, Line: line}, max(r.want, r.whole)
	if from > 0 && e.Sequence > from {
		// A failed write that was undone under us may have moved the lines.
		if r.first != keptFile && r.looked != from && r.seek(0) == nil {
			r.looked = from
			return Item{}, false
		}
		r.held = &Item{Entry: e, Line: line}
		i = missing(from, e.Sequence-1)
	}
	if e.Sequence >= r.whole {
		r.whole = 0
	}
	r.since, r.want = time.Time{}, e.Sequence+1
	return i, true
}

func missing(from, to uint64) Item {
	m := &Missed{From: from, To: to, Count: to - from + 1}
	line := fmt.Appendf(nil, `{"missed":{"from":%d,"to":%d,"count":%d}}`, m.From, m.To, m.Count)
	return Item{Missed: m, Line: line}
}

// advance is called at the end of a file, and before the first one. It reports
// whether there may be more to read.
func (r *reader) advance() (bool, error) {
	for {
		files, err := factFiles(r.dir)
		if err != nil || len(files) == 0 {
			return false, err
		}
		first, ok := r.choose(files)
		if r.file != nil && !ok {
			return r.stay(files)
		}
		if r.file != nil && !r.over {
			r.over = true // what was written between that end and this look is its last
			return true, nil
		}
		err = r.open(first)
		if !errors.Is(err, fs.ErrNotExist) { // rotated away since the look
			return true, err
		}
	}
}

// choose is the file that comes next.
func (r *reader) choose(files []uint64) (uint64, bool) {
	if r.file == nil {
		return r.begin(files), true
	}
	for _, first := range files {
		if first > r.first {
			return first, true
		}
	}
	return 0, false
}

// begin is the last file that cannot come after the first entry that is wanted.
func (r *reader) begin(files []uint64) uint64 {
	for i := len(files) - 1; i > 0; i-- {
		if files[i] <= r.least || !r.since.IsZero() && begunBefore(filepath.Join(r.dir, factsName(files[i])), r.since) {
			return files[i]
		}
	}
	first := files[0]
	if first <= r.least || !r.since.IsZero() && begunBefore(filepath.Join(r.dir, factsName(first)), r.since) {
		return first
	}
	if _, err := os.Lstat(filepath.Join(r.dir, factsName(keptFile))); err != nil {
		return first
	}
	if r.want == 0 {
		r.whole = first
	}
	return keptFile
}

// begunBefore reports whether the first entry of a file is older than t.
func begunBefore(path string, t time.Time) bool {
	f, err := regular.Open(path, regular.NoFollow)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }() // it was only read
	line, err := bufio.NewReader(f).ReadBytes('\n')
	var e Entry
	return err == nil && json.Unmarshal(line, &e) == nil && e.Time.Before(t)
}

// stay is about the newest file: it may have been deleted, or cut, by a stranger.
func (r *reader) stay(files []uint64) (bool, error) {
	info, err := r.file.Stat()
	switch {
	case err != nil:
		return false, err
	case unlinked(info): // this is another journal
		if files[0] < r.want {
			r.want, r.least = 0, 0
		}
		err = r.open(files[0])
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
		return true, err
	case info.Size() < r.offset:
		return true, r.seek(0)
	}
	return false, nil
}

func (r *reader) open(first uint64) error {
	f, err := regular.Open(filepath.Join(r.dir, factsName(first)), regular.NoFollow)
	if err != nil {
		return err
	}
	r.leave()
	r.file, r.first, r.over, r.offset = f, first, false, 0
	r.lines = bufio.NewReaderSize(f, 64<<10)
	return nil
}

func (r *reader) leave() {
	if r.file != nil {
		_ = r.file.Close() // it was only read
	}
}
