package reconcile

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/desired"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

// Trigger is why a pass was made.
type Trigger string

// The triggers.
const (
	TriggerStart     Trigger = "start"
	TriggerManifests Trigger = "manifests"
	TriggerRuntime   Trigger = "runtime"
	TriggerRequest   Trigger = "request" // Kick
	TriggerRetry     Trigger = "retry"
	TriggerResync    Trigger = "resync"
)

// Report is what one pass did.
type Report struct {
	At       time.Time
	Duration time.Duration
	Trigger  Trigger
	Revision string     // of the source
	Actions  []Result   // in the order of the plan
	Kept     []child.ID // protected children without a manifest
}

// Accepted counts the actions that the runtime took, by verb.
func (r *Report) Accepted() map[Verb]int {
	n := map[Verb]int{Add: 0, Update: 0, Replace: 0, Remove: 0}
	for _, a := range r.Actions {
		if a.Error == "" && !a.Deferred {
			n[a.Action.Verb]++
		}
	}
	return n
}

// Refused are the actions that the runtime did not take, with those that were
// refused before and wait.
func (r *Report) Refused() []Result {
	var refused []Result
	for _, a := range r.Actions {
		if a.Error != "" {
			refused = append(refused, a)
		}
	}
	return refused
}

// problems words what is not as the manifests want it. The text does not change
// from try to try.
func (r *Report) problems() []desired.Problem {
	var all []desired.Problem
	for _, a := range r.Refused() {
		all = append(all, desired.Problem{
			File: a.Action.Origin.File, Document: a.Action.Origin.Document, Child: a.Action.ID,
			Reason: fmt.Sprintf("%s was refused: %s", a.Action.Verb, a.Error),
			Hint:   "it is tried again with growing pauses, and at once when the manifest changes",
		})
	}
	for _, id := range r.Kept {
		all = append(all, desired.Problem{
			Child:  id,
			Reason: "its manifest is gone, but said protect: true, so it is kept",
			Hint:   "put the manifest back; to remove the child, set protect: false there first",
		})
	}
	return all
}

// Result is what became of one action.
type Result struct {
	Action   Action
	Command  machine.CommandID
	Decision machine.Decision
	Deferred bool      // the child has changed meanwhile; the next pass plans anew
	Error    string    // why it was refused; empty: it was not
	Waits    bool      // it was refused in an earlier pass and not tried in this one
	Tries    int       // how often it was refused
	RetryAt  time.Time // when it is tried again; set if it was refused
}

// The pauses after a refusal: twice as long each time.
const (
	firstPause = time.Second
	lastPause  = time.Minute
)

// refusal remembers an action that the runtime did not take.
type refusal struct {
	verb    Verb
	origin  child.Origin
	message string
	tries   int
	retryAt time.Time
}

func (r *refusal) result(a Action) Result {
	return Result{Action: a, Error: r.message, Tries: r.tries, RetryAt: r.retryAt}
}

// about reports whether the refusal is of this action: the same of the same
// manifest. A new revision of the source alone changes no manifest.
func (r *refusal) about(a Action) bool {
	old, now := r.origin, a.Origin
	old.Revision, now.Revision = "", ""
	return r.verb == a.Verb && old == now
}

// refuse remembers that an action was refused, and logs it if it is news.
func (l *Loop) refuse(a Action, err error) *refusal {
	r := l.refused[a.ID]
	if r == nil {
		r = &refusal{verb: a.Verb, origin: a.Origin}
		l.refused[a.ID] = r
	}
	if r.message != err.Error() {
		r.message = err.Error()
		l.o.Log.Info("action refused", "child", string(a.ID), "action", string(a.Verb), "reason", r.message)
	}
	r.tries++
	r.retryAt = time.Now().Add(pauseAfter(r.tries, rand.Float64()))
	return r
}

// pauseAfter is how long an action rests after its n-th refusal, n from 1,
// shortened by up to a tenth by jitter in [0, 1).
func pauseAfter(n int, jitter float64) time.Duration {
	d := min(firstPause<<min(n-1, 10), lastPause)
	return d - time.Duration(jitter*0.1*float64(d))
}

// forget drops the refusals of actions that are not planned any more, or are
// planned for another manifest.
func (l *Loop) forget(plan []Action) {
	if len(l.refused) == 0 {
		return
	}
	planned := make(map[child.ID]Action, len(plan))
	for _, a := range plan {
		planned[a.ID] = a
	}
	for id, r := range l.refused {
		if a, still := planned[id]; !still || !r.about(a) {
			delete(l.refused, id)
		}
	}
}

// nextTry is when the next refused action may be tried again; zero if none waits.
func (l *Loop) nextTry() (at time.Time) {
	for _, r := range l.refused {
		if at.IsZero() || r.retryAt.Before(at) {
			at = r.retryAt
		}
	}
	return at
}

// log says what a pass did, once for all its actions: the runtime logs each
// child's changes.
func (l *Loop) log(r *Report) {
	if len(r.Actions) == 0 {
		l.o.Log.V(1).Info("reconciled, nothing to do", "trigger", string(r.Trigger), "took", r.Duration)
		return
	}
	n := r.Accepted()
	level := 0
	if n[Add]+n[Update]+n[Replace]+n[Remove] == 0 {
		level = 1 // refused again: that was logged when it was news
	}
	l.o.Log.V(level).Info("reconciled", "trigger", string(r.Trigger), "added", n[Add], "updated", n[Update],
		"replaced", n[Replace], "removed", n[Remove], "refused", len(r.Refused()), "took", r.Duration)
}
