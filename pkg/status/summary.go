package status

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/desired"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// maxProblems is how many problems reconciler.json lists: enough for every
// person, and 10,000 broken files do not make it megabytes.
const maxProblems = 1000

// summary is what is known of reconciler.json.
type summary struct {
	sum     [sha256.Size]byte // of what was written last, without its times
	looked  time.Time         // when the children were last counted
	stale   bool              // it must be written even if nothing changed
	retries int
	since   []child.ConditionState // of the last look
}

// writeRuntime writes reconciler.json if it says something new or its time has
// come. It returns when to look again if it was too early: counting ten thousand
// children is not done more often than ten times a second, unless at once.
func (w *Writer) writeRuntime(now time.Time, atOnce, last bool) (again time.Time) {
	m := &w.summary
	if due := m.looked.Add(max(quiet, pause(m.retries))); !atOnce && !last && now.Before(due) {
		return due
	}
	m.looked = now
	info := w.o.Info()
	r := newRuntime(info, w.set, w.o.Children.Children(), w.trouble.err())
	r.Conditions = settleTimes(r.Conditions, m.since, now)
	m.since = r.Conditions
	w.view.noteRuntime(m.since, w.trouble.err())
	if w.o.Group == nil {
		r = Withhold(r)
	}
	sum := sha256.Sum256(EncodeRuntime(&r))
	if sum == m.sum && !m.stale && !last {
		return time.Time{}
	}
	r.ObservedAt, r.ValidUntil = now.UTC(), now.Add(validFor).UTC()
	if last {
		r.ValidUntil = r.ObservedAt
	}
	err := w.dir.Replace(runtimeFile, EncodeRuntime(&r))
	w.trouble.note(runtimeFile, err)
	if err != nil {
		m.retries++
		return now.Add(pause(m.retries))
	}
	m.sum, m.stale, m.retries = sum, false, 0
	return time.Time{}
}

// newRuntime is what reconciler.json holds, without the time of the look.
// unwritten says why a status file is older than it should be.
func newRuntime(info Info, set *desired.Set, children []*child.Snapshot, unwritten error) Runtime {
	if set == nil {
		set = &desired.Set{}
	}
	t := count(children)
	return Runtime{
		SchemaVersion: SchemaVersion, Captured: Complete,
		State: info.State, PID: info.PID, Version: info.Version, StartedAt: info.StartedAt.UTC(),
		Revision: set.Revision, Children: t.Counts,
		Problems:      problems(set.Problems, info.Problems),
		LastReconcile: info.LastReconcile,
		LastRequested: info.LastRequested,
		Conditions:    runtimeConditions(info, set, t, unwritten),
		Shim:          info.Shim, ExitReport: info.ExitReport,
	}
}

func problems(lists ...[]desired.Problem) []desired.Problem {
	all := []desired.Problem{}
	for _, l := range lists {
		all = append(all, l...)
	}
	if more := len(all) - maxProblems; more > 0 {
		all = append(all[:maxProblems:maxProblems], desired.Problem{
			Reason: fmt.Sprintf("%d more problems", more), Hint: "reconciler validate lists all that stand in manifests",
		})
	}
	return all
}

// tally is what one look at all children gives.
type tally struct {
	Counts
	unwell    []string // critical children that cannot run
	unsettled int      // children that are on their way to what is declared
	held      []string // children that wait for their log, or soon will
}

func count(children []*child.Snapshot) tally {
	t := tally{Counts: Counts{ByPhase: map[child.Phase]int{}}}
	for _, p := range child.Phases() {
		t.ByPhase[p] = 0
	}
	for _, s := range children {
		if s.Spec.Kind == child.Supervisor {
			continue
		}
		t.Total++
		t.ByPhase[s.Phase]++
		if s.Ready {
			t.Ready++
		}
		if s.Spec.Criticality == child.Critical && s.CannotRun {
			t.unwell = append(t.unwell, string(s.ID))
		}
		if s.Log.HoldsUp() {
			t.held = append(t.held, string(s.ID))
		}
		if c, ok := find(s.Conditions, child.ConditionReconciling); ok && c.Status == isTrue {
			t.unsettled++
		}
	}
	return t
}

// runtimeConditions are those of the runtime as a whole: Ready always, the
// others only when there is something to say.
func runtimeConditions(info Info, set *desired.Set, t tally, unwritten error) []child.ConditionState {
	conds := []child.ConditionState{readyCondition(info, set, t)}
	add := func(kind child.ConditionType, status, reason, message string) {
		conds = append(conds, child.ConditionState{Type: kind, Status: status, Reason: reason, Message: message})
	}
	if len(t.unwell) > 0 {
		add(ConditionDegraded, isTrue, "CriticalChildCannotRun", names(t.unwell))
	}
	if len(t.held) > 0 {
		add(ConditionLogsWritable, isFalse, "OutputBlocked", "the output of these children cannot be written and holds them up: "+names(t.held))
	}
	if info.RecordsError != "" {
		add(ConditionRecordsWritten, isFalse, "WriteFailed", info.RecordsError)
	}
	if info.StateLost != "" {
		add(ConditionStateKept, isFalse, "TakenAway", info.StateLost)
	}
	if awayShim(info) {
		add(ConditionShimConnected, isFalse, "NotConnected", info.Shim.Reason)
	}
	if lacks := info.Shim.Lacks; len(lacks) > 0 {
		add(ConditionShimCurrent, isFalse, "OlderVersion", fmt.Sprintf(
			"the running shim (pid %d, version %s) is older than this reconciler: it %s. It goes on until it owns nothing; if it is killed before, children run on and the next one is current",
			info.Shim.PID, info.Shim.Version, strings.Join(lacks, "; it ")))
	}
	if unwritten != nil {
		add(ConditionStatusWritten, isFalse, "WriteFailed", unwritten.Error())
	}
	if info.LastReconcile != nil && len(info.LastReconcile.Errors) > 0 {
		add(child.ConditionReconciling, isTrue, "ActionsRefused", fmt.Sprintf("%d actions were refused and are tried again", len(info.LastReconcile.Errors)))
	} else if t.unsettled > 0 {
		add(child.ConditionReconciling, isTrue, "ChildrenNotSettled", fmt.Sprintf("%d of %d children are not yet as declared", t.unsettled, t.Total))
	}
	if late := set.Late; late.Reason != "" {
		add(ConditionManifestsWatched, isFalse, late.Reason, late.Message)
	}
	if n := len(set.Warnings); n > 0 {
		message := set.Warnings[0].String()
		if n > 1 {
			message = fmt.Sprintf("%s, and %d more: reconciler validate lists them", message, n-1)
		}
		add(ConditionManifestsRead, isFalse, "LooksLikeAManifest", message)
	}
	if len(set.Stalls) > 0 {
		var messages []string
		for _, s := range set.Stalls {
			messages = append(messages, s.Message)
		}
		add(child.ConditionStalled, isTrue, set.Stalls[0].Reason, strings.Join(messages, "; "))
	}
	return conds
}

// awayShim reports whether the shim is lost, and why is known.
func awayShim(info Info) bool {
	return (info.State == Alive || info.State == ShuttingDown) && !info.Shim.Connected && info.Shim.Reason != ""
}

func readyCondition(info Info, set *desired.Set, t tally) child.ConditionState {
	ready := child.ConditionState{Type: child.ConditionReady, Status: isFalse}
	switch {
	case info.State == ShuttingDown:
		ready.Reason = "ShuttingDown"
	case info.State == Completed || info.State == Failed:
		ready.Reason = "Ended"
	case info.State != Alive || !set.Complete || info.LastReconcile == nil:
		ready.Reason, ready.Message = "Starting", "the manifests were not reconciled yet"
	case awayShim(info):
		ready.Reason, ready.Message = "ShimNotConnected", info.Shim.Reason
	case len(t.unwell) > 0:
		ready.Reason, ready.Message = "Degraded", "critical children that cannot run: "+names(t.unwell)
	default:
		ready.Status, ready.Reason = isTrue, "CriticalChildrenRun"
	}
	return ready
}

// maxNames is how many children a message names.
const maxNames = 10

func names(all []string) string {
	if more := len(all) - maxNames; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(all[:maxNames], ", "), more)
	}
	return strings.Join(all, ", ")
}

// settleTimes gives each condition the time since when it has its status.
func settleTimes(conds, before []child.ConditionState, now time.Time) []child.ConditionState {
	for i := range conds {
		conds[i].LastTransitionTime = now.UTC()
		if old, ok := find(before, conds[i].Type); ok && old.Status == conds[i].Status {
			conds[i].LastTransitionTime = old.LastTransitionTime
		}
	}
	return conds
}
