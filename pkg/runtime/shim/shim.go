package shim

import (
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/logs"
)

// KeyVariable is the environment variable that marks every process of an
// attempt: its child.Key, as Key.String writes it, "@" and a tag of the state
// directory, such as "payments/worker#7.3@1f0c99e2".
const KeyVariable = "RECONCILER_KEY"

// TokenVariable is the environment variable that proves the mark: anybody can write
// KeyVariable into an environment, and only who may read the table or a process of
// the attempt knows what stands here.
const TokenVariable = "RECONCILER_TOKEN"

// Launch is everything that is needed to start one attempt, with nothing left to
// look up.
type Launch struct {
	Key        child.Key     `json:"key"`
	Attempt    child.Attempt `json:"attempt"`
	SpecHash   string        `json:"spec_hash"`
	Path       string        `json:"path"` // of the executable
	Args       []string      `json:"args"` // with the name it is called by, Args[0]
	Dir        string        `json:"dir"`
	Env        []string      `json:"env"`                  // all of it; KeyVariable is added
	Credential *Credential   `json:"credential,omitempty"` // nil: the shim's own
	Log        logs.Policy   `json:"log"`
	Notify     bool          `json:"notify,omitempty"` // NOTIFY_SOCKET is added: it may say how it is
}

// Credential is whom a child runs as. Groups are all of its supplementary groups.
type Credential struct {
	UID    uint32   `json:"uid"`
	GID    uint32   `json:"gid"`
	Groups []uint32 `json:"groups,omitempty"`
}

// Process is a live attempt, or one whose main process ended while others of its
// tree still live.
type Process struct {
	Key       child.Key     `json:"key"`
	Attempt   child.Attempt `json:"attempt"`
	PID       int           `json:"pid"`
	StartedAt time.Time     `json:"started_at"`
	SpecHash  string        `json:"spec_hash,omitempty"`
	WeakKill  bool          `json:"weak_kill,omitempty"` // no cgroup: processes that hide their origin can escape
	Said      *Notice       `json:"said,omitempty"`      // all that it said of itself so far; only in Listed
	Output    *Output       `json:"output,omitempty"`    // what becomes of its output, without the key; only in Listed; nil: it is written
}

// Report says how an attempt ended. Lost means that nobody could see: Code is nil
// and Signal is empty.
type Report struct {
	Key        child.Key     `json:"key"`
	Attempt    child.Attempt `json:"attempt"`
	PID        int           `json:"pid"`
	Code       *int          `json:"code,omitempty"`   // nil unless the process ended by itself
	Signal     string        `json:"signal,omitempty"` // such as "SIGKILL"
	CoreDumped bool          `json:"core_dumped,omitempty"`
	OOMKilled  bool          `json:"oom_killed,omitempty"`
	Lost       bool          `json:"lost,omitempty"`
	StartedAt  time.Time     `json:"started_at"`
	FinishedAt time.Time     `json:"finished_at"` // of the main process; when it was noticed, if Lost

	// Tail are the last lines of output, of what ran beside a main process.
	Tail []string `json:"tail,omitempty"`

	// Leftovers are processes of the tree that survived SIGKILL for two seconds,
	// as "pid 123 (name)". While they live the ID cannot be started.
	Leftovers []string `json:"leftovers,omitempty"`
}

// Info is about the shim itself.
type Info struct {
	PID       int       `json:"pid"`
	Version   string    `json:"version"`
	StartedAt time.Time `json:"started_at"`

	Protocol     int          `json:"protocol,omitempty"` // of this connection
	Capabilities []Capability `json:"capabilities,omitempty"`
}

// Event is what a Client tells. The set is closed.
type Event interface{ event() }

// Listed is the first event of each connection: all that lives, and all exits
// that were not acknowledged.
type Listed struct {
	Shim    Info
	Running []Process
	Exits   []Report
}

// Started answers Client.Start: the process runs, its executable was found.
type Started struct{ Process }

// StartFailed answers Client.Start: there is no process. Busy means that an older
// attempt, or something it left behind, is still alive; then the same key may be
// tried again.
type StartFailed struct {
	Key    child.Key `json:"key"`
	Reason string    `json:"reason"`
	Busy   bool      `json:"busy,omitempty"`
	At     time.Time `json:"at"`
}

// Exited says that an attempt ended. It is told again after each reconnection,
// in Listed, until Client.Ack.
type Exited struct{ Report }

// Down says that there is no connection: what was asked and not answered may or
// may not have been done. The next event is Listed, or Down with another cause.
type Down struct{ Err error }

func (Listed) event()      {}
func (Started) event()     {}
func (StartFailed) event() {}
func (Exited) event()      {}
func (Down) event()        {}
