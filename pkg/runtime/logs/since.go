package logs

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"
)

// stampLayout is the time at the beginning of a line, in UTC.
const stampLayout = "2006-01-02T15:04:05.000000000Z"

// coarse is more than the time of a file may lag behind the clock.
const coarse = time.Second

// beginSince moves f.pos to the first output that may be of after t. Lines that begin
// with a time are told apart one by one; of others is known only when their attempt
// began and when their file was written to last, so some may be older than t, which
// Options.Untimed is told.
func (f *follower) beginSince(v view, t time.Time) {
	for _, m := range v.marks {
		if !m.StartedAt.After(t) {
			f.pos = min(max(f.pos, m.At), f.until)
		}
	}
	for _, seg := range v.segments {
		if wasLeftBefore(f.dir, v, seg, t) {
			f.pos = min(max(f.pos, seg.end()), f.until)
		}
	}
	s := stream{dir: f.dir, view: v}
	defer s.close()
	from, timed := s.firstSince(f.pos, f.until, t)
	f.pos = from
	if !timed && f.options.Untimed != nil {
		f.options.Untimed()
	}
}

// wasLeftBefore reports whether nothing was written to a file since t.
func wasLeftBefore(dir string, v view, seg segment, t time.Time) bool {
	var info os.FileInfo
	var err error
	if seg.name == currentName {
		if v.current == nil {
			return false
		}
		info, err = v.current.Stat()
	} else {
		info, err = os.Stat(filepath.Join(dir, seg.name))
	}
	return err == nil && info.ModTime().Add(coarse).Before(t)
}

// firstSince is where the first line between from and end begins whose time is not
// before t. If they have no times it is from, and timed is false.
func (s *stream) firstSince(from, end int64, t time.Time) (pos int64, timed bool) {
	r := bufio.NewReaderSize(io.NewSectionReader(readerAt{s}, from, end-from), blockSize)
	for pos = from; pos < end; {
		line, err := r.ReadSlice('\n')
		at, ok := timeOf(line)
		switch {
		case !ok && pos == from:
			return from, false
		case ok && !at.Before(t):
			return pos, true
		}
		pos += int64(len(line))
		for errors.Is(err, bufio.ErrBufferFull) {
			line, err = r.ReadSlice('\n')
			pos += int64(len(line))
		}
		if err != nil {
			break
		}
	}
	return end, true
}

// timeOf is the time that a line begins with, as the Writer puts it there.
func timeOf(line []byte) (time.Time, bool) {
	text, _, found := bytes.Cut(line[:min(len(line), len(stampLayout)+1)], []byte(" "))
	if !found {
		return time.Time{}, false
	}
	at, err := time.Parse(stampLayout, string(text))
	return at, err == nil
}

// readerAt reads a stream by its positions.
type readerAt struct{ *stream }

func (r readerAt) ReadAt(b []byte, pos int64) (int, error) { return r.readAt(b, pos), nil }
