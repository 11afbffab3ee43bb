package child

import "time"

// Phase is what a child is doing, for people and monitors.
type Phase string

// The phases.
const (
	Pending     Phase = "Pending" // waits for dependencies or a free start slot
	Starting    Phase = "Starting"
	Running     Phase = "Running"
	Stopping    Phase = "Stopping"
	BackingOff  Phase = "Backoff"   // waits for its next start after an exit
	Stopped     Phase = "Stopped"   // paused or suspended
	Completed   Phase = "Completed" // ended well, not to be restarted
	FailedPhase Phase = "Failed"    // ended badly, not to be restarted
	Quarantined Phase = "Quarantined"
)

// Phases lists all of them, in the order of a child's life.
func Phases() []Phase {
	return []Phase{Pending, Starting, Running, Stopping, BackingOff, Stopped, Completed, FailedPhase, Quarantined}
}

// HasProcess reports whether a child in this phase owns, or may own, a process.
func (p Phase) HasProcess() bool { return p == Starting || p == Running || p == Stopping }

// Operation is what the operator wants of a child.
type Operation string

// The operations.
const (
	Active               Operation = "active"
	Paused               Operation = "paused"
	OperationQuarantined Operation = "quarantined"
	Removed              Operation = "removed"
)

// StopState is the progress of a stop.
type StopState string

// The stop states.
const (
	StopIdle        StopState = "idle"              // no stop was asked for
	NoActiveAttempt StopState = "no_active_attempt" // there was nothing to stop
	CancelDelivered StopState = "cancel_delivered"  // the signal was sent
	StopCompleted   StopState = "completed"
	StopFailed      StopState = "failed" // not gone after SIGKILL and abort_wait_secs
)

// ConditionType names a condition of a child.
type ConditionType string

// The conditions of a child.
const (
	ConditionReady             ConditionType = "Ready"
	ConditionHealthy           ConditionType = "Healthy"
	ConditionDependenciesReady ConditionType = "DependenciesReady"
	ConditionManifestValid     ConditionType = "ManifestValid"
	ConditionCrashLooping      ConditionType = "CrashLooping"
	ConditionReloadFailed      ConditionType = "ReloadFailed" // it ended, or was not ready, soon after a reload
	ConditionFilesRead         ConditionType = "FilesRead"    // False while files that it must be told about are not read
	ConditionNotEnforced       ConditionType = "NotEnforced"
	ConditionManifestSeen      ConditionType = "ManifestSeen" // False where the last valid one holds because nobody could look in time
	ConditionTreeKill          ConditionType = "TreeKill"     // False where only the process group can be killed
	ConditionLogWritable       ConditionType = "LogWritable"  // False while its output cannot be written; else it is not there
	ConditionReconciling       ConditionType = "Reconciling"
	ConditionStalled           ConditionType = "Stalled"
)

// ConditionState is one condition of a child: a fact, since when, and why.
type ConditionState struct {
	Type               ConditionType `json:"type"`
	Status             string        `json:"status"` // "True", "False" or "Unknown"
	Reason             string        `json:"reason"` // CamelCase, for programs
	Message            string        `json:"message"`
	LastTransitionTime time.Time     `json:"last_transition_time"`
	ObservedGeneration uint64        `json:"observed_generation"`
}

// Cause says who wants something, and why. Neither may be blank.
type Cause struct {
	RequestedBy string `json:"requested_by"`
	Reason      string `json:"reason"`
}

// Hold says who stopped a child by command, why and when.
type Hold struct {
	Cause
	At time.Time `json:"at"`
}

// RestartLimitUse is how much of its restart limit a child has used.
type RestartLimitUse struct {
	Window    Seconds `json:"window_secs"`
	Limit     int     `json:"limit"`
	Used      int     `json:"used"`
	Remaining int     `json:"remaining"`
	Exhausted bool    `json:"exhausted"`
}

// FailureGroupUse is how much of its restart limit a failure group has used.
type FailureGroupUse struct {
	Tag string `json:"tag"`
	RestartLimitUse
}

// PendingRestart is a restart that waits for the old attempt to end.
type PendingRestart struct {
	OldGeneration    Generation `json:"old_generation"`
	OldAttempt       Attempt    `json:"old_attempt"`
	TargetGeneration Generation `json:"target_generation"`
	Cause            Cause      `json:"cause"`
}

// Failure is something that went wrong and is not an exit.
type Failure struct {
	Phase       string `json:"phase"` // such as "wait_completion", "start"
	Reason      string `json:"reason"`
	Recoverable bool   `json:"recoverable"`
}

// LogState says what becomes of the output of the newest attempt.
type LogState struct {
	Blocked string // why nothing can be written now; empty: it can
	Drops   bool   // what comes meanwhile is dropped; else the child waits once a pipe is full
	Dropped uint64 // bytes of this attempt, as long as its shim lives
}

// HoldsUp reports whether the child has to wait because of its log, or soon will.
func (l LogState) HoldsUp() bool { return l.Blocked != "" && !l.Drops }

// Snapshot is everything that is known of one child at one moment. It is
// immutable once published.
type Snapshot struct {
	ID          ID
	Incarnation uint64
	Spec        *Spec
	Origin      Origin

	// Observed is the generation of the manifest that the runtime has acted on:
	// Origin.Generation once no attempt of an older spec is left.
	Observed uint64

	Phase        Phase
	Operation    Operation
	Hold         *Hold // set while Operation is paused or quarantined by command
	Generation   Generation
	Attempt      Attempt
	RestartCount uint64
	PID          int // 0: no process
	StartedAt    time.Time
	Ready        bool
	ReadyAt      time.Time

	// What the probes of the newest attempt found; zero without one.
	Liveness, Readiness ProbeState
	Said                Said // of itself
	Log                 LogState
	Files               []FileHash // that it must be told about, as it knows them; sorted by path

	// PendingSince is since when a Pending child waits, and Waited how long its
	// newest attempt did before its start.
	PendingSince time.Time
	Waited       Seconds

	// WaitsFor names what a Pending child waits for, for people: "payments/db
	// (ready)", "a free start slot".
	WaitsFor []string

	// QueuePlace is the place in the queue for a start slot when the child came to
	// it; since then it can only have become better. 0: it does not queue.
	QueuePlace int

	// CannotRun says that the child is in trouble: failed, quarantined, crashing in
	// a loop, or not to be started. A critical child then degrades the runtime.
	CannotRun bool

	RestartLimit   RestartLimitUse   // Limit 0: none
	FailureGroups  []FailureGroupUse // a supervisor's
	NextRunAt      time.Time         // of a schedule; zero: none is due
	NextRestartAt  time.Time         // zero: none is planned
	StopState      StopState
	StopDeadline   time.Time // when the next step of a stop is due; zero: none
	PendingRestart *PendingRestart
	Failure        *Failure
	LastExit       *Exit
	Exits          []*Exit // the last ones, oldest first, at most MaxExits
	Conditions     []ConditionState
	UpdatedAt      time.Time
}

// MaxExits is how many exit reports a snapshot keeps.
const MaxExits = 10
