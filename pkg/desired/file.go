package desired

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/reconciler-dev/reconciler/internal/trust"
)

// sighting is a file as a look meets it.
type sighting struct {
	dir    handle // where it stands, behind all links
	name   string // its name there
	real   string // the path of both, once it is needed
	meta   meta
	prev   *file        // what the look before knew of it
	lost   error        // why it leads nowhere
	bad    *trust.Error // who on the way to it is not to be trusted
	placed bool         // an event says that it was renamed into place
}

// file looks at one file; nil if it is gone meanwhile.
func (r *reader) file(v *opened, name string) *file {
	x := &file{name: name, path: joinPath(v.path, name), since: r.now}
	s := sighting{dir: v.dir, name: name, prev: v.prev.file(name), placed: v.dirt.placed(name)}
	if s.meta, s.lost = v.dir.Lstat(name); errors.Is(s.lost, fs.ErrNotExist) {
		return nil
	}
	if s.meta.mode&fs.ModeSymlink != 0 {
		at, err := r.follow(v.dir, v.real, name)
		defer at.close()
		x.trail, s.lost = at.trail, err
		if err == nil {
			x.real, s.dir, s.name, s.real, s.meta, s.bad = at.real, at.dir, at.name, at.real, at.meta, at.bad
		}
	}
	if s.bad != nil {
		x.bad = s.bad.Error()
	}
	x.ident = s.meta.identity
	if s.prev != nil && s.prev.ident == x.ident {
		x.since = s.prev.since
		if s.prev.real == x.real && s.prev.bad == x.bad && s.prev.waiting.IsZero() && !due(s.prev.again, r.now) {
			return s.prev
		}
	}
	s.placed = s.placed || r.swapped || s.prev != nil && s.prev.real != x.real
	r.moved = r.moved || x.trail != nil && (s.prev == nil || !slices.Equal(s.prev.trail, x.trail))
	if s.real == "" {
		s.real = filepath.Join(v.real, name)
	}
	r.take(x, &s)
	return x
}

// take decides whether what x is now counts, and reads it if so.
func (r *reader) take(x *file, s *sighting) {
	x.waiting = r.now
	if s.prev != nil {
		x.content, x.inPlace, x.closed, x.open = s.prev.content, s.prev.inPlace, s.prev.closed, s.prev.open
		if !s.prev.waiting.IsZero() {
			x.waiting = s.prev.waiting
		}
	}
	ok, whole, again := settled(x, s.prev, s.placed, r.now, r.timing)
	if !ok {
		x.again = again
		return
	}
	now := r.load(x, s)
	if now == nil { // it is being written at this moment
		x.again = r.now.Add(r.askAgain(x))
		return
	}
	if x.content == nil || !now.same(x.content) {
		r.complete(x, whole)
		x.content, r.changed = now, true
	}
	r.changed = r.changed || !x.open.IsZero()
	x.waiting, x.open, x.again = never, never, young(x.ident, r.now, r.timing)
}

// same reports whether two contents declare the same.
func (c *content) same(o *content) bool {
	return c == o || c.sum == o.sum && slices.Equal(c.problems, o.problems)
}

// load reads and decodes a file; nil says that it is being written just now.
func (r *reader) load(x *file, s *sighting) *content {
	if c := r.fileFault(x, s); c != nil {
		return c
	}
	data, got, err := s.dir.Read(s.name, maxFile, func(m meta, readOnly func() bool) error {
		return r.judge(m, s.real, true, readOnly)
	})
	var bad *trust.Error
	switch {
	case errors.As(err, &bad):
		return &content{problems: []Problem{*distrusted(x.path, bad)}}
	case errors.Is(err, errChanging) && r.timing.Written > 0:
		return nil
	case err == nil && got.written && r.timing.Written > 0:
		r.beingWritten(x)
		return nil
	case err != nil:
		return faulty(x.path, "the file cannot be read: "+cause(err), "make it readable for the user that runs the reconciler")
	case !got.mode.IsRegular():
		return faulty(x.path, notRegular(got.mode), "only regular files are read")
	case int64(len(data)) > maxFile:
		return tooLarge(x.path)
	}
	x.ident = got.identity
	sum := sha256.Sum256(data)
	if x.content != nil && x.content.sum == sum {
		return x.content
	}
	c := &content{sum: sum}
	c.manifests, c.problems = Decode(x.path, data)
	return c
}

// fileFault says why a file must not be opened; nil if it may. A device is never
// opened: that alone can rewind a tape or start a watchdog.
func (r *reader) fileFault(x *file, s *sighting) *content {
	switch {
	case errors.Is(s.lost, fs.ErrNotExist):
		return faulty(x.path, "the link leads nowhere", "mend or remove it")
	case s.lost != nil:
		return faulty(x.path, "the file cannot be reached: "+cause(s.lost), "")
	case !s.meta.mode.IsRegular():
		return faulty(x.path, notRegular(s.meta.mode), "only regular files are read")
	case s.meta.size > maxFile:
		return tooLarge(x.path)
	case s.bad != nil:
		return &content{problems: []Problem{*distrusted(x.path, s.bad)}}
	}
	return nil
}

func faulty(path, reason, hint string) *content {
	return &content{problems: []Problem{{File: path, Reason: reason, Hint: hint}}}
}

func tooLarge(path string) *content {
	return faulty(path, "the file is larger than 1 MiB", "split it: any number of files is read")
}

// notRegular names the kind of a file that is none.
func notRegular(mode fs.FileMode) string {
	kind := "not a regular file"
	switch {
	case mode.IsDir():
		kind = "a folder"
	case mode&fs.ModeNamedPipe != 0:
		kind = "a FIFO"
	case mode&fs.ModeSocket != 0:
		kind = "a socket"
	case mode&fs.ModeDevice != 0:
		kind = "a device"
	}
	return fmt.Sprintf("this is %s, not a file", kind)
}
