// Package dirlock gives a directory to one process at a time, by flock(2) on a file in
// it. The kernel releases the lock when the process dies, however it dies. The file
// says who holds it, for people and for other programs.
//
// Whoever may open a file, if only to read it, may lock it (flock(2)). So it is a file
// of mode 0600 that is locked, and never the directory itself.
package dirlock

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/reconciler-dev/reconciler/internal/private"
)

const maxHolder = 4096 // bytes that a holder may say of itself

// HeldError says that another process holds the lock. Holder is what it wrote about
// itself; it is empty when it has not written yet.
type HeldError struct {
	Dir    string
	Holder []byte
}

// Error names the directory.
func (e *HeldError) Error() string { return e.Dir + " is locked by another process" }

// The names of the locks.
const (
	Lock   = "lock"  // of a directory of ours
	Hidden = ".lock" // of one that others read
)

// Take locks dir, which must exist, by the file called name for this process until the
// file is closed, and writes holder into it as JSON. It does not wait: a lock that
// somebody else has is a *HeldError. The file is close-on-exec, so that no child keeps
// the lock; a link, or a file of another user, is refused.
func Take(dir, name string, holder any) (*os.File, error) {
	text, err := json.Marshal(holder)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	f, err := private.Open(filepath.Join(dir, name), os.O_RDWR|os.O_CREATE)
	if err != nil {
		return nil, err
	}
	if err := take(f, text); err != nil {
		defer f.Close()
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
		}
		other, _ := io.ReadAll(io.LimitReader(f, maxHolder)) // unreadable is unknown
		return nil, &HeldError{Dir: dir, Holder: other}
	}
	return f, nil
}

func take(f *os.File, text []byte) error {
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return err
	}
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt(append(text, '\n'), 0)
	return err
}
