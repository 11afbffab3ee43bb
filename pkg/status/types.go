package status

import (
	"time"

	"github.com/reconciler-dev/reconciler/pkg/desired"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// SchemaVersion is the version of the files that this package writes. Fields may
// be added to it; none is removed or changes its meaning.
const SchemaVersion = "v1"

// Child is the file of one child. Times are in UTC; one that has no value is null.
type Child struct {
	SchemaVersion string           `json:"schema_version"`
	Captured      Captured         `json:"captured"` // whether the output of the child, its hooks and probes is in here
	ID            child.ID         `json:"child_id"`
	Name          string           `json:"name"`
	Path          string           `json:"path"`
	Kind          child.Kind       `json:"kind"`
	Criticality   string           `json:"criticality,omitempty"`
	Tags          []string         `json:"tags,omitempty"`
	Strategy      child.Strategy   `json:"strategy,omitempty"` // of a supervisor
	Manifest      Manifest         `json:"manifest"`
	Phase         child.Phase      `json:"phase"`
	WaitsFor      []string         `json:"waits_for,omitempty"`   // what a Pending child waits for
	QueuePlace    int              `json:"queue_place,omitempty"` // in the queue for a start slot, when it came there
	Dependencies  []Dependency     `json:"dependencies,omitempty"`
	PendingSince  *time.Time       `json:"pending_since,omitempty"`
	Waited        child.Seconds    `json:"waited_secs,omitempty"` // how long the newest attempt waited for its start
	Operation     child.Operation  `json:"operation"`
	Hold          *child.Hold      `json:"hold,omitempty"` // who paused or quarantined it, why and when
	Generation    child.Generation `json:"generation"`
	Attempt       child.Attempt    `json:"attempt"`
	RestartCount  uint64           `json:"restart_count"`

	// PID is null when there is no process, and never 0: a script that kills
	// process 0 kills its own process group.
	PID       *int       `json:"pid"`
	StartedAt *time.Time `json:"started_at"`
	ReadyAt   *time.Time `json:"ready_at"`

	Conditions     []child.ConditionState  `json:"conditions"`
	Health         Health                  `json:"health"`
	Said           *child.Said             `json:"said,omitempty"`           // of itself, on its notify socket
	RestartLimit   *child.RestartLimitUse  `json:"restart_limit"`            // null: none is set
	FailureGroups  []child.FailureGroupUse `json:"failure_groups,omitempty"` // a supervisor's
	NextRunAt      *time.Time              `json:"next_run_at,omitempty"`    // of a schedule
	NextRestartAt  *time.Time              `json:"next_restart_at"`
	StopState      child.StopState         `json:"stop_state"`
	StopDeadline   *time.Time              `json:"stop_deadline,omitempty"` // when the next step of a stop is due
	PendingRestart *child.PendingRestart   `json:"pending_restart"`
	Failure        *child.Failure          `json:"failure"`
	LastExit       *Exit                   `json:"last_exit"`
	Exits          []Exit                  `json:"exits"` // oldest first, at most child.MaxExits
	UpdatedAt      *time.Time              `json:"updated_at"`
}

// Condition is the condition of type t; ok is false when the child has none.
func (c *Child) Condition(t child.ConditionType) (state child.ConditionState, ok bool) {
	return find(c.Conditions, t)
}

// Ready reports whether the child is ready now.
func (c *Child) Ready() bool {
	ready, ok := c.Condition(child.ConditionReady)
	return ok && ready.Status == isTrue
}

func find(all []child.ConditionState, t child.ConditionType) (child.ConditionState, bool) {
	for _, c := range all {
		if c.Type == t {
			return c, true
		}
	}
	return child.ConditionState{}, false
}

// Manifest says which manifest declares a child. Generation counts the changes
// of its content; ObservedGeneration is the one that the runtime has acted on.
type Manifest struct {
	File               string `json:"file"` // "": a folder without a manifest of its own
	Document           int    `json:"document"`
	Hash               string `json:"hash"`
	Generation         uint64 `json:"generation"`
	ObservedGeneration uint64 `json:"observed_generation"`
	Revision           string `json:"revision"`
	ByRequest          bool   `json:"by_request,omitempty"` // no file: it was put through the control socket
}

// Dependency is another child that must have come so far before this one starts.
type Dependency struct {
	ID        child.ID        `json:"child_id"`
	Condition child.Condition `json:"condition"`
	Restart   bool            `json:"restart,omitempty"` // this child is restarted after that one was
}

// Health is what probes found.
type Health struct {
	Liveness  Probe `json:"liveness"`
	Readiness Probe `json:"readiness"`
}

// Probe is what one probe found last. Without a probe, a process that runs
// passes liveness, as in Kubernetes, and CheckedAt is nil.
type Probe struct {
	Status              ProbeStatus `json:"status"`
	CheckedAt           *time.Time  `json:"checked_at,omitempty"`
	ConsecutiveFailures int         `json:"consecutive_failures,omitempty"`
	Message             string      `json:"message,omitempty"` // of the last failure, while there is one
	Words               child.Words `json:"words,omitempty"`   // what the probe printed or was answered then

	// Latency is how long the last look took. It and CheckedAt are renewed with
	// every change, else each half minute: they say nothing about how often is looked.
	Latency child.Seconds `json:"latency_secs,omitempty"`
}

// ProbeStatus is passing, failing or unknown.
type ProbeStatus string

// The states of a probe.
const (
	Passing ProbeStatus = "passing"
	Failing ProbeStatus = "failing"
	Unknown ProbeStatus = "unknown" // nothing runs, or nobody looks
)

// Exit is how one attempt ended, as child.Exit.
type Exit struct {
	Generation child.Generation `json:"generation"`
	Attempt    child.Attempt    `json:"attempt"`
	PID        *int             `json:"pid"` // null: it never ran
	Kind       child.ExitKind   `json:"kind"`
	Code       *int             `json:"exit_code"` // null unless the process ended by itself and was seen
	Signal     string           `json:"signal"`
	CoreDumped bool             `json:"core_dumped"`
	OOMKilled  bool             `json:"oom_killed"`
	Reason     string           `json:"reason"`
	Words      child.Words      `json:"words,omitempty"` // what it, or the probe that ended it, said of that
	StartedAt  *time.Time       `json:"started_at"`
	FinishedAt *time.Time       `json:"finished_at"`
	Duration   child.Seconds    `json:"duration_secs"`
	LogTail    child.Output     `json:"log_tail"`
	Leftovers  []string         `json:"leftovers,omitempty"`
}

// Runtime is reconciler.json.
type Runtime struct {
	SchemaVersion string    `json:"schema_version"`
	Captured      Captured  `json:"captured"`
	State         State     `json:"state"`
	PID           int       `json:"pid"`
	Version       string    `json:"version"`
	StartedAt     time.Time `json:"started_at"`
	ObservedAt    time.Time `json:"observed_at"`

	// ValidUntil is when the reconciler is to be taken for dead if the file was
	// not written again. After an orderly end it equals ObservedAt.
	ValidUntil time.Time `json:"valid_until"`

	Revision      string                 `json:"revision"`
	Children      Counts                 `json:"children"`
	Problems      []desired.Problem      `json:"problems"`
	LastReconcile *Reconcile             `json:"last_reconcile"`
	LastRequested *Reconcile             `json:"last_requested_reconcile"` // the last that somebody asked for: SIGHUP, `reconciler reconcile`
	Conditions    []child.ConditionState `json:"conditions"`
	Shim          Shim                   `json:"shim"`
	ExitReport    *ExitReport            `json:"exit_report"`
}

// Alive reports whether the reconciler that wrote this can be taken for alive at
// the time now.
func (r *Runtime) Alive(now time.Time) bool {
	return r.ExitReport == nil && now.Before(r.ValidUntil)
}

// Condition is the condition of type t; ok is false when there is none.
func (r *Runtime) Condition(t child.ConditionType) (state child.ConditionState, ok bool) {
	return find(r.Conditions, t)
}

// The conditions that only the runtime as a whole has.
const (
	ConditionDegraded         child.ConditionType = "Degraded"         // a critical child cannot run
	ConditionManifestsWatched child.ConditionType = "ManifestsWatched" // False while changes of the manifests are seen late
	ConditionManifestsRead    child.ConditionType = "ManifestsRead"    // False while a file looks like a manifest and is not read
	ConditionRecordsWritten   child.ConditionType = "RecordsWritten"   // False: a crash now would forget something
	ConditionStateKept        child.ConditionType = "StateKept"        // False: the state directory was deleted or moved away while it was in use
	ConditionShimConnected    child.ConditionType = "ShimConnected"    // False: nothing can be started, stopped or noticed
	ConditionShimCurrent      child.ConditionType = "ShimCurrent"      // False: the shim is of an older version and cannot do all that this one relies on
	ConditionLogsWritable     child.ConditionType = "LogsWritable"     // False: a log that cannot be written holds children up
	ConditionStatusWritten    child.ConditionType = "StatusWritten"    // False: some status files are older than they say
)

// State is the life of the runtime.
type State string

// The states of the runtime.
const (
	Starting     State = "starting"
	Alive        State = "alive"
	ShuttingDown State = "shutting_down"
	Completed    State = "completed"
	Failed       State = "failed"
)

// Counts are numbers of children; supervisors are not counted.
type Counts struct {
	Total   int                 `json:"total"`
	Ready   int                 `json:"ready"`
	ByPhase map[child.Phase]int `json:"by_phase"` // every phase, also those with none
}

// Reconcile is one pass of the reconcile loop.
type Reconcile struct {
	At       time.Time        `json:"at"`
	Duration child.Seconds    `json:"duration_secs"`
	Trigger  string           `json:"trigger"`
	Actions  map[string]int   `json:"actions"` // accepted ones, by verb
	Errors   []ReconcileError `json:"errors"`
}

// ReconcileError is an action that was refused.
type ReconcileError struct {
	ID      child.ID   `json:"child_id"`
	Action  string     `json:"action"`
	Message string     `json:"message"`
	Tries   int        `json:"tries"`
	RetryAt *time.Time `json:"retry_at"`
}

// Shim is the process that owns the children's processes.
type Shim struct {
	PID       int    `json:"pid"`
	Connected bool   `json:"connected"`
	Reason    string `json:"reason,omitempty"`  // why it is not connected
	Version   string `json:"version,omitempty"` // of the program that it is

	// Lacks is what one of an older version cannot do, with what it does instead.
	// It runs on until it owns nothing: an upgrade restarts no child.
	Lacks []string `json:"lacks,omitempty"`
}

// ExitReport is how the runtime ended.
type ExitReport struct {
	State       State      `json:"state"`
	Phase       string     `json:"phase"`
	Reason      string     `json:"reason"`
	Recoverable bool       `json:"recoverable"`
	Panic       bool       `json:"panic"`
	CompletedAt time.Time  `json:"completed_at"`
	Children    []ChildEnd `json:"children"` // in the order of the shutdown

	VerifiedClean bool           `json:"verified_clean"` // the end of every process was seen
	Orphans       []child.Orphan `json:"orphans"`        // those that are alive as far as anybody knows
}

// ChildEnd is how one child ended in the shutdown.
type ChildEnd struct {
	ID         child.ID         `json:"child_id"`
	Generation child.Generation `json:"generation"`
	Attempt    child.Attempt    `json:"attempt"`
	Status     string           `json:"status"` // already_exited, graceful, aborted, abort_failed, late_report
	Phase      string           `json:"phase"`
	Reason     string           `json:"reason,omitempty"`
	Exit       *Exit            `json:"exit"`
}
