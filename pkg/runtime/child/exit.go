package child

import "time"

// ExitKind says how an attempt ended.
type ExitKind string

// The kinds of exit.
const (
	Succeeded    ExitKind = "succeeded"
	FailedExit   ExitKind = "failed"       // an exit code that does not mean success
	Signaled     ExitKind = "signaled"     // a signal that the runtime did not send
	OOMKilled    ExitKind = "oom_killed"   // the kernel was out of memory
	TimedOut     ExitKind = "timed_out"    // a probe or a deadline ended it
	Cancelled    ExitKind = "cancelled"    // a stop that was asked for
	StartFailure ExitKind = "start_failed" // it never ran
	LostExit     ExitKind = "lost"         // it ended while nobody could see
)

// IsFailure reports whether an exit of this kind speaks against the child.
func (k ExitKind) IsFailure() bool { return k != Succeeded && k != Cancelled }

// Exit is the report of how one attempt ended. Code is nil unless the process
// ended by itself and somebody saw it: an exit code is never invented.
type Exit struct {
	Incarnation uint64     `json:"-"`
	Generation  Generation `json:"generation"`
	Attempt     Attempt    `json:"attempt"`
	PID         int        `json:"pid"`
	Kind        ExitKind   `json:"kind"`
	Code        *int       `json:"exit_code"`
	Signal      string     `json:"signal"` // "" or such as "SIGKILL"
	CoreDumped  bool       `json:"core_dumped"`
	OOMKilled   bool       `json:"oom_killed"`
	Reason      string     `json:"reason"`          // for people: "exit code 1"
	Words       Words      `json:"words,omitempty"` // what it, or the probe that ended it, said of that
	StartedAt   time.Time  `json:"started_at"`
	FinishedAt  time.Time  `json:"finished_at"`
	Duration    Seconds    `json:"duration_secs"`
	LogTail     Output     `json:"log_tail"` // last lines of its output, oldest first
	Leftovers   []string   `json:"leftovers,omitempty"`
}

// Orphan is something that outlives a shutdown.
type Orphan struct {
	ID     ID     `json:"child_id"`
	PID    int    `json:"pid"`    // 0: nobody could tell
	Reason string `json:"reason"` // for people
}
