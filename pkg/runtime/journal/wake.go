package journal

import (
	"context"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	// lookEvery is how often a follower looks that the kernel notifies: some
	// filesystems forget to.
	lookEvery = time.Second

	// pollEvery is how often one looks that cannot be notified: the directory is
	// not there yet, or the user has no inotify instance left (128 by default).
	pollEvery = 100 * time.Millisecond
)

// waker waits for changes in a directory.
type waker struct {
	dir   string
	watch *fsnotify.Watcher // nil: none could be had
	armed bool
}

func newWaker(dir string) *waker {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		w = nil
	}
	return &waker{dir: filepath.Clean(dir), watch: w}
}

// wait returns when it is time to look again: at once when the watch begins only
// now, because nobody would tell of what came before.
func (w *waker) wait(ctx context.Context) {
	if w.watch == nil {
		w.sleep(ctx, pollEvery, nil, nil)
		return
	}
	if !w.armed {
		w.armed = w.watch.Add(w.dir) == nil
		if w.armed {
			return
		}
		w.sleep(ctx, pollEvery, nil, nil)
		return
	}
	w.sleep(ctx, lookEvery, w.watch.Events, w.watch.Errors)
	w.drain()
}

func (w *waker) sleep(ctx context.Context, most time.Duration, events <-chan fsnotify.Event, errs <-chan error) {
	t := time.NewTimer(most)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	case ev := <-events:
		w.note(ev)
	case <-errs: // too many events at once: it is time to look
	}
}

// drain takes the events that one look will answer.
func (w *waker) drain() {
	for {
		select {
		case ev := <-w.watch.Events:
			w.note(ev)
		case <-w.watch.Errors:
		default:
			return
		}
	}
}

// note forgets the watch when the directory itself is gone.
func (w *waker) note(ev fsnotify.Event) {
	if ev.Name == w.dir && ev.Has(fsnotify.Remove|fsnotify.Rename) {
		_ = w.watch.Remove(w.dir) // it may be gone already
		w.armed = false
	}
}

func (w *waker) close() {
	if w.watch != nil {
		_ = w.watch.Close() // the kernel forgets the watch
	}
}
