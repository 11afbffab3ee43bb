package reconcile

import (
	"fmt"
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
// not wanted but protected stays; Protected lists those.
func Plan(want *desired.Set, have []*child.Snapshot) []Action {
	if want == nil || !want.Complete {
		return nil
	}
	var removals, changes []Action
	seen := make(map[child.ID]*child.Snapshot, len(have))
	for _, s := range have {
		seen[s.ID] = s
		if a, ok := removal(want, s); ok {
			removals = append(removals, a)
		}
	}
	for i := range want.Entries {
		if a, ok := change(&want.Entries[i], seen[want.Entries[i].ID]); ok {
			changes = append(changes, a)
		}
	}
	if len(removals)+len(changes) == 0 {
		return nil
	}
	return append(orderRemovals(removals, seen), orderChanges(changes, want)...)
}

// Protected lists the children that run although no manifest declares them any
// more, because their last one said "protect: true". It is sorted.
func Protected(want *desired.Set, have []*child.Snapshot) []child.ID {
	if want == nil || !want.Complete {
		return nil
	}
	var ids []child.ID
	for _, s := range have {
		if _, wanted := want.Get(s.ID); !wanted && s.Spec.Protect && s.Operation != child.Removed {
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
	if e, wanted := want.Get(id); wanted {
		_, act := change(&e, s)
		return !act
	}
	if s == nil {
		return true
	}
	_, act := removal(want, s)
	return !act
}

func removal(want *desired.Set, s *child.Snapshot) (Action, bool) {
	if s.Operation == child.Removed || s.Spec.Protect {
		return Action{}, false
	}
	if _, wanted := want.Get(s.ID); wanted {
		return Action{}, false
	}
	return Action{
		Verb: Remove, ID: s.ID, Origin: s.Origin, Why: []Difference{},
		Reason: declaration(s.ID, s.Origin) + " is gone",
	}, true
}

// change compares the cheap things first: a plan of 10,000 children that are all
// as they should be compares pointers and hashes only.
func change(e *desired.Entry, s *child.Snapshot) (Action, bool) {
	a := Action{ID: e.ID, Spec: e.Spec, Origin: e.Origin, Why: []Difference{}}
	if s == nil {
		a.Verb, a.Reason = Add, declaration(e.ID, e.Origin)+" was added"
		return a, true
	}
	if s.Operation == child.Removed {
		return Action{}, false
	}
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
