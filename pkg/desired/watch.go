package desired

import (
	"errors"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fsnotify/fsnotify"
)

// notifier is fsnotify's watcher, as we use it: folders only, not recursive.
type notifier interface {
	Add(dir string) error
	Remove(dir string) error
	Close() error
	Channels() (<-chan fsnotify.Event, <-chan error)
}

type fsNotifier struct{ *fsnotify.Watcher }

func (n fsNotifier) Channels() (<-chan fsnotify.Event, <-chan error) {
	return n.Watcher.Events, n.Watcher.Errors
}

func openNotifier() (notifier, error) {
	w, err := fsnotify.NewBufferedWatcher(1024)
	if err != nil {
		return nil, err
	}
	return fsNotifier{w}, nil
}

// interest is one thing that an event in a folder on disk can mean.
type interest struct {
	name   string // the name that it is about; "": any
	folder string // in the tree
	file   string // the name there that is to be looked at; "": the same
	root   bool   // all is to be looked at
}

// watch knows which folders on disk must be watched for the sake of a tree, keeps
// them watched, and turns events into dirt. It is used by one goroutine.
type watch struct {
	disk disk
	open func() (notifier, error)

	notifier notifier // nil: none could be had
	pump     *pump
	armed    map[string]identity // by path; what is watched there
	missed   bool                // something could not be watched; try again with the next look
	blind    map[string]error    // by path, why events of there cannot be relied upon; "": of nowhere
	overflow time.Time           // when events were lost last; zero: that is long ago
}

func newWatch(d disk, open func() (notifier, error)) *watch {
	w := &watch{disk: d, open: open, pump: newPump(), blind: map[string]error{}}
	w.start()
	return w
}

// start opens the notifier; without one it polls.
func (w *watch) start() {
	w.armed = map[string]identity{}
	n, err := w.open()
	if err != nil {
		w.blind[""] = err
		return
	}
	delete(w.blind, "")
	w.notifier = n
	w.pump.start(n)
}

// reopen tries again to get a notifier.
func (w *watch) reopen() {
	if w.notifier == nil {
		w.start()
	}
}

// incomplete reports whether a watch went away with its folder.
func (w *watch) incomplete() bool { return w.missed }

func (w *watch) close() {
	if w.notifier != nil {
		_ = w.notifier.Close() // nothing follows from it: the kernel forgets all watches
		w.pump.wait()
	}
}

// arm makes the watched folders those of seen. It returns what was not watched
// before, which must be looked at once more; nil if there is nothing.
func (w *watch) arm(seen Scan) *dirt {
	if w.notifier == nil {
		return nil
	}
	wanted := map[string][]interest{}
	w.want(wanted, seen.trail, interest{root: true})
	if seen.top != nil {
		w.wantFolder(wanted, seen.top)
	}
	w.pump.interests.Store(&wanted)
	w.missed = false
	var fresh *dirt
	for _, dir := range slices.Sorted(maps.Keys(wanted)) {
		if !w.add(dir) {
			continue
		}
		if fresh == nil {
			fresh = &dirt{}
		}
		for _, i := range wanted[dir] {
			i.mark(fresh, "", false)
		}
	}
	for dir := range w.armed {
		if wanted[dir] == nil {
			_ = w.notifier.Remove(dir) // it may be gone already
			delete(w.armed, dir)
		}
	}
	maps.DeleteFunc(w.blind, func(dir string, _ error) bool { return wanted[dir] == nil })
	return fresh
}

// wantFolder collects what must be watched for f and below.
func (w *watch) wantFolder(wanted map[string][]interest, f *folder) {
	wanted[f.real] = append(wanted[f.real], interest{folder: f.path})
	for _, x := range f.files {
		if x.trail != nil {
			w.want(wanted, x.trail, interest{folder: f.path, file: x.name})
		}
	}
	for _, sub := range f.folders {
		if sub.trail != nil {
			w.want(wanted, sub.trail, interest{folder: f.path, file: sub.name()})
		}
		w.wantFolder(wanted, sub)
	}
}

func (w *watch) want(wanted map[string][]interest, trail []hop, i interest) {
	for _, h := range trail {
		i.name = h.name
		if !slices.Contains(wanted[h.dir], i) {
			wanted[h.dir] = append(wanted[h.dir], i)
		}
	}
}

// add watches dir, if the folder that is there now is not watched yet.
func (w *watch) add(dir string) (added bool) {
	m, err := w.disk.Stat(dir)
	if err != nil {
		delete(w.armed, dir)
		return false
	}
	if was, ok := w.armed[dir]; ok {
		if was.sameObject(m.identity) {
			return false
		}
		_ = w.notifier.Remove(dir) // the kernel may have dropped it with the folder
		delete(w.armed, dir)
	}
	switch err := w.notifier.Add(dir); {
	case err == nil:
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		return false // the next look tells more
	default: // too many watches (fs.inotify.max_user_watches), or a file system without events
		w.blind[dir] = err
		return false
	}
	delete(w.blind, dir)
	if w.disk.Unwatchable(dir) {
		w.blind[dir] = errRemote
	}
	w.armed[dir] = m.identity
	return true
}

var errRemote = errors.New("on a file system that does not tell what others change (NFS, SMB, 9p, FUSE)")

// take turns the events since the last call into dirt.
func (w *watch) take() *dirt {
	touched, lost := w.pump.take()
	d := &dirt{}
	if lost {
		d, w.overflow = everything(), time.Now()
	}
	wanted := *w.pump.interests.Load()
	for path, t := range touched {
		if _, ok := w.armed[path]; ok {
			if t.gone { // the kernel drops a watch with its folder, and fsnotify also when it is renamed
				_ = w.notifier.Remove(path)
				delete(w.armed, path)
				w.missed = true
			}
			for _, i := range wanted[path] {
				i.mark(d, "", false)
			}
		}
		dir, name := filepath.Split(path)
		for _, i := range wanted[filepath.Clean(dir)] {
			i.mark(d, name, t.placed)
		}
	}
	return d
}

// mark makes dirty what an event about name in the folder of i is about; "" is
// the folder itself.
func (i interest) mark(d *dirt, name string, placed bool) {
	switch {
	case i.name != "" && name != "" && i.name != name:
	case i.root:
		d.whole, d.deep = true, true
	case i.file != "":
		d.touch(i.folder, i.file, false)
	case name == "":
		d.at(i.folder).whole = true
	case !isHidden(name):
		d.touch(i.folder, name, placed)
	}
}

// about reports whether an event about name concerns i.
func (i interest) about(name string) bool {
	if i.name != "" {
		return i.name == name
	}
	return !isHidden(name)
}

// touch is what events said about one path.
type touch struct {
	placed bool // it was renamed to this
	gone   bool // it was removed or renamed away
}

// maxTouched bounds what is remembered between two looks.
const maxTouched = 20_000

// pump takes events as they come, so that fsnotify never waits for a look: it
// holds a lock meanwhile that Add needs.
type pump struct {
	interests atomic.Pointer[map[string][]interest]
	wake      chan struct{} // one slot

	mu      sync.Mutex
	touched map[string]touch
	lost    bool // events were lost: anything may have changed

	running sync.WaitGroup
}

func newPump() *pump {
	p := &pump{wake: make(chan struct{}, 1), touched: map[string]touch{}}
	p.interests.Store(&map[string][]interest{})
	return p
}

// start reads until the notifier is closed.
func (p *pump) start(n notifier) {
	events, errs := n.Channels()
	p.running.Go(func() {
		for {
			select {
			case e, ok := <-events:
				if !ok {
					return
				}
				p.event(e)
			case _, ok := <-errs:
				if !ok {
					return
				}
				p.lose() // an overflow, most often
			}
		}
	})
}

func (p *pump) wait() { p.running.Wait() }

func (p *pump) event(e fsnotify.Event) {
	wanted := *p.interests.Load()
	dir, name := filepath.Split(e.Name)
	concerns := wanted[e.Name] != nil || slices.ContainsFunc(wanted[filepath.Clean(dir)], func(i interest) bool { return i.about(name) })
	if !concerns {
		return
	}
	p.mu.Lock()
	t := p.touched[e.Name]
	t.placed = e.Has(fsnotify.Create) && wasRenamed(e) || t.placed && !e.Has(fsnotify.Write)
	t.gone = t.gone || e.Has(fsnotify.Remove) || e.Has(fsnotify.Rename)
	p.touched[e.Name] = t
	p.lost = p.lost || len(p.touched) > maxTouched
	if p.lost {
		clear(p.touched)
	}
	p.mu.Unlock()
	fill(p.wake)
}

func (p *pump) lose() {
	p.mu.Lock()
	p.lost = true
	p.mu.Unlock()
	fill(p.wake)
}

func (p *pump) take() (touched map[string]touch, lost bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	touched, lost = p.touched, p.lost
	p.touched, p.lost = map[string]touch{}, false
	return touched, lost
}

// wasRenamed reports whether the file of a Create event came from another watched
// name. fsnotify keeps that to itself, but for the text of the event: it ends in
// the event's name unless it says where the file came from.
func wasRenamed(e fsnotify.Event) bool {
	return !strings.HasSuffix(e.String(), strconv.Quote(e.Name))
}
