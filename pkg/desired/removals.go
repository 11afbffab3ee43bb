package desired

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// MaxRemovals is how many children may vanish in one look without a question. The
// zero value is the default: half of those that run, from five on.
type MaxRemovals struct {
	set     bool
	count   int
	percent float64 // of the running children; used if isShare
	isShare bool
}

// fewRunning is the number of running children from which on a percentage means
// something: with four, the ordinary removal of three would ask.
const fewRunning = 5

// ParseMaxRemovals reads "20" or "50%".
func ParseMaxRemovals(s string) (MaxRemovals, error) {
	if share, ok := strings.CutSuffix(s, "%"); ok {
		percent, err := strconv.ParseFloat(strings.TrimSpace(share), 64)
		if err != nil || !(percent >= 0 && percent <= 100) {
			return MaxRemovals{}, fmt.Errorf("max removals %q: want a percentage from 0%% to 100%%, or a number", s)
		}
		return MaxRemovals{set: true, percent: percent, isShare: true}, nil
	}
	count, err := strconv.Atoi(s)
	if err != nil || count < 0 {
		return MaxRemovals{}, fmt.Errorf("max removals %q: want a number such as 20, or a percentage such as 50%%", s)
	}
	return MaxRemovals{set: true, count: count}, nil
}

// String is m as ParseMaxRemovals reads it.
func (m MaxRemovals) String() string {
	switch {
	case !m.set:
		return "50%"
	case m.isShare:
		return strconv.FormatFloat(m.percent, 'g', -1, 64) + "%"
	default:
		return strconv.Itoa(m.count)
	}
}

// exceeded reports whether so many removals ask first. A share counts only
// children that run: nobody misses the others.
func (m MaxRemovals) exceeded(vanished, vanishedRunning, running int) bool {
	if m.set && !m.isShare {
		return vanished > m.count
	}
	percent := m.percent
	if !m.set {
		percent = 50
	}
	return running >= fewRunning && float64(vanishedRunning)*100 > percent*float64(running)
}

// ask keeps those of the vanished children that must not go without a question,
// and says why; nil if all may go. Both lists are sorted; those that are spared go
// with their manifests only if the source is not empty. What was held once is held
// until it is back or confirmed: otherwise the return of some would remove the rest.
func (m *merger) ask(vanished, spared []child.ID) *Stall {
	stall := m.question(vanished, spared)
	m.next.refilling = m.last.refilling && len(m.next.missing) > 0
	if stall == nil {
		return m.tellRefill()
	}
	for _, id := range stall.Held {
		m.hold(id, nil, stall.Reason)
		m.next.held[id] = stall.Reason == StallTooManyRemovals
	}
	m.next.refilling = m.next.refilling || stall.Reason == StallEmptySource
	return stall
}

// tellRefill says which children are not back yet in a source that was empty; nil if
// none is missed.
func (m *merger) tellRefill() *Stall {
	if !m.next.refilling {
		return nil
	}
	stall := Stall{Reason: StallEmptySource}
	for id := range m.next.missing {
		if e := m.entries[id]; e != nil && !e.Spec.Protect {
			stall.Held = append(stall.Held, id)
		}
	}
	if len(stall.Held) == 0 {
		return nil
	}
	slices.Sort(stall.Held)
	for _, id := range stall.Held {
		m.hold(id, m.entries[id].Problems, stall.Reason)
	}
	stall.Message = fmt.Sprintf("the manifests directory was empty, and not all is back yet; kept until nothing has come for %v: %s (at once: reconciler reconcile --confirm-removals)",
		m.policy.Timing.Longest, names(stall.Held, 10))
	return &stall
}

func (m *merger) question(vanished, spared []child.ID) *Stall {
	if len(vanished) == 0 {
		return nil
	}
	var asked, held []child.ID
	running, vanishedRunning := m.countRunning(vanished)
	for _, id := range vanished {
		if !m.policy.Confirmed[id] {
			asked = append(asked, id)
		}
	}
	empty := len(m.entries) == 0 && m.placed.documents == 0
	switch {
	case len(asked) == 0:
		return nil
	case empty && len(vanished)+len(spared) > 1 && !m.policy.AllowEmpty:
		held = slices.Sorted(slices.Values(append(asked, spared...)))
		return &Stall{Reason: StallEmptySource, Held: held, Message: fmt.Sprintf(
			"the last %d manifests are gone at once; nothing is removed (if that is meant: reconciler reconcile --confirm-removals, or run with --allow-empty)", len(held))}
	case m.policy.MaxRemovals.exceeded(len(asked), vanishedRunning, running):
		held = asked
	default:
		for _, id := range asked {
			if m.last.held[id] {
				held = append(held, id)
			}
		}
	}
	if len(held) == 0 {
		return nil
	}
	return &Stall{Reason: StallTooManyRemovals, Held: held, Message: fmt.Sprintf(
		"%d children vanished at once (allowed are %s) and are kept: %s (if that is meant: reconciler reconcile --confirm-removals)",
		len(held), m.policy.MaxRemovals, names(held, 10))}
}

// countRunning counts all running children, and those of them that vanished and
// are not confirmed.
func (m *merger) countRunning(vanished []child.ID) (running, gone int) {
	isRunning := m.policy.Running
	if isRunning == nil {
		isRunning = func(child.ID) bool { return true }
	}
	for i := range m.last.Entries {
		if e := &m.last.Entries[i]; e.Spec.Kind != child.Supervisor && isRunning(e.ID) {
			running++
		}
	}
	for _, id := range vanished {
		if !m.policy.Confirmed[id] && isRunning(id) {
			gone++
		}
	}
	return running, gone
}

// names lists ids or paths for people, the first few of them.
func names[T ~string](ids []T, most int) string {
	var b strings.Builder
	for i, id := range ids {
		if i == most {
			fmt.Fprintf(&b, " and %d more", len(ids)-most)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(string(id))
	}
	return b.String()
}
