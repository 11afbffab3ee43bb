package daemon

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/go-logr/logr"

	"github.com/reconciler-dev/reconciler/internal/dirlock"
	"github.com/reconciler-dev/reconciler/internal/trust"
)

// homeLook is how often the state directory is looked at.
const homeLook = time.Second

// stateLock is the lock of the state directory that stands now. When somebody deletes
// the directory, or moves it away, its lock goes with it: another reconciler could take
// the one that is made in its place. So it is made and taken again within a second.
type stateLock struct {
	dir  string
	me   Holder
	way  trust.Policy // of what leads to it
	file *os.File
	away []*os.File // locks of directories that were moved: they stay taken

	mu   sync.Mutex
	lost string // what people must know; "": it was always there
}

// run looks until ctx ends. told is called after something has changed.
func (l *stateLock) run(ctx context.Context, log logr.Logger, told func()) {
	tick := time.NewTicker(homeLook)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if before := l.Lost(); l.look(time.Now()) && l.Lost() != before {
			log.Info(l.Lost())
			told()
		}
	}
}

// look reports whether the directory was gone.
func (l *stateLock) look(now time.Time) bool {
	if l.stands() {
		return false
	}
	err := makeState(l.dir, l.way)
	var again *os.File
	if err == nil {
		again, err = lock(l.dir, l.me)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.lost = fmt.Sprintf("the state directory %s was deleted or moved away while children run, and cannot be made again: %v", l.dir, err)
		return true
	}
	if isLinked(l.file) {
		l.away = append(l.away, l.file)
	} else {
		l.file.Close()
	}
	l.file = again
	l.lost = fmt.Sprintf("the state directory %s was deleted or moved away at %s; it is made again, children run on, and what the journal and the logs held until then is gone with it",
		l.dir, now.UTC().Format(time.RFC3339))
	return true
}

// Lost is what is to be said of the directory.
func (l *stateLock) Lost() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lost
}

func (l *stateLock) stands() bool {
	ours, err := l.file.Stat()
	if err != nil {
		return false
	}
	there, err := os.Lstat(filepath.Join(l.dir, dirlock.Lock))
	return err == nil && os.SameFile(ours, there)
}

func (l *stateLock) release() {
	for _, f := range append(l.away, l.file) {
		f.Close()
	}
}

// isLinked reports whether a file still has a name.
func isLinked(f *os.File) bool {
	info, err := f.Stat()
	if err != nil {
		return false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && st.Nlink > 0
}

// keepHome is the part that looks after the state directory.
func (d *daemon) keepHome() part {
	return part{name: "state", run: func(ctx context.Context) error {
		d.state.run(ctx, d.log.WithName("state"), d.writer.Kick)
		return nil
	}}
}
