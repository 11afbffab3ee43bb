package runtime

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/reconciler-dev/reconciler/internal/dirlock"
)

// holder is what stands in the lock of a state directory. The reconciler takes the
// same lock and writes PID: a process that may be signalled to end it. Ours must not
// be signalled like a reconciler.
type holder struct {
	PID       int       `json:"pid,omitempty"`
	Program   int       `json:"program_pid,omitempty"`
	StartedAt time.Time `json:"started_at"`
}

// lockState takes a state directory for this process until the file is closed,
// or the process is dead.
func lockState(dir string) (*os.File, error) {
	f, err := dirlock.Take(dir, dirlock.Lock, holder{Program: os.Getpid(), StartedAt: time.Now().UTC()})
	var held *dirlock.HeldError
	if !errors.As(err, &held) {
		return f, err
	}
	var other holder
	_ = json.Unmarshal(held.Holder, &other) // one that has not written yet is pid 0
	return nil, fmt.Errorf("another program (pid %d, since %s) uses the directory; stop it, or choose a directory for each",
		max(other.PID, other.Program), other.StartedAt.Format(time.RFC3339))
}
