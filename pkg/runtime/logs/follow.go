package logs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/reconciler-dev/reconciler/internal/regular"
)

// PollEvery is how often an idle follower looks. Such a look is three stats.
const PollEvery = 100 * time.Millisecond

// ErrNoPrevious says that the log knows of no attempt before the newest one.
var ErrNoPrevious = errors.New("there is no previous attempt on record")

// Options say which part of a log is wanted. The zero value is all of it.
type Options struct {
	Tail     int  // only the last so many lines; 0: all
	Previous bool // only what the attempt before the newest one printed
	Follow   bool // then go on with what is printed from now on; not with Previous

	// Since, unless it is zero, leaves out what was printed before, as far as that is
	// known. Untimed is called, if set, where the lines have no times of their own.
	Since   time.Time
	Untimed func()

	// Attempt, if set, is whose output is wanted: from where it begins. One that
	// has printed nothing yet begins at the end. Its time does not matter.
	Attempt *Mark

	// Missed is called, if set, with the number of bytes that are on record but
	// were rotated away before they could be read.
	Missed func(bytes int64)

	// Idle is called, if set, with Follow, each time that there is nothing new: at most
	// once each PollEvery. Its error ends the reading.
	Idle func() error
}

// Follow writes the output in dir to w, byte for byte, across rotated files. It
// never holds the writer up: a reader that is slower than the rotation misses
// output and is told so. It returns nil at the end of what there is or, with
// Options.Follow, when ctx ends; fs.ErrNotExist if the directory is missing,
// which with Options.Follow it waits for; else the error of reading or of w.
func Follow(ctx context.Context, dir string, o Options, w io.Writer) error {
	f := follower{dir: dir, options: o, out: w}
	defer f.leave()
	err := f.run(ctx)
	switch {
	case err == nil, ctx.Err() != nil && errors.Is(err, ctx.Err()):
		return nil
	case errors.Is(err, ErrNoPrevious):
		return err
	}
	return fmt.Errorf("read log %s: %w", dir, err)
}

type follower struct {
	dir     string
	options Options
	out     io.Writer
	buf     []byte
	pos     int64 // of the next byte
	until   int64 // where to stop

	file  *os.File // the one that pos is in; nil before the first
	start int64    // its position

	index os.FileInfo // of the index when it was looked at last; nil: there was none
}

func (f *follower) run(ctx context.Context) error {
	follow := f.options.Follow && !f.options.Previous
	if _, err := os.Stat(f.dir); err != nil && !(follow && errors.Is(err, fs.ErrNotExist)) {
		return err
	}
	if err := f.begin(); err != nil {
		return err
	}
	if follow {
		f.until = math.MaxInt64
	}
	for f.pos < f.until {
		more, err := f.advance(ctx)
		if err == nil && more {
			_, err = f.drain(ctx)
		}
		if err != nil || !more && !follow {
			return err
		}
		if !more {
			if err := f.idle(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// begin finds the part that is wanted.
func (f *follower) begin() error {
	v, err := look(f.dir)
	if err != nil {
		return err
	}
	defer v.close()
	f.buf = make([]byte, blockSize)
	f.pos, f.until = v.start(), v.end()
	if f.options.Attempt != nil {
		f.pos = min(max(f.pos, v.beginningOf(*f.options.Attempt)), f.until)
	}
	if f.options.Previous {
		k := len(v.marks)
		if k < 2 {
			return ErrNoPrevious
		}
		f.until = v.marks[k-1].At
		f.pos = v.marks[k-2].At
		f.skipTo(min(max(f.pos, v.start()), f.until))
	}
	if !f.options.Since.IsZero() {
		f.beginSince(v, f.options.Since)
	}
	if f.options.Tail > 0 {
		s := stream{dir: f.dir, view: v}
		defer s.close()
		f.pos = s.lastLines(f.pos, f.until, f.options.Tail)
	}
	return nil
}

// beginningOf is where the output of an attempt begins.
func (v view) beginningOf(m Mark) int64 {
	for _, e := range v.marks {
		if e.names(m) {
			return e.At
		}
	}
	return v.end()
}

// drain writes what the open file holds, and says how much that was.
func (f *follower) drain(ctx context.Context) (n int64, err error) {
	for f.file != nil && f.pos < f.until {
		if err := ctx.Err(); err != nil {
			return n, err
		}
		b := f.buf[:min(int64(len(f.buf)), f.until-f.pos)]
		got, err := f.file.ReadAt(b, f.pos-f.start)
		if _, err := f.out.Write(b[:got]); err != nil {
			return n, err
		}
		f.pos += int64(got)
		n += int64(got)
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// advance goes to the file that holds the next byte, and reports whether there
// may be something to read.
func (f *follower) advance(ctx context.Context) (bool, error) {
	if known, more := f.glance(); known {
		return more, nil
	}
	v, err := look(f.dir)
	if err != nil {
		return false, err
	}
	defer func() { v.close() }()
	seg, ok := v.at(f.pos)
	if !ok {
		return false, nil
	}
	if f.holds(seg) {
		return seg.end() > f.pos, nil
	}
	// It was rotated after its end was read: what came in between is its last.
	if n, err := f.drain(ctx); err != nil || n > 0 {
		return true, err
	}
	next := v.current
	if seg.name == currentName {
		v.current = nil // ours now
	} else if next, err = regular.Open(filepath.Join(f.dir, seg.name), regular.NoFollow); errors.Is(err, fs.ErrNotExist) {
		return true, nil // deleted since the look: look again
	} else if err != nil {
		return false, err
	}
	f.leave()
	f.file, f.start = next, seg.start
	switch {
	case seg.start > f.pos:
		f.skipTo(seg.start)
	case seg.end() < f.pos:
		f.pos = seg.start // somebody deleted the whole log; this is another one
	}
	return true, nil
}

// at is the file with the byte at pos, or the next one that there is; the last
// file if all end before. ok is false if nothing is there.
func (v view) at(pos int64) (s segment, ok bool) {
	for _, s = range v.segments {
		if s.end() > pos {
			return s, true
		}
	}
	return s, len(v.segments) > 0
}

// glance compares the current file and the index with those of the last look:
// two stats. If they are the same files, known, all there can be is more output.
func (f *follower) glance() (known, more bool) {
	index, _ := os.Stat(filepath.Join(f.dir, indexName)) // nil: none
	seen := f.index
	f.index = index
	if f.file == nil || (index == nil) != (seen == nil) {
		return false, false
	}
	if index != nil && (!os.SameFile(index, seen) || index.Size() != seen.Size()) {
		return false, false
	}
	now, err := os.Stat(filepath.Join(f.dir, currentName))
	if err != nil || now.Size() < f.pos-f.start {
		return false, false
	}
	held, err := f.file.Stat()
	return err == nil && os.SameFile(now, held), now.Size() > f.pos-f.start
}

// holds reports whether the open file is the segment's. The name has another
// file if somebody replaced it. The file has a new start if somebody truncated
// it, but what that is only the writer knows, at the next output.
func (f *follower) holds(s segment) bool {
	if f.file == nil || f.start != s.start && s.end() >= f.pos {
		return false
	}
	now, err := os.Stat(filepath.Join(f.dir, s.name))
	if err != nil {
		return false
	}
	held, err := f.file.Stat()
	return err == nil && os.SameFile(now, held)
}

// skipTo goes on at pos and tells how much that leaves out.
func (f *follower) skipTo(pos int64) {
	if pos > f.pos && f.options.Missed != nil {
		f.options.Missed(pos - f.pos)
	}
	f.pos = pos
}

func (f *follower) leave() {
	closeFile(f.file)
	f.file = nil
}

func (f *follower) idle(ctx context.Context) error {
	if f.options.Idle != nil {
		if err := f.options.Idle(); err != nil {
			return err
		}
	}
	return pause(ctx)
}

func pause(ctx context.Context) error {
	t := time.NewTimer(PollEvery)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
