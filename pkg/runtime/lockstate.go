package runtime

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// holder is what stands in the lock of a state directory. The reconciler takes the
// same lock and writes PID: a process that its command line may signal. Ours must
// not be signalled like a reconciler.
type holder struct {
	PID       int       `json:"pid,omitempty"`
	Program   int       `json:"program_pid,omitempty"`
	StartedAt time.Time `json:"started_at"`
}

// lockState takes a state directory for this process until the file is closed,
// or the process is dead.
func lockState(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		defer f.Close()
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock: %w", err)
		}
		var other holder
		_ = json.NewDecoder(f).Decode(&other) // one that has not written yet is pid 0
		return nil, fmt.Errorf("another program (pid %d, since %s) uses the directory; stop it, or choose a directory for each",
			max(other.PID, other.Program), other.StartedAt.Format(time.RFC3339))
	}
	text, err := json.Marshal(holder{Program: os.Getpid(), StartedAt: time.Now().UTC()})
	if err == nil {
		err = f.Truncate(0)
	}
	if err == nil {
		_, err = f.WriteAt(append(text, '\n'), 0)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock: %w", err)
	}
	return f, nil
}
