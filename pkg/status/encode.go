package status

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/desired"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// The values of a condition.
const (
	isTrue    = "True"
	isFalse   = "False"
	isUnknown = "Unknown"
)

// Declaration is what the desired state says of one child now.
type Declaration struct {
	Entry *desired.Entry // nil: no manifest declares it
	Valid Validity
}

// Validity is the condition ManifestValid without its generation, and since when
// it holds.
type Validity struct {
	Status  string
	Reason  string
	Message string
	Since   time.Time
}

// ReasonRemovalHeld is the reason of ManifestValid while a child stays although no
// manifest declares it any more.
const ReasonRemovalHeld = "RemovalHeld"

// validity judges an entry, nil if there is none. Since is left zero.
func validity(e *desired.Entry) Validity {
	switch {
	case e == nil:
		return Validity{Status: isUnknown, Reason: "NotDeclared", Message: "no manifest declares this child now"}
	case e.Held != "":
		return Validity{Status: isUnknown, Reason: ReasonRemovalHeld, Message: fmt.Sprintf(
			"no manifest declares it any more, and its removal is held (%s): reconciler reconcile --confirm-removals removes it", e.Held)}
	case len(e.Problems) > 0:
		message := e.Problems[0].String()
		if n := len(e.Problems) - 1; n > 0 {
			message = fmt.Sprintf("%s (and %d more)", message, n)
		}
		return Validity{Status: isFalse, Reason: "Broken", Message: message + "; the last valid manifest stays in force"}
	}
	return Validity{Status: isTrue, Reason: "Valid"}
}

// Encode is the complete status file of one child. The same input gives the same
// bytes.
func Encode(s *child.Snapshot, d Declaration) []byte {
	c := NewChild(s, d)
	return encode(&c)
}

// EncodeRuntime is reconciler.json. The same input gives the same bytes.
func EncodeRuntime(r *Runtime) []byte { return encode(r) }

func encode(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // people read it: "exit code > 1", not "\u003e"
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		panic("status: a status is always encodable: " + err.Error())
	}
	return b.Bytes()
}

// NewChild is what the file of one child holds, from what the runtime and the
// desired state say of it. The manifest block is that of the manifest now; a
// runtime that has not taken it yet shows as an older ObservedGeneration.
func NewChild(s *child.Snapshot, d Declaration) Child {
	origin := s.Origin
	if d.Entry != nil {
		origin = d.Entry.Origin
	}
	c := Child{
		SchemaVersion: SchemaVersion, Captured: Complete,
		ID: s.ID, Name: s.ID.Name(), Path: s.ID.Path(),
		Kind: s.Spec.Kind, Criticality: string(s.Spec.Criticality), Tags: s.Spec.Tags, Strategy: s.Spec.Strategy,
		Manifest: Manifest{
			File: origin.File, Document: origin.Document, Hash: origin.Hash,
			Generation: origin.Generation, ObservedGeneration: s.Observed, Revision: origin.Revision,
			ByRequest: origin.ByRequest,
		},
		Phase: s.Phase, WaitsFor: s.WaitsFor, PendingSince: instant(s.PendingSince), Waited: s.Waited, QueuePlace: s.QueuePlace, Operation: s.Operation, Hold: hold(s.Hold),
		Generation: s.Generation, Attempt: s.Attempt, RestartCount: s.RestartCount,
		PID: pid(s.PID), StartedAt: instant(s.StartedAt), ReadyAt: instant(s.ReadyAt),
		Conditions: conditions(s.Conditions, d.Valid, origin.Generation),
		Health:     health(s),
		Said:       said(s.Said),
		StopState:  s.StopState, StopDeadline: instant(s.StopDeadline), NextRestartAt: instant(s.NextRestartAt), NextRunAt: instant(s.NextRunAt),
		PendingRestart: s.PendingRestart, Failure: s.Failure,
		FailureGroups: s.FailureGroups,
		Exits:         make([]Exit, 0, len(s.Exits)),
		UpdatedAt:     instant(latest(s.UpdatedAt, d.Valid.Since)),
	}
	for _, d := range s.Spec.Dependencies {
		c.Dependencies = append(c.Dependencies, Dependency{ID: d.ID, Condition: d.Condition, Restart: d.Restart})
	}
	if s.RestartLimit.Limit > 0 {
		c.RestartLimit = &s.RestartLimit
	}
	if s.LastExit != nil {
		last := NewExit(s.LastExit)
		c.LastExit = &last
	}
	for _, e := range s.Exits {
		c.Exits = append(c.Exits, NewExit(e))
	}
	return c
}

// NewExit is an exit report as files show it.
func NewExit(e *child.Exit) Exit {
	return Exit{
		Generation: e.Generation, Attempt: e.Attempt, PID: pid(e.PID), Kind: e.Kind,
		Code: e.Code, Signal: e.Signal, CoreDumped: e.CoreDumped, OOMKilled: e.OOMKilled, Reason: e.Reason, Words: e.Words,
		StartedAt: instant(e.StartedAt), FinishedAt: instant(e.FinishedAt), Duration: e.Duration,
		LogTail: append(child.Output{}, e.LogTail...), Leftovers: e.Leftovers,
	}
}

// rank is the order of the conditions in a file.
var rank = map[child.ConditionType]int{
	child.ConditionReady: 1, child.ConditionHealthy: 2, child.ConditionDependenciesReady: 3,
	child.ConditionManifestValid: 4, child.ConditionManifestSeen: 4, child.ConditionCrashLooping: 5, child.ConditionNotEnforced: 6,
	child.ConditionTreeKill: 7, child.ConditionLogWritable: 8, child.ConditionReconciling: 9, child.ConditionStalled: 10,
}

func conditions(known []child.ConditionState, v Validity, generation uint64) []child.ConditionState {
	all := make([]child.ConditionState, 0, len(known)+1)
	all = append(all, known...)
	all = append(all, child.ConditionState{
		Type: child.ConditionManifestValid, Status: v.Status, Reason: v.Reason, Message: v.Message,
		LastTransitionTime: v.Since, ObservedGeneration: generation,
	})
	slices.SortStableFunc(all, func(a, b child.ConditionState) int { return rank[a.Type] - rank[b.Type] })
	for i := range all {
		all[i].LastTransitionTime = all[i].LastTransitionTime.UTC()
	}
	return all
}

// said is null while it said nothing.
func said(s child.Said) *child.Said {
	if s == (child.Said{}) {
		return nil
	}
	return &s
}

// health is what the probes found. Without a probe a process that runs passes. A
// health check that is declared but was not made yet leaves liveness unknown.
func health(s *child.Snapshot) Health {
	h := Health{Liveness: newProbe(s.Liveness), Readiness: newProbe(s.Readiness)}
	switch {
	case s.Ready:
		h.Readiness.Status = Passing
	case s.Phase == child.Running && s.Spec.Readiness == nil:
		h.Readiness.Status = Failing
	case h.Readiness.Status == Passing:
		h.Readiness.Status = Unknown // the attempt is being stopped
	}
	if s.Phase == child.Running && s.Spec.HealthCheck == nil {
		h.Liveness.Status = Passing
	}
	return h
}

func newProbe(p child.ProbeState) Probe {
	return Probe{
		Status: cmp.Or(ProbeStatus(p.Status), Unknown), CheckedAt: instant(p.CheckedAt),
		ConsecutiveFailures: p.Failures, Message: p.Message, Words: p.Words, Latency: p.Latency,
	}
}

func hold(h *child.Hold) *child.Hold {
	if h == nil {
		return nil
	}
	return &child.Hold{Cause: h.Cause, At: h.At.UTC()}
}

func pid(n int) *int {
	if n <= 0 {
		return nil
	}
	return &n
}

func instant(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
