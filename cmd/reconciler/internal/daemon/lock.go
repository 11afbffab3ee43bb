package daemon

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/reconciler-dev/reconciler/internal/dirlock"
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
		return nil, fmt.Errorf("lock of the status directory: %w", err)
	}
	return f, nil
}

func isAny(err error, of ...error) bool {
	return slices.ContainsFunc(of, func(e error) bool { return errors.Is(err, e) })
}
