package logs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/reconciler-dev/reconciler/internal/regular"
)

const (
	currentName = "current"
	segmentExt  = ".log" // a child's name has no dot, so no folder of a child can be called so
)

// segment is one file of output: the bytes [start, start+size) of the stream.
type segment struct {
	name  string
	start int64
	size  int64
}

func (s segment) end() int64 { return s.start + s.size }

func segmentName(start int64) string {
	return fmt.Sprintf("%020d%s", start, segmentExt)
}

func parseSegmentName(name string) (start int64, ok bool) {
	digits, ok := strings.CutSuffix(name, segmentExt)
	if !ok || len(digits) != 20 {
		return 0, false
	}
	start, err := strconv.ParseInt(digits, 10, 64)
	return start, err == nil && start >= 0
}

// rotated lists the rotated files of dir, oldest first. A missing directory has none.
func rotated(dir string) ([]segment, error) {
	entries, err := os.ReadDir(dir) // sorted by name, and so by position
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var list []segment
	for _, e := range entries {
		start, ok := parseSegmentName(e.Name())
		if !ok || !e.Type().IsRegular() {
			continue
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // deleted since it was listed
		}
		if err != nil {
			return nil, err
		}
		list = append(list, segment{e.Name(), start, info.Size()})
	}
	return list, nil
}

// layout is what the directory says about the stream, without its current file.
type layout struct {
	rotated []segment
	index   index
	base    int64 // where the current file begins
}

// readLayout looks at dir. The current file begins where the newest rotated one
// ends; a recorded base above that counts instead, because rotated files may
// have been deleted.
func readLayout(dir string) (layout, error) {
	list, err := rotated(dir)
	if err != nil {
		return layout{}, err
	}
	index, err := readIndex(dir)
	if err != nil {
		return layout{}, err
	}
	l := layout{rotated: list, index: index, base: index.base}
	if n := len(list); n > 0 {
		l.base = max(l.base, list[n-1].end())
	}
	return l, nil
}

// settle corrects the base for a current file of size bytes: where an attempt
// began there had been output up to there, so the stream cannot end before it,
// even if a stranger took the file away while no writer lived.
func (l *layout) settle(size int64) {
	if n := len(l.index.marks); n > 0 {
		l.base = max(l.base, l.index.marks[n-1].At-size)
	}
}

// same reports whether no rotation lies between the two looks.
func (l layout) same(o layout) bool {
	return l.base == o.base && slices.Equal(l.rotated, o.rotated)
}

// view is the directory at one moment, for a reader: all files, oldest first,
// and the current one open, because its name may stand for another file soon.
type view struct {
	segments []segment
	marks    []entry
	current  *os.File // nil: there is none
}

// look takes a view of dir. It looks twice and tries again if a rotation came in
// between: a current file of after the rotation must not be taken for the one
// before. A writer that rotates faster than that, 100 times in a row, wins.
func look(dir string) (view, error) {
	before, err := readLayout(dir)
	for range 100 {
		if err != nil {
			return view{}, err
		}
		f, size, err := openCurrent(dir)
		if err != nil {
			return view{}, err
		}
		after, err := readLayout(dir)
		if err == nil && before.same(after) {
			return newView(before, f, size), nil
		}
		closeFile(f)
		if err != nil {
			return view{}, err
		}
		before = after
	}
	return view{}, fmt.Errorf("read log %s: it is rotated faster than it can be read", dir)
}

func newView(l layout, f *os.File, size int64) view {
	v := view{segments: l.rotated, marks: l.index.marks, current: f}
	if f != nil {
		l.settle(size)
		v.segments = append(v.segments, segment{currentName, l.base, size})
	}
	return v
}

// openCurrent opens the current file for reading; no file is no error.
func openCurrent(dir string) (*os.File, int64, error) {
	f, err := regular.Open(filepath.Join(dir, currentName), regular.NoFollow)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err != nil {
		closeFile(f)
		return nil, 0, err
	}
	return f, info.Size(), nil
}

// start and end bound what is still there of the stream.
func (v view) start() int64 {
	if len(v.segments) == 0 {
		return v.end()
	}
	return v.segments[0].start
}

func (v view) end() int64 {
	if n := len(v.segments); n > 0 {
		return v.segments[n-1].end()
	}
	if n := len(v.marks); n > 0 {
		return v.marks[n-1].At
	}
	return 0
}

func (v view) close() { closeFile(v.current) }

// closeFile closes a file that was only read, or whose writes have been checked.
func closeFile(f *os.File) {
	if f != nil {
		_ = f.Close()
	}
}
