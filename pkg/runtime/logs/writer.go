package logs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/reconciler-dev/reconciler/internal/regular"
)

// Writer appends the output of one child to its log. There must be only one for
// a directory at any time, and only one goroutine may use it.
type Writer struct {
	root   string // below it are the folders that are judged, dir the last
	dir    string
	path   string // of the current file
	policy Policy
	now    func() time.Time
	pipe   source
	splice bool // false where the file system or the system has none
	see    func([]byte)

	// What is known of the current file. It need not be open, nor exist.
	file *os.File
	dev  uint64
	ino  uint64 // 0: there is no current file
	base int64  // its position in the stream
	size int64

	// fresh says that there was no directory: it is made for the first byte, and
	// first is marked then. A child that never prints costs no inode, and a
	// thousand that start together are spared two each.
	fresh bool
	first *Mark

	unsaved bool  // base must be recorded: the directory alone does not tell it
	lines   int   // of the index
	last    *Mark // the newest in the index
}

// OpenWriter continues the log in the folder name, a path, of root. If there is none,
// nothing is made before the first byte. What stands there is judged: if somebody else
// could have made a folder on the way, or a file of the log, that is an error.
func OpenWriter(root, name string, p Policy) (*Writer, error) {
	w := newWriter(root, name, p)
	err := judgeFolders(root, w.dir)
	if errors.Is(err, fs.ErrNotExist) {
		w.fresh = true
		return w, nil
	}
	if err == nil {
		err = w.load()
	}
	if err != nil {
		return nil, fmt.Errorf("open log %s: %w", w.dir, err)
	}
	return w, nil
}

// ContinueWriter is OpenWriter for the output of a process that runs already. There is
// a Writer in any case: an error says that the output waits until the log is mended.
func ContinueWriter(root, name string, p Policy) (*Writer, error) {
	w, err := OpenWriter(root, name, p)
	if err != nil {
		w = newWriter(root, name, p)
		w.fresh = true // it is opened again before the next byte
	}
	return w, err
}

func newWriter(root, name string, p Policy) *Writer {
	dir := filepath.Join(root, name)
	return &Writer{
		root: root, dir: dir, path: filepath.Join(dir, currentName), policy: p,
		now: time.Now, pipe: newSource(), splice: canSplice,
	}
}

// make makes the directory of a fresh log.
func (w *Writer) make() error {
	if err := w.load(); err != nil {
		return err
	}
	if w.first != nil {
		if err := w.begin(*w.first); err != nil {
			return err
		}
	}
	w.fresh, w.first = false, nil
	return nil
}

func (w *Writer) load() error {
	if err := makeFolders(w.root, w.dir); err != nil {
		return err
	}
	if err := judgeFiles(w.dir); err != nil {
		return err
	}
	l, err := readLayout(w.dir)
	if err != nil {
		return err
	}
	if !l.index.whole {
		// A writer was stopped within a line; the next line would be glued to it.
		if err := rewriteIndex(w.dir, l.index); err != nil {
			return err
		}
	}
	if err := w.check(); err != nil {
		return err
	}
	l.settle(w.size)
	w.base, w.lines = l.base, l.index.lines
	if n := len(l.index.marks); n > 0 {
		w.last = l.index.marks[n-1].Mark
	}
	return nil
}

// Begin records that the output from here on is that of a new attempt. It is
// called before the attempt is started, when the output of the last one has been
// taken. Repeating it for one attempt is harmless.
func (w *Writer) Begin(m Mark) error {
	if w.last != nil && w.last.names(m) {
		return nil
	}
	if w.fresh {
		w.first = &m
		return nil
	}
	if err := w.begin(m); err != nil {
		return fmt.Errorf("mark attempt %d in log %s: %w", m.Attempt, w.dir, err)
	}
	return nil
}

func (w *Writer) begin(m Mark) error {
	if err := w.check(); err != nil {
		return err
	}
	if err := w.endLine(); err != nil {
		return err
	}
	if err := w.record(entry{At: w.base + w.size, Mark: &m}); err != nil {
		return err
	}
	w.last = &m
	return nil
}

// record adds a line to the index and keeps the index short.
func (w *Writer) record(e entry) error {
	if err := appendIndex(w.dir, e); err != nil {
		return err
	}
	w.lines++
	if w.lines <= maxMarks {
		return nil
	}
	x, err := readIndex(w.dir)
	if err != nil {
		return err
	}
	if err := rewriteIndex(w.dir, x); err != nil {
		return err
	}
	w.lines = keptMarks + 1
	return nil
}

// endLine ends a line that the last attempt left unfinished, so that it and the
// first line of the next one stay two.
func (w *Writer) endLine() error {
	wasOpen := w.file != nil
	midLine, err := w.midLine()
	if err != nil || !midLine {
		return err
	}
	if err := w.open(); err != nil {
		return err
	}
	if err := w.write([]byte{'\n'}); err != nil {
		return err
	}
	if !wasOpen {
		w.closeFile()
	}
	return nil
}

// WriteLine adds a line of ours, as a whole or not at all, after the end of the line
// that is there.
func (w *Writer) WriteLine(text string) error {
	err := w.prepare()
	if err == nil {
		err = w.endLine()
	}
	if err == nil {
		var line []byte
		if w.policy.Timestamps {
			line = stampAt(w.now())
		}
		err = w.write(append(append(line, text...), '\n'))
	}
	if err != nil {
		return fmt.Errorf("write log %s: %w", w.dir, err)
	}
	return nil
}

// SetPolicy applies p from the next byte on.
func (w *Writer) SetPolicy(p Policy) { w.policy = p }

// Close releases the file. The next Writer of the directory continues the log.
func (w *Writer) Close() error {
	if w.file == nil {
		return nil
	}
	err := w.file.Close()
	w.file = nil
	return err
}

// check compares what is believed of the current file with what is there. If a
// stranger deleted, replaced or truncated it, the stream goes on behind what was
// lost. One lstat, about a microsecond.
func (w *Writer) check() error {
	var st unix.Stat_t
	err := ignoringEINTR(func() error { return unix.Lstat(w.path, &st) })
	switch {
	case errors.Is(err, fs.ErrNotExist):
		st = unix.Stat_t{}
	case err != nil:
		return &fs.PathError{Op: "lstat", Path: w.path, Err: err}
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		return notRegular(w.path)
	}
	other := w.dev != uint64(st.Dev) || w.ino != st.Ino
	if other {
		w.closeFile()
	}
	if other && w.ino != 0 || st.Size < w.size {
		w.base += w.size
		w.unsaved = true
	}
	w.dev, w.ino, w.size = uint64(st.Dev), st.Ino, st.Size
	if w.unsaved {
		// It is a label, not output: a full disk must not stop the log for it.
		// It is tried again at the next look.
		w.unsaved = w.record(entry{At: w.base}) != nil
	}
	return nil
}

func notRegular(path string) error {
	return fmt.Errorf("%s is not a regular file; move it away", path)
}

// open opens the current file, which it makes if there is none.
func (w *Writer) open() error {
	if w.file != nil {
		return nil
	}
	// Splicing into a file opened with O_APPEND is refused (EINVAL), so every
	// write says where.
	const flags = os.O_RDWR | os.O_CREATE
	f, err := openOurs(w.path, flags)
	if errors.Is(err, fs.ErrNotExist) { // the whole directory was deleted
		if err = makeFolders(w.root, w.dir); err == nil {
			f, err = openOurs(w.path, flags)
		}
	}
	if err != nil {
		return err
	}
	var st unix.Stat_t
	if err := ignoringEINTR(func() error { return unix.Fstat(int(f.Fd()), &st) }); err != nil {
		closeFile(f)
		return &fs.PathError{Op: "fstat", Path: w.path, Err: err}
	}
	w.file, w.dev, w.ino, w.size = f, uint64(st.Dev), st.Ino, st.Size
	return nil
}

func (w *Writer) closeFile() {
	closeFile(w.file)
	w.file = nil
}

// write appends b as a whole or not at all.
func (w *Writer) write(b []byte) error {
	if _, err := w.file.WriteAt(b, w.size); err != nil {
		_ = w.file.Truncate(w.size) // if that fails too, the rest is repeated
		return err
	}
	w.size += int64(len(b))
	return nil
}

// midLine reports whether the stream ends within a line now.
func (w *Writer) midLine() (bool, error) {
	if w.size > 0 {
		if w.file != nil {
			return endsWithinLine(w.file, w.size)
		}
		return fileEndsWithinLine(w.path, w.size)
	}
	list, err := rotated(w.dir)
	if err != nil || len(list) == 0 {
		return false, err
	}
	s := list[len(list)-1] // it was split there if its last line was too long
	if s.size == 0 {
		return false, nil
	}
	return fileEndsWithinLine(filepath.Join(w.dir, s.name), s.size)
}

func fileEndsWithinLine(path string, size int64) (bool, error) {
	f, err := regular.Open(path, regular.NoFollow)
	if err != nil {
		return false, err
	}
	defer closeFile(f)
	return endsWithinLine(f, size)
}

func endsWithinLine(f *os.File, size int64) (bool, error) {
	var last [1]byte
	if _, err := f.ReadAt(last[:], size-1); err != nil {
		return false, err
	}
	return last[0] != '\n', nil
}

// rotate gives the current file the name of its position and deletes what is
// over the number of files. Killed at any point in between, the directory says
// the same: the stream goes on at the end of the newest rotated file.
func (w *Writer) rotate() error {
	if err := os.Rename(w.path, filepath.Join(w.dir, segmentName(w.base))); err != nil {
		return err
	}
	w.closeFile()
	w.base += w.size
	w.dev, w.ino, w.size = 0, 0, 0
	keep := max(1, w.policy.MaxFiles) - 1
	if keep == 0 { // then no file name will tell the position
		w.unsaved = w.record(entry{At: w.base}) != nil
	}
	list, err := rotated(w.dir)
	if err != nil {
		return err
	}
	for _, s := range list[:max(0, len(list)-keep)] {
		// A file that cannot be deleted must not stop the child; the next
		// rotation tries again.
		_ = os.Remove(filepath.Join(w.dir, s.name))
	}
	return nil
}
