package machine

import (
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// Effect is something that the shell must do. Doing one twice is harmless. The
// set is closed.
type Effect interface{ effect() }

// Start asks for the attempt Key of a child. It is answered by Started or
// StartFailed, or after a reconnection by Adopted.
//
// Where the key has a role, it asks for Command beside that attempt: as the same
// user, in the same directory, with the same environment and Env.
type Start struct {
	Key     child.Key
	Attempt child.Attempt
	Spec    *child.Spec

	Command []string // only with a role
	Env     []string // NAME=value, over what the spec says; only with a role
}

// Signal asks for a signal to an attempt. Tree means the whole process tree,
// escaped grandchildren included where the host allows it.
type Signal struct {
	Key    child.Key
	Signal string // such as "SIGTERM"
	Tree   bool
}

// Acknowledge says that the exit of Key is recorded: the shim may forget it.
type Acknowledge struct{ Key child.Key }

func (Start) effect()       {}
func (Signal) effect()      {}
func (Acknowledge) effect() {}

// Ready is what a step, or several, left to do. The shell does it in the order
// of the fields: what is durable first, because an effect must not outlive the
// knowledge of it. Facts with a command among them come first of all: no effect of
// a command without its entry.
type Ready struct {
	Records []Record
	Effects []Effect
	Changed []child.ID
	Facts   []Fact
	Replies []Reply
}

// Empty reports whether there is nothing to do.
func (r Ready) Empty() bool {
	return len(r.Records)+len(r.Effects)+len(r.Changed)+len(r.Facts)+len(r.Replies) == 0
}

// Record is the durable image of one child: what Restore needs and nobody else
// knows. The newest record of an ID replaces the older ones. Sync asks for
// durability over a loss of power (an operator's intent); all others need only
// outlive the process.
type Record struct {
	ID          child.ID         `json:"id"`
	Gone        bool             `json:"gone,omitempty"` // the child was removed: forget it, but never its incarnation number
	Incarnation uint64           `json:"incarnation"`
	Spec        *child.Spec      `json:"spec,omitempty"`
	Origin      child.Origin     `json:"origin"`
	Observed    uint64           `json:"observed,omitempty"`
	Operation   child.Operation  `json:"operation"`
	Hold        *child.Hold      `json:"hold,omitempty"`
	Removing    *child.Cause     `json:"removing,omitempty"` // of a removal that waits for its turn
	Phase       child.Phase      `json:"phase"`              // as it was when recorded
	Generation  child.Generation `json:"generation"`
	Attempt     child.Attempt    `json:"attempt"`
	Fence       child.Generation `json:"fence"` // no later attempt has a generation below it
	Restarts    uint64           `json:"restarts,omitempty"`
	PID         int              `json:"pid,omitempty"` // of a running attempt, for display: Adopted tells the truth
	StartedAt   time.Time        `json:"started_at,omitzero"`
	ReadyAt     time.Time        `json:"ready_at,omitzero"` // zero: not ready
	Stopping    *StopRecord      `json:"stopping,omitempty"`
	NextStart   time.Time        `json:"next_start,omitzero"`
	LastDelay   child.Millis     `json:"last_delay_ms,omitempty"`
	Quick       int              `json:"quick_failures,omitempty"` // in a row, for CrashLooping
	RestartedAt []time.Time      `json:"restarted_at,omitempty"`   // within the window of the restart limit
	Group       *GroupRecord     `json:"group,omitempty"`          // of a restart of several children under way
	Again       bool             `json:"again,omitempty"`          // the run ended because this child did: the next one begins without it
	Exits       []*child.Exit    `json:"exits,omitempty"`
	Failure     *child.Failure   `json:"failure,omitempty"`
	StopState   child.StopState  `json:"stop_state,omitempty"`
	Conditions  []Transition     `json:"conditions,omitempty"`
	UpdatedAt   time.Time        `json:"updated_at,omitzero"`
	Correlation string           `json:"correlation_id,omitempty"` // of its facts, until something new begins
	Sync        bool             `json:"-"`

	// Apart says that the words of others stand apart from ours. In records of
	// earlier versions they are one, see apart.go.
	Apart bool `json:"apart,omitempty"`

	PendingRestart *child.PendingRestart `json:"pending_restart,omitempty"`
	Hook           *HookRecord           `json:"hook,omitempty"`
	Files          []child.FileHash      `json:"files,omitempty"` // as the attempt knows them
	ReloadFailed   string                `json:"reload_failed,omitempty"`

	// Of a schedule.
	NextRun     time.Time `json:"next_run,omitzero"`
	BetweenRuns bool      `json:"between_runs,omitempty"`
	QueuedRun   bool      `json:"queued_run,omitempty"`

	// The wait for the newest attempt, and with which attempts of its dependencies
	// it began, for those with restart.
	PendingSince time.Time              `json:"pending_since,omitzero"`
	Waited       child.Seconds          `json:"waited_secs,omitempty"`
	Began        map[child.ID]child.Key `json:"began,omitempty"`

	// What the probes of the newest attempt have found.
	WasReady      bool                   `json:"was_ready,omitempty"` // it was ready once, whatever it is now
	Readiness     *child.ProbeState      `json:"readiness,omitempty"`
	Liveness      *child.ProbeState      `json:"liveness,omitempty"`
	Heartbeat     child.Millis           `json:"heartbeat_ms,omitempty"`   // as the attempt asked for it
	GroupRestarts map[string][]time.Time `json:"group_restarts,omitempty"` // of a supervisor's failure groups, by tag
}

// Transition says since when a condition has been as it is.
type Transition struct {
	Type   child.ConditionType `json:"type"`
	Status string              `json:"status"`
	At     time.Time           `json:"at"`
}

// StopRecord is a stop under way, so that its deadline survives a crash.
type StopRecord struct {
	Why      string    `json:"why"`   // as the machine names it
	Stage    string    `json:"stage"` // as the machine names it
	Deadline time.Time `json:"deadline"`

	Cause  child.Cause `json:"cause"`
	Hooked bool        `json:"hooked,omitempty"` // the pre_stop hooks are under way or done
	Sent   bool        `json:"sent,omitempty"`   // a signal was sent: the end is then no failure of the child

	UnwellKind child.ExitKind `json:"unwell_kind,omitempty"`

	HookFailed string `json:"hook_failed,omitempty"` // how the last pre_stop hook that failed did

	Unwell      string      `json:"unwell,omitempty"`       // unless this says why the attempt failed while it ran
	UnwellWords child.Words `json:"unwell_words,omitempty"` // and these are what its probe said
}

// Fact is one change of state that people may want to read about: the shell logs
// it and writes it to the journal. The core decides nothing by it.
type Fact struct {
	Kind       FactKind
	Child      child.ID
	Generation child.Generation
	Attempt    child.Attempt
	PID        int
	Reason     string
	Words      child.Words // of a child, or of what a probe asked, about it
	Cause      child.Cause
	Delay      time.Duration
	Exit       *child.Exit

	// Correlation names what led to the fact, see correlation.go: facts that
	// follow from one command or from one exit have the same. It is never blank.
	Correlation string

	// What some kinds have.
	Command  *CommandFact           // CommandAccepted, CommandRefused
	From, To string                 // of a change
	Target   child.Generation       // of the attempt that a restart leads to
	Limit    *child.RestartLimitUse // RestartLimitUpdated
}

// FactKind names a fact, in the past tense.
type FactKind string

// The facts.
const (
	ChildAdded          FactKind = "child_added"
	ChildUpdated        FactKind = "child_updated"
	ChildRemoved        FactKind = "child_removed"
	ChildStarting       FactKind = "child_starting"
	ChildRunning        FactKind = "child_running"
	ChildAdopted        FactKind = "child_adopted"
	ChildReady          FactKind = "child_ready"
	ChildStopping       FactKind = "child_stopping"
	ChildKilled         FactKind = "child_killed" // SIGKILL after the grace was over
	ChildStopFailed     FactKind = "child_stop_failed"
	ChildExited         FactKind = "child_exited"
	ChildStartFailed    FactKind = "child_start_failed"
	BackoffScheduled    FactKind = "backoff_scheduled"
	ChildQuarantined    FactKind = "child_quarantined"
	ChildPaused         FactKind = "child_paused"
	ChildResumed        FactKind = "child_resumed"
	ChildPending        FactKind = "child_pending"
	StaleReportIgnored  FactKind = "stale_report_ignored"
	ShutdownRequested   FactKind = "shutdown_requested"
	ShutdownPhaseChange FactKind = "shutdown_phase_changed"
	ShutdownCompleted   FactKind = "shutdown_completed"
	GroupRestartBegan   FactKind = "group_restart_began"
	GroupRestarted      FactKind = "group_restarted" // all are gone, and may start
	SupervisorFailed    FactKind = "supervisor_failed"
	GroupQuarantined    FactKind = "failure_group_quarantined"
	RuntimeDegraded     FactKind = "runtime_degraded"
	RuntimeRecovered    FactKind = "runtime_recovered"
	ShimLost            FactKind = "shim_lost"
	ShimConnected       FactKind = "shim_connected"
)

// Decision says what became of a command.
type Decision string

// The decisions.
const (
	Accepted           Decision = "accepted"
	StartedImmediately Decision = "started_immediately"
	QueuedAfterStop    Decision = "queued_after_stop"
	AlreadyPending     Decision = "already_pending"
	Idempotent         Decision = "idempotent"
	Rejected           Decision = "rejected"
)

// ErrorCode says why a command was rejected.
type ErrorCode string

// The error codes, as the control socket spells them.
const (
	ErrChildNotFound ErrorCode = "child_not_found"
	ErrChildExists   ErrorCode = "child_exists"
	ErrShuttingDown  ErrorCode = "shutting_down"
	ErrInvalid       ErrorCode = "invalid"
	ErrNoProcess     ErrorCode = "no_process"
	ErrStillStopping ErrorCode = "still_stopping" // Add of a child that is being removed
	ErrNotConnected  ErrorCode = "not_connected"
)

// Reply answers one Command. Report is set for ShutdownTree, whose reply comes
// when the tree is down; every other command is answered in the step that took it.
type Reply struct {
	To       CommandID
	Decision Decision
	Code     ErrorCode // set when Rejected
	Message  string    // for people: why it was Rejected, or why there was nothing to do; may be blank
	Before   child.Operation
	After    child.Operation
	Report   *ShutdownReport
}

// ShutdownReport is how a tree went down.
type ShutdownReport struct {
	Cause       child.Cause       `json:"cause"`
	StartedAt   time.Time         `json:"started_at"`
	CompletedAt time.Time         `json:"completed_at"`
	Phase       string            `json:"phase"`    // request_stop, graceful_drain, abort_stragglers, reconcile, completed
	Outcomes    []ShutdownOutcome `json:"outcomes"` // in the order of the shutdown

	// VerifiedClean says that somebody saw the end of every process. Orphans are those
	// that are alive as far as anybody knows; they run on, and the next runtime adopts
	// or stops them.
	VerifiedClean bool           `json:"verified_clean"`
	Orphans       []child.Orphan `json:"orphans,omitempty"`

	Failure *child.Failure `json:"failure,omitempty"`  // why the runtime itself went down; nil: it was told to
	EndedBy child.ID       `json:"ended_by,omitempty"` // the critical child whose end ended the run
	Exit    *child.Exit    `json:"exit,omitempty"`     // of that child
}

// ShutdownOutcome is how one child ended in a shutdown.
type ShutdownOutcome struct {
	ChildID    child.ID         `json:"child_id"`
	Generation child.Generation `json:"generation"`
	Attempt    child.Attempt    `json:"attempt"`
	Status     OutcomeStatus    `json:"status"`
	Phase      string           `json:"phase"`
	Reason     string           `json:"reason,omitempty"`
	Exit       *child.Exit      `json:"exit,omitempty"`
}

// OutcomeStatus names how one child ended in a shutdown.
type OutcomeStatus string

// The outcomes.
const (
	AlreadyExited OutcomeStatus = "already_exited"
	Graceful      OutcomeStatus = "graceful"
	Aborted       OutcomeStatus = "aborted"
	AbortFailed   OutcomeStatus = "abort_failed"
	LateReport    OutcomeStatus = "late_report"
)
