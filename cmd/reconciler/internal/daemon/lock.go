package daemon

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/reconciler-dev/reconciler/internal/dirlock"
	"github.com/reconciler-dev/reconciler/pkg/status"
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
	f, err := dirlock.Take(stateDir, h)
	var held *dirlock.HeldError
	if !errors.As(err, &held) {
		return f, err
	}
	var other Holder
	_ = json.Unmarshal(held.Holder, &other) // one that has not written yet is pid 0
	return nil, &HeldError{StateDir: stateDir, Holder: other}
}

// lockStatus takes the directory of the status files likewise: two reconcilers with a
// state each would tell of their children in the same files. The directory itself is
// locked, so that nothing but status files lies in it; where a file system cannot do
// that, nothing is locked and the file is nil.
func lockStatus(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("status directory: %w", err)
	}
	f, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("status directory: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("another reconciler%s writes its status files to %s; stop it, or give this one a --status of its own", writerOf(dir), dir)
		}
		return nil, nil
	}
	return f, nil
}

// writerOf names the reconciler that the status files are of, if they say.
func writerOf(dir string) string {
	r, err := status.ReadRuntime(dir)
	if err != nil || r == nil {
		return ""
	}
	return fmt.Sprintf(" (pid %d)", r.PID)
}
