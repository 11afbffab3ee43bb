package reconcile

import (
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/reconciler-dev/reconciler/pkg/desired"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// Verb is what an action does.
type Verb string

// The verbs of a plan.
const (
	Add     Verb = "add"
	Update  Verb = "update"  // no restart
	Replace Verb = "replace" // stop, then start with the new spec
	Remove  Verb = "remove"
)

// Action is one step from what is to what should be.
type Action struct {
	Verb   Verb         `json:"action"`
	ID     child.ID     `json:"child_id"`
	Spec   *child.Spec  `json:"-"` // nil for Remove
	Origin child.Origin `json:"manifest"`
	Reason string       `json:"reason"`      // for people and the journal; never blank, holds no values
	Why    []Difference `json:"differences"` // not nil; empty unless the spec changed
}

// String is the action on one line, without values, such as
// "replace payments/worker: manifest payments/worker.yaml changed: command".
func (a Action) String() string { return fmt.Sprintf("%s %s: %s", a.Verb, a.ID, a.Reason) }

// Plan lists what must be done so that have becomes want: removals first,
// dependants before their dependencies; then supervisors, outer ones first; then
// all others, dependencies before their dependants; then by ID. The order of the
// arguments' contents does not matter.
//
// Nothing is planned while want is not complete. A child that is being removed
// is left alone until it is gone, also when it is wanted again. A child that is
// not wanted but protected stays; Protected lists those. One that was put by
// request stays too, until a manifest declares it.
func Plan(want *desired.Set, have []*child.Snapshot) []Action {
	if want == nil || !want.Complete {
		return nil
	}
	have = sorted(have)
	var removals, changes []Action
	for id, both := range pairs(want.Entries, have) {
		if a, ok := decide(id, both); !ok {
			continue
		} else if a.Verb == Remove {
			if !awaitsDependants(want, have, id) {
				removals = append(removals, a)
			}
		} else {
			changes = append(changes, a)
		}
	}
	if len(removals)+len(changes) == 0 {
		return nil
	}
	return append(orderRemovals(removals, have), orderChanges(changes, want)...)
}

// sorted is have in the order of IDs, copied only if it is not.
func sorted(have []*child.Snapshot) []*child.Snapshot {
	if slices.IsSortedFunc(have, compareSnapshots) {
		return have
	}
	return slices.SortedFunc(slices.Values(have), compareSnapshots)
}

func compareSnapshots(a, b *child.Snapshot) int { return strings.Compare(string(a.ID), string(b.ID)) }

// pair is one child as it should be and as it is; either may be missing.
type pair struct {
	want *desired.Entry
	have *child.Snapshot
}

// pairs walks two sorted lists side by side: ten times as fast as a map for a
// plan of 10,000 children that are all as they should be.
func pairs(want []desired.Entry, have []*child.Snapshot) iter.Seq2[child.ID, pair] {
	return func(yield func(child.ID, pair) bool) {
		for len(want) > 0 || len(have) > 0 {
			var id child.ID
			var p pair
			if len(have) == 0 || len(want) > 0 && want[0].ID <= have[0].ID {
				id, p.want = want[0].ID, &want[0]
			} else {
				id = have[0].ID
			}
			if len(have) > 0 && have[0].ID == id {
				p.have, have = have[0], have[1:]
			}
			if p.want != nil {
				want = want[1:]
			}
			if !yield(id, p) {
				return
			}
		}
	}
}

// Protected lists the children that run although no manifest declares them any
// more, because their last one said "protect: true". It is sorted.
func Protected(want *desired.Set, have []*child.Snapshot) []child.ID {
	if want == nil || !want.Complete {
		return nil
	}
	var ids []child.ID
	for _, s := range have {
		if _, wanted := want.Get(s.ID); !wanted && s.Spec.Protect && !s.Origin.ByRequest && s.Operation != child.Removed {
			ids = append(ids, s.ID)
		}
	}
	slices.Sort(ids)
	return ids
}

// settled reports whether one child is as it should be: whether a plan would
// hold no action for it. s is nil if there is no such child.
func settled(want *desired.Set, id child.ID, s *child.Snapshot) bool {
	if want == nil || !want.Complete {
		return true
	}
	both := pair{have: s}
	if e, wanted := want.Get(id); wanted {
		both.want = &e
	}
	_, act := decide(id, both)
	return !act
}

// decide is the plan for one child.
func decide(id child.ID, p pair) (Action, bool) {
	switch {
	case p.have == nil && p.want == nil:
		return Action{}, false
	case p.have == nil:
		return Action{
			Verb: Add, ID: id, Spec: p.want.Spec, Origin: p.want.Origin, Why: []Difference{},
			Reason: declaration(id, p.want.Origin) + " was added",
		}, true
	case p.have.Operation == child.Removed:
		return Action{}, false
	case p.want == nil:
		return Action{
			Verb: Remove, ID: id, Origin: p.have.Origin, Why: []Difference{},
			Reason: declaration(id, p.have.Origin) + " is gone",
		}, !p.have.Spec.Protect && !p.have.Origin.ByRequest
	}
	return change(p.want, p.have)
}

// Change is the update or the replacement that gives a child the spec and the
// origin of e; false if it has them already.
func Change(e desired.Entry, s *child.Snapshot) (Action, bool) { return change(&e, s) }

// change compares the cheap things first: pointers, then hashes.
func change(e *desired.Entry, s *child.Snapshot) (Action, bool) {
	a := Action{ID: e.ID, Spec: e.Spec, Origin: e.Origin, Why: []Difference{}}
	if e.Spec != s.Spec && hashOf(e.Spec, e.Origin) != hashOf(s.Spec, s.Origin) {
		a.Why = append(a.Why, Diff(s.Spec, e.Spec)...)
	}
	if len(a.Why) > 0 {
		a.Verb, a.Reason = verbOf(a.Why), declaration(e.ID, e.Origin)+" changed: "+fieldsOf(a.Why)
		return a, true
	}
	if reason := moved(s.Origin, e.Origin); reason != "" {
		a.Verb, a.Reason = Update, reason
		return a, true
	}
	return Action{}, false
}

// hashOf is the hash that the origin carries; only a spec without one is hashed.
func hashOf(s *child.Spec, o child.Origin) string {
	if o.Hash != "" {
		return o.Hash
	}
	return s.Hash()
}

func verbOf(why []Difference) Verb {
	for _, d := range why {
		if d.Class == ClassRestart {
			return Replace
		}
	}
	return Update
}

// moved says how a manifest with the same content is another one now, or "". A
// new revision of the source alone is no move: a child keeps the revision that
// brought its manifest, else every commit would touch every child.
func moved(from, to child.Origin) string {
	switch {
	case from.ByRequest != to.ByRequest && to.File != "":
		return "manifest " + to.File + " declares it now, but no field differs"
	case from.File == to.File && from.Document != to.Document:
		return fmt.Sprintf("manifest moved within %s from document %d to %d", to.File, from.Document, to.Document)
	case from.File == to.File && from.Generation != to.Generation:
		return fmt.Sprintf("manifest is generation %d now, was %d", to.Generation, from.Generation)
	case from.File == to.File && from.Hash != to.Hash:
		return "manifest has a new hash, but no field differs"
	case from.File == to.File:
		return ""
	case from.File == "":
		return "manifest " + to.File + " was added, but no field differs"
	case to.File == "":
		return "manifest " + from.File + " is gone, but no field differs"
	}
	return fmt.Sprintf("manifest moved from %s to %s", from.File, to.File)
}

// declaration names what declares a child: a file, or for a supervisor without
// one its folder.
func declaration(id child.ID, o child.Origin) string {
	switch {
	case o.File != "":
		return "manifest " + o.File
	case o.ByRequest:
		return "the request for " + string(id)
	case id == child.RootSupervisor:
		return "the manifests directory"
	}
	return "folder " + string(id)
}

// maxFields is how many fields a reason names: enough to recognise the change,
// few enough for one line.
const maxFields = 5

func fieldsOf(why []Difference) string {
	var fields []string
	for _, d := range why {
		if !slices.Contains(fields, d.Field) {
			fields = append(fields, d.Field)
		}
	}
	if n := len(fields) - maxFields; n > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(fields[:maxFields], ", "), n)
	}
	return strings.Join(fields, ", ")
}
