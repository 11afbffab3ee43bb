package machine

import (
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// Noted is a request that somebody else answers than the tree, which only tells of
// it: one that is refused before it is a command, one that finds everything as it
// wants it, or one to the reconciler as a whole. It is replied to with its Decision.
type Noted struct {
	ID       CommandID
	Verb     Verb
	Child    child.ID // blank: the reconciler as a whole
	Cause    child.Cause
	Decision Decision
	Code     ErrorCode // when Rejected
	Message  string    // for people: why it was Rejected, or what is left to say
}

func (Noted) event() {}

// The verbs of requests that are no commands to the tree.
const (
	Put             Verb = "put" // of a manifest: what is accepted is an add, an update or a replace
	Reconcile       Verb = "reconcile"
	ConfirmRemovals Verb = "confirm_removals"
	OtherRequest    Verb = "request" // of a kind that there is not, or that may not even be looked at
)

func (t *Tree) noted(ev Noted) {
	r := Reply{To: ev.ID, Decision: ev.Decision, Code: ev.Code, Message: ev.Message}
	t.audit(len(t.out.facts), Command{ID: ev.ID, Verb: ev.Verb, Child: ev.Child, Cause: ev.Cause}, r)
	t.reply(r)
}

// RequestsLeftOut says how many requests of one asker were not told one by one.
const RequestsLeftOut FactKind = "requests_left_out"

// Whoever may send requests may send those that change nothing, refused ones or
// repeated ones, as often as he likes. Each asker has so many of them told within so
// much time; of the others an entry says at its end how many there were, and which
// was the last. One asker writes 10 MB a day at most that way, and none of what
// changed something is pushed out by it (see package journal).
const (
	vainAtOnce = 200
	vainWindow = 10 * time.Minute
	maxAskers  = 64 // counted one by one; all others are counted as one
)

// asker counts what somebody asked for in vain within a window.
type asker struct {
	name    string
	until   Instant // the end of the window
	told    int
	leftOut int
	last    Fact  // of those left out
	alarm   alarm // at the end of the window, if something was left out
}

// changedNothing reports whether a decision leaves everything as it was.
func changedNothing(d Decision) bool {
	return d == Rejected || d == Idempotent || d == AlreadyPending
}

// leftOut reports whether the audit of a command is only counted.
func (t *Tree) leftOut(f Fact) bool {
	if by := f.Cause.RequestedBy; !changedNothing(f.Command.Decision) || by == "manifest" || by == runtimeItself {
		return false
	}
	a := t.askerOf(f.Cause.RequestedBy)
	if a.told < vainAtOnce {
		a.told++
		return false
	}
	a.leftOut, a.last = a.leftOut+1, f
	t.alarms.set(&a.alarm, a.until, true)
	return true
}

// askerOf is the one behind a request; what it claims stands after " for ".
func (t *Tree) askerOf(requestedBy string) *asker {
	name, _, _ := strings.Cut(requestedBy, " for ")
	if t.askers[name] == nil && len(t.askers) >= maxAskers {
		t.forgetAskers()
	}
	if t.askers[name] == nil && len(t.askers) >= maxAskers {
		name = "others"
	}
	a := t.askers[name]
	if a == nil || a.leftOut == 0 && a.until <= t.now {
		a = &asker{name: name, until: t.now + Instant(vainWindow)}
		a.alarm = alarm{key: child.Key{ID: child.ID(name)}, asker: a}
		t.askers[name] = a
	}
	return a
}

// forgetAskers makes room for others.
func (t *Tree) forgetAskers() {
	maps.DeleteFunc(t.askers, func(_ string, a *asker) bool { return a.leftOut == 0 && a.until <= t.now })
}

// windowEnds tells how many requests of an asker were left out, and counts anew.
func (t *Tree) windowEnds(a *asker) {
	t.alarms.set(&a.alarm, 0, false)
	delete(t.askers, a.name)
	if a.leftOut == 0 {
		return
	}
	f := a.last
	reason := fmt.Sprintf("%d requests more that changed nothing; the last was %s: %s", a.leftOut, f.Command.Verb, f.Command.Decision)
	if f.Reason != "" {
		reason += ", " + f.Reason
	}
	t.out.facts = append(t.out.facts, Fact{
		Kind: RequestsLeftOut, Child: f.Child, Cause: child.Cause{RequestedBy: a.name}, Reason: reason, Correlation: f.Correlation,
	})
	t.askerOf(a.name).told = 1
}
