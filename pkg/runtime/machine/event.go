package machine

import (
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// Instant is a point on the runtime's own monotonic clock: the time since the
// runtime began. Wall time only rides along, for display and for records.
type Instant time.Duration

// Event is something that the tree is told. The set is closed.
type Event interface{ event() }

// Verb is what a Command asks for.
type Verb string

// The verbs.
const (
	Add          Verb = "add"
	Update       Verb = "update"  // a new spec that the running attempt need not notice
	Replace      Verb = "replace" // a new spec that needs a new attempt
	Remove       Verb = "remove"
	Restart      Verb = "restart"
	Pause        Verb = "pause"
	Resume       Verb = "resume"
	Quarantine   Verb = "quarantine"
	SendSignal   Verb = "signal"
	ShutdownTree Verb = "shutdown_tree"
	HurryUp      Verb = "hurry" // a shutdown under way: no more grace
	Leave        Verb = "leave" // the control plane ends, and its children run on
)

// CommandID names one command in the journal and in its reply. Whoever gives it
// keeps it unique, over restarts too.
type CommandID string

// Command is one request through the handle. It is answered by exactly one
// Reply with the same ID.
type Command struct {
	ID     CommandID
	Verb   Verb
	Child  child.ID     // not for ShutdownTree, HurryUp and Leave
	Spec   *child.Spec  // Add, Update, Replace
	Origin child.Origin // Add, Update, Replace
	Cause  child.Cause
	Signal string // SendSignal
}

// Adopted is the whole truth about processes, told once after each (re)connection
// to the shim, before any other event of that connection. Whatever the tree
// believes to run and is not here is gone (child.LostExit).
type Adopted struct {
	Processes []Process
	Exits     []Exited // not yet acknowledged

	// Starting are starts of an earlier connection that are still under way:
	// their answers follow.
	Starting []child.Key

	// NoRealTime says that the shim, of an older version, knows no real-time signals:
	// it would drop them.
	NoRealTime bool
}

// Process is a live attempt.
type Process struct {
	Key       child.Key
	Attempt   child.Attempt
	PID       int
	StartedAt time.Time
	WeakKill  bool // only the process group can be killed: there is no cgroup
	Task      bool // a function inside this program: PID is the program's, and it cannot be killed

	Log child.LogState // what becomes of its output, if its owner told that
}

// Detached says that the shim cannot be reached: until the next Adopted nothing
// is known of any process, and effects would be lost. The tree emits none.
type Detached struct{ Reason string }

// Started answers a Start: the process runs.
type Started struct{ Process }

// StartFailed answers a Start: there is no process. Busy means that an older
// attempt, or something it left behind, is still alive; the start may be
// repeated with the same key.
type StartFailed struct {
	Key    child.Key
	Reason string
	Busy   bool
	At     time.Time

	LogTail child.Output // of the hook that failed
}

// Exited says how a process ended, as the kernel saw it. Lost means that nobody
// could see; then neither Code nor Signal is known.
type Exited struct {
	Key        child.Key
	Attempt    child.Attempt
	PID        int
	Code       *int
	Signal     string
	CoreDumped bool
	OOMKilled  bool
	Lost       bool
	StartedAt  time.Time
	FinishedAt time.Time
	LogTail    child.Output
	Leftovers  []string // processes of its tree that are still alive, for people

	// Of a task, which has neither Code nor Signal: how it ended, and in its own
	// words why.
	Kind   child.ExitKind
	Reason string
	Words  child.Words
}

// Ticked says that time has passed; it is due at Tree.Next.
type Ticked struct{}

func (Command) event()     {}
func (Adopted) event()     {}
func (Detached) event()    {}
func (Started) event()     {}
func (StartFailed) event() {}
func (Exited) event()      {}
func (Ticked) event()      {}
