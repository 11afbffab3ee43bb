package runtime

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/reconciler-dev/reconciler/internal/writers"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// A change of a file counts when it is whole, and once: nobody has the file open for
// writing, and it was quiet for a moment, in which a script may write on. What came by
// a rename was whole before. Where the kernel knows no writers (NFS, files of another
// user for who is not root), it must be quiet for longer.

const (
	quietFor        = 500 * time.Millisecond
	quietForUnknown = 2 * time.Second

	// quietMost ends the wait for a file that is never quiet.
	quietMost = 5 * time.Second

	// writersStay is how long a file may be written before that is told.
	writersStay = 5 * time.Second
)

// part is what stat(2) says of one file: what tells two states of it apart. The time of
// the last change of its status is one that no utimes(2) sets (rsync -t, Nix).
type part struct {
	path     string
	dev, ino uint64
	size     int64
	mtime    int64
	ctime    int64
}

// content is what was read of a watched file, or of several.
type content struct {
	parts  []part
	many   bool
	hash   string
	readAt time.Time
}

// settled reports that a change since it was read would show: one in the same tick of
// the clock of its file system does not.
func (c content) settled() bool { return c.readAt.Sub(newest(c.parts)) > 2*lookAtFiles }

// change is one that does not count yet.
type change struct {
	parts   []part
	first   time.Time // it was seen
	since   time.Time // it looks as it does
	written time.Time // it was being written, all the time since; zero: it is not
}

// errWritten says that a file is being written.
var errWritten = errors.New("is being written")

// errMoving says that a file changed while it was read.
var errMoving = errors.New("changes while it is read")

// errQuiet says that it is not known whether a file is being written, and it was not
// quiet for long.
var errQuiet = errors.New("was written just now")

// see is what stands at w now. A file that is not whole has no hash: nothing is known
// of it. For a child that starts it is taken as it is, if nobody writes it.
func (c *files) see(w watched, starts bool) child.FileHash {
	at := child.FileHash{Path: w.path}
	parts, many, err := w.parts()
	var tooMany tooManyError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		at.Hash = child.Absent
		return at
	case errors.As(err, &tooMany):
		at.Trouble = err.Error()
		return at
	case err != nil:
		return at
	}
	old := c.known(w.path)
	same := old.hash != "" && old.many == many && slices.Equal(old.parts, parts)
	if same && old.settled() {
		c.forget(w.path)
		at.Hash = old.hash
		return at
	}
	if !starts && !same && !c.isQuiet(w.path, old, parts) {
		return at
	}
	hash, err := c.read(w, parts, many, func() bool { return starts || same || c.quietFor(w.path, parts) >= quietForUnknown })
	switch {
	case err == nil:
		c.learn(w.path, content{parts: parts, many: many, hash: hash, readAt: c.now()})
		at.Hash = hash
	case same && errors.Is(err, errWritten):
		at.Hash = old.hash // so far
	case errors.Is(err, errWritten):
		at.Trouble = c.writtenFor(w.path, err)
	}
	return at
}

func (c *files) known(path string) content {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.seen[path]
}

func (c *files) learn(path string, now content) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.pending, path)
	c.seen[path] = now
}

// forget is for a change that was taken back.
func (c *files) forget(path string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.pending, path)
}

// parts are the files of w now.
func (w watched) parts() ([]part, bool, error) {
	paths, many := []string{w.path}, false
	if w.names != nil {
		var err error
		if paths, many, err = w.names(); err != nil {
			return nil, many, err
		}
	}
	parts := make([]part, 0, len(paths))
	for _, path := range paths {
		fi, err := w.stat(path)
		if err != nil {
			return nil, many, err
		}
		p, ok := partOf(path, fi)
		if !ok {
			return nil, many, errors.New("not a regular file")
		}
		parts = append(parts, p)
	}
	return parts, many, nil
}

func partOf(path string, fi fs.FileInfo) (part, bool) {
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok || !fi.Mode().IsRegular() {
		return part{}, false
	}
	return part{path: path, dev: uint64(st.Dev), ino: st.Ino, size: fi.Size(), mtime: fi.ModTime().UnixNano(), ctime: changedAt(st)}, true
}

func newest(parts []part) time.Time {
	var last int64
	for _, p := range parts {
		last = max(last, p.ctime)
	}
	return time.Unix(0, last)
}

// isQuiet reports whether a change may count: it is old enough, by the clock of the
// files or since it is seen, or it came by renames alone.
func (c *files) isQuiet(path string, old content, parts []part) bool {
	c.mu.Lock()
	now := c.now()
	p, ok := c.pending[path]
	if !ok {
		p = change{first: now}
	}
	if !ok || !slices.Equal(p.parts, parts) {
		p.parts, p.since = parts, now
		c.pending[path] = p
	}
	c.mu.Unlock()
	if now.Sub(p.first) >= quietMost {
		return true
	}
	switch came(old.parts, parts) {
	case byRename:
		return true
	case lost:
		return c.seenFor(path) >= quietFor // an editor may bring it back
	}
	return c.quietFor(path, parts) >= quietFor
}

// quietFor is how long it looks as it does.
func (c *files) quietFor(path string, parts []part) time.Duration {
	return max(c.seenFor(path), c.now().Sub(newest(parts)))
}

func (c *files) seenFor(path string) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	p, ok := c.pending[path]
	if !ok {
		return 0
	}
	return c.now().Sub(p.since)
}

// writtenFor says that somebody writes a file and does not end.
func (c *files) writtenFor(path string, err error) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	p, ok := c.pending[path]
	if !ok {
		p = change{first: c.now(), since: c.now()}
	}
	if p.written.IsZero() {
		p.written = c.now()
		c.pending[path] = p
	}
	if c.now().Sub(p.written) < writersStay {
		return ""
	}
	return fmt.Sprintf("%v: somebody has had it open for writing for more than %v; it is read when it is closed", err, writersStay)
}

// coming is how a change came about.
type coming int

const (
	inPlace  coming = iota
	byRename        // each file that changed is another one, in the place of one
	lost            // there are fewer
)

func came(old, now []part) coming {
	if len(old) == 0 {
		return inPlace
	}
	how := byRename
	there := make(map[string]part, len(now))
	for _, p := range now {
		there[p.path] = p
	}
	for _, was := range old {
		p, ok := there[was.path]
		if !ok {
			return lost
		}
		delete(there, was.path)
		if p != was && p.dev == was.dev && p.ino == was.ino {
			how = inPlace
		}
	}
	if len(there) > 0 { // a new file: how it came is not known
		how = inPlace
	}
	return how
}

// read is the hash of what stands there, if it is parts and nobody writes it. Where
// that cannot be asked, quiet decides.
func (c *files) read(w watched, parts []part, many bool, quiet func() bool) (string, error) {
	sum := hmac.New(sha256.New, c.key)
	for _, p := range parts {
		to := sum
		if many {
			to = hmac.New(sha256.New, c.key)
		}
		err := readPart(w, p, quiet, func(f *os.File) error { return w.copy(to, f) })
		if err != nil && many {
			err = fmt.Errorf("(%s) %w", filepath.Base(p.path), err)
		}
		if err != nil {
			return "", err
		}
		if many {
			fmt.Fprintf(sum, "%s\x00%x\x00", filepath.Base(p.path), to.Sum(nil))
		}
	}
	hash := "hmac-sha256:" + hex.EncodeToString(sum.Sum(nil))
	if many {
		hash = child.OfMany(hash)
	}
	return hash, nil
}

func readPart(w watched, p part, quiet func() bool, copied func(*os.File) error) error {
	f, err := w.open(p.path)
	if err != nil {
		return err
	}
	defer f.Close()
	switch writers.Of(int(f.Fd())) {
	case writers.Somebody:
		return errWritten
	case writers.Unknown:
		if !quiet() {
			return errQuiet
		}
	}
	if err := copied(f); err != nil {
		return err
	}
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	if now, ok := partOf(p.path, fi); !ok || now != p {
		return errMoving // it was swapped, or written
	}
	return nil
}
