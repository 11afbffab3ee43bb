package desired

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/reconciler-dev/reconciler/internal/trust"
)

// hop is a name in a folder whose change may lead a path elsewhere.
type hop struct{ dir, name string }

// maxLinks is how many symbolic links a path may hold, as in the kernel
// (path_resolution(7)).
const maxLinks = 40

var errLinkLoop = errors.New("too many levels of symbolic links")

// spot is where a path led: to a folder, or to what is called name in one. The folder
// is open.
type spot struct {
	dir   handle
	name  string // "": the folder itself
	meta  meta
	real  string       // its path without links
	trail []hop        // what to watch
	bad   *trust.Error // the first on the way who is not to be trusted; nil: none
}

func (s spot) close() {
	if s.dir != nil {
		s.dir.Close()
	}
}

// folder is the folder to which the path led, which s closes.
func (s spot) folder() (handle, error) {
	if s.name != "" {
		return nil, unix.ENOTDIR
	}
	return borrowed{s.dir}, nil
}

// follow resolves path, which begins in the open folder from, whose path dir holds no
// links. It tells what to watch: each link on the way, and the last name in the folder
// where it really stands. If something on the way is missing, the trail ends there and
// err wraps fs.ErrNotExist. The caller closes what it gets.
//
// This is how a ConfigMap's "..data" link and git-sync's link of the root are
// noticed: no event ever names the files behind them.
//
// Each folder is opened in the one before it, and judged where it is open, so that
// what is reached is what was judged.
func (r *reader) follow(from handle, dir, path string) (spot, error) {
	w := &walker{reader: r, spot: spot{dir: borrowed{from}, meta: meta{mode: fs.ModeDir}, real: dir}}
	rest := strings.Split(path, "/")
	for len(rest) > 0 {
		var err error
		if rest, err = w.step(rest[0], rest[1:]); err != nil {
			w.close()
			return spot{trail: w.trail}, err
		}
	}
	w.trail = append(w.trail, hop{filepath.Dir(w.real), filepath.Base(w.real)})
	return w.spot, nil
}

// find resolves an absolute path.
func (r *reader) find(path string) (spot, error) {
	top, err := r.disk.Top()
	if err != nil {
		return spot{}, err
	}
	w := &walker{reader: r}
	if err := w.enter(top, "/"); err != nil {
		return spot{}, err
	}
	s, err := r.follow(top, "/", path)
	if s.bad == nil {
		s.bad = w.bad
	}
	if b, ok := s.dir.(borrowed); ok { // it led nowhere else
		s.dir = b.handle
		return s, err
	}
	top.Close()
	return s, err
}

// borrowed is a handle that another one closes.
type borrowed struct{ handle }

func (borrowed) Close() {}

// walker is a path that is being followed.
type walker struct {
	*reader
	spot
	links int
}

// step goes through one name, and returns the names that are left.
func (w *walker) step(name string, rest []string) ([]string, error) {
	switch name {
	case "", ".":
		return rest, nil
	case "..":
		if w.real == "/" {
			return rest, nil
		}
		return rest, w.open(name, filepath.Dir(w.real))
	}
	if w.name != "" {
		return nil, unix.ENOTDIR
	}
	here := filepath.Join(w.real, name)
	m, err := w.dir.Lstat(name)
	switch {
	case err != nil:
		w.trail = append(w.trail, hop{w.real, name})
		return nil, err
	case m.mode&fs.ModeSymlink != 0:
		w.trail = append(w.trail, hop{w.real, name})
		return w.link(name, here, m, rest)
	case m.mode.IsDir():
		return rest, w.open(name, here)
	}
	w.name, w.meta, w.real = name, m, here
	return rest, nil
}

func (w *walker) open(name, real string) error {
	if w.name != "" {
		return unix.ENOTDIR
	}
	next, err := w.dir.Folder(name)
	if err != nil {
		return err
	}
	return w.enter(next, real)
}

// enter makes a folder that is open the place where the walk stands.
func (w *walker) enter(next handle, real string) error {
	m, err := next.Stat()
	if err != nil {
		next.Close()
		return err
	}
	w.blame(w.judge(m, real, false, next.ReadOnly))
	w.close()
	w.dir, w.meta, w.real = next, m, real
	return nil
}

// link puts what a link says before the names that are left. In a folder where
// anybody may put another link in its place, such as /tmp, it must be the one that
// was judged.
func (w *walker) link(name, here string, m meta, rest []string) ([]string, error) {
	if w.links++; w.links > maxLinks {
		return nil, errLinkLoop
	}
	w.blame(w.judge(m, here, false, nil))
	target, err := w.dir.Readlink(name)
	if err != nil {
		return nil, err
	}
	if again, err := w.dir.Lstat(name); err != nil || again.identity != m.identity {
		return append([]string{name}, rest...), nil // it was swapped at this moment
	}
	if filepath.IsAbs(target) {
		top, err := w.disk.Top()
		if err == nil {
			err = w.enter(top, "/")
		}
		if err != nil {
			return nil, err
		}
	}
	return append(strings.Split(target, "/"), rest...), nil
}

// blame keeps the first who is not to be trusted.
func (w *walker) blame(err error) {
	if w.bad == nil {
		errors.As(err, &w.bad)
	}
}
