package daemon

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/reconciler-dev/reconciler/internal/dirlock"
	"github.com/reconciler-dev/reconciler/internal/trust"
)

// Holder is who holds the lock of a state directory.
type Holder struct {
	PID       int       `json:"pid"`
	StartedAt time.Time `json:"started_at"`
	Manifests string    `json:"manifests"`
	Status    string    `json:"status"`
}

// HeldError says that another reconciler uses the state directory.
type HeldError struct {
	StateDir string
	Holder   Holder
}

// Error names the other one and the way out.
func (e *HeldError) Error() string {
	return fmt.Sprintf("another reconciler (pid %d, since %s, manifests %s) uses the state directory %s; stop it, or give this one a --state of its own",
		e.Holder.PID, e.Holder.StartedAt.Format(time.RFC3339), e.Holder.Manifests, e.StateDir)
}

// lock takes the state directory for this process until the file is closed, or the
// process is dead.
func lock(stateDir string, h Holder) (*os.File, error) {
	f, err := dirlock.Take(stateDir, dirlock.Lock, h)
	var held *dirlock.HeldError
	if !errors.As(err, &held) {
		return f, err
	}
	var other Holder
	_ = json.Unmarshal(held.Holder, &other) // one that has not written yet is pid 0
	return nil, &HeldError{StateDir: stateDir, Holder: other}
}

// lockStatus takes the directory of the status files likewise: two reconcilers with a
// state each would tell of their children in the same files. Its lock is a hidden file
// that only the own user may open. Where the file system is read-only, or full, or has
// no locks, nothing is locked and the file is nil.
func lockStatus(dir string, h Holder) (*os.File, error) {
	f, err := dirlock.Take(dir, dirlock.Hidden, h)
	var held *dirlock.HeldError
	switch {
	case errors.As(err, &held):
		var other Holder
		_ = json.Unmarshal(held.Holder, &other) // one that has not written yet is pid 0
		return nil, fmt.Errorf("another reconciler (pid %d) writes its status files to %s; stop it, or give this one a --status of its own", other.PID, dir)
	case isAny(err, unix.EROFS, unix.ENOSPC, unix.EDQUOT, unix.ENOLCK, unix.EOPNOTSUPP, unix.ENOSYS):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("lock of the status directory: %w%s, or choose another --status", err, wayOut(err, dir))
	}
	return f, nil
}

// statusLock is the lock of the status directory that stands now. When somebody
// removes the directory, its lock goes with it: another reconciler could write there.
type statusLock struct {
	dir  string
	me   Holder
	way  trust.Policy // of what leads to it
	file *os.File     // nil: nothing is locked, see lockStatus
}

func (l *statusLock) take() error {
	f, err := lockStatus(l.dir, l.me)
	if err != nil {
		return err
	}
	l.release()
	l.file = f
	return nil
}

// retake makes the directory anew and judges it, as at the start, and takes it. The old
// lock is held until there is a new one. Only the writer of the status files calls it.
func (l *statusLock) retake() error {
	if err := makeStatus(l.dir, l.way); err != nil {
		return err
	}
	if l.stands() {
		return nil // taken before, and what came after that went wrong
	}
	return l.take()
}

// owned reports whether nothing has happened to the lock. Where none could be taken
// there is none to lose.
func (l *statusLock) owned() bool { return l.file == nil || l.stands() }

// stands reports whether the file that we have locked is the one in the directory.
func (l *statusLock) stands() bool {
	if l.file == nil {
		return false
	}
	ours, err := l.file.Stat()
	if err != nil {
		return false
	}
	there, err := os.Lstat(filepath.Join(l.dir, dirlock.Hidden))
	return err == nil && os.SameFile(ours, there)
}

func (l *statusLock) release() {
	if l.file != nil {
		l.file.Close()
	}
}

func isAny(err error, of ...error) bool {
	return slices.ContainsFunc(of, func(e error) bool { return errors.Is(err, e) })
}
