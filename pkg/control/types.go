package control

import (
	"time"

	"github.com/reconciler-dev/reconciler/pkg/desired"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/status"
)

// SocketName is the name of the socket in the state directory.
const SocketName = "reconciler.sock"

// MaxBody is how large the body of a request may be, in bytes.
const MaxBody = 1 << 20

// The media types of bodies.
const (
	TypeJSON   = "application/json"
	TypeNDJSON = "application/x-ndjson" // one JSON object a line
	TypeText   = "text/plain; charset=utf-8"
	TypeYAML   = "application/yaml"
)

// Health is the answer of GET /v1/health.
type Health struct {
	Healthy      bool         `json:"healthy"` // alive, its shim answers, no critical child is unwell, and no log holds up a child
	State        status.State `json:"state"`
	PID          int          `json:"pid"`
	Version      string       `json:"version"`
	StartedAt    time.Time    `json:"started_at"`
	LastObserved time.Time    `json:"last_observed"` // when the runtime last finished a turn
	Shim         bool         `json:"shim_connected"`
	ShimReason   string       `json:"shim_reason,omitempty"` // why it is not
	ShimLacks    []string     `json:"shim_lacks,omitempty"`  // what one of an older version does instead of what this one relies on
	RecordsError string       `json:"records_error"`         // why the last change could not be recorded; empty: it was
	StateLost    string       `json:"state_lost,omitempty"`  // what became of the state directory while it was in use
	Unwell       []child.ID   `json:"unwell"`                // critical children that cannot run

	// Stalls say why the manifests are not followed to the letter: the held removals
	// above all. That is no illness.
	Stalls []desired.Stall `json:"stalls,omitempty"`

	// OutputBlocked are the children whose output cannot be written, so that they wait
	// once a pipe is full.
	OutputBlocked []child.ID `json:"output_blocked,omitempty"`
}

// Children is the answer of GET /v1/children: sorted by ID, folders included.
type Children struct {
	Children []status.Child `json:"children"`
}

// Command is the body of the POST routes that command one child. All of it may be
// left out, but for the signal of the command signal.
type Command struct {
	Reason *string `json:"reason,omitempty"` // left out: "manual VERB"; blank: refused
	Signal string  `json:"signal,omitempty"` // "SIGHUP" or "HUP"

	// RequestedBy is for whom the caller asks. The journal puts the user behind the
	// connection before it.
	RequestedBy string `json:"requested_by,omitempty"`
}

// Outcome is what became of an accepted command.
type Outcome struct {
	CommandID   string          `json:"command_id"`
	ChildID     child.ID        `json:"child_id"`
	Command     string          `json:"command"`
	Decision    string          `json:"decision"` // accepted, started_immediately, queued_after_stop, already_pending, idempotent
	Message     string          `json:"message"`  // for people: why there was nothing to do; mostly empty
	Before      child.Operation `json:"before"`   // what the operator wanted before, and after; "" is no child
	After       child.Operation `json:"after"`
	RequestedBy string          `json:"requested_by"`
	Reason      string          `json:"reason"`
}

// Plan is what a pass would do now.
type Plan struct {
	Actions  []Action          `json:"actions"`
	Kept     []child.ID        `json:"kept"` // protected children without a manifest
	Problems []desired.Problem `json:"problems"`
	Stalls   []desired.Stall   `json:"stalls"`
}

// Action is one step of a plan.
type Action struct {
	Action      string       `json:"action"` // add, update, replace, remove
	ChildID     child.ID     `json:"child_id"`
	Manifest    child.Origin `json:"manifest"`
	Reason      string       `json:"reason"`
	Differences []Difference `json:"differences"`
}

// Difference is one field that is not as it should be.
type Difference struct {
	Field string `json:"field"`
	Old   string `json:"old"`
	New   string `json:"new"`
	Class string `json:"class"` // live, reload, restart
}

// ReconcileRequest is the body of POST /v1/reconcile; it may be left out.
type ReconcileRequest struct {
	ConfirmRemovals bool    `json:"confirm_removals,omitempty"` // carry out the removals that are held back
	Reason          *string `json:"reason,omitempty"`           // left out: "manual reconcile" or "manual confirm_removals"; blank: refused
	RequestedBy     string  `json:"requested_by,omitempty"`
}

// Pass is what one pass over the manifests did, and what is wrong after it.
type Pass struct {
	Reconcile status.Reconcile  `json:"reconcile"`
	Removed   []child.ID        `json:"removed"` // with confirm_removals: those whose removal was held back until then
	Problems  []desired.Problem `json:"problems"`
	Stalls    []desired.Stall   `json:"stalls"`
}

// ShutdownRequest is the body of POST /v1/shutdown; it may be left out.
type ShutdownRequest struct {
	Reason      *string `json:"reason,omitempty"` // left out: "manual shutdown"; blank: refused
	RequestedBy string  `json:"requested_by,omitempty"`
}

// ShutdownReport is how the tree went down.
type ShutdownReport struct {
	RequestedBy string            `json:"requested_by"`
	Reason      string            `json:"reason"`
	StartedAt   time.Time         `json:"started_at"`
	CompletedAt time.Time         `json:"completed_at"`
	Children    []status.ChildEnd `json:"children"` // in the order of the shutdown

	VerifiedClean bool           `json:"verified_clean"` // the end of every process was seen
	Orphans       []child.Orphan `json:"orphans"`        // those that are alive as far as anybody knows
}

// LogLine is one line of GET /v1/children/{id}/logs as NDJSON. In the last line of
// an answer that could not be finished only Error is set.
type LogLine struct {
	ChildID child.ID `json:"child_id,omitempty"`
	Line    string   `json:"line"`
	Missed  int64    `json:"missed_bytes,omitempty"` // rotated away before they could be read
	Error   *Error   `json:"error,omitempty"`
}

// IdempotencyKey is the header of a request to change something that may be sent
// again: within a day the same key of the same user gets the first answer, which then
// has the header IdempotencyReplayed.
const (
	IdempotencyKey      = "Idempotency-Key"
	IdempotencyReplayed = "Idempotency-Replayed"
)

// HealthHeader stands in every answer of GET /v1/health: whether all is well. With
// it, 503 means that the reconciler is not healthy, not that it cannot answer.
const HealthHeader = "Reconciler-Health"
