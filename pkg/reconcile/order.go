package reconcile

import (
	"slices"
	"strings"

	"github.com/reconciler-dev/reconciler/pkg/desired"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// orderRemovals puts dependants before their dependencies and supervisors after
// everything else, inner ones first. have is sorted.
func orderRemovals(removals []Action, have []*child.Snapshot) []Action {
	spec := func(id child.ID) *child.Spec {
		i, ok := slices.BinarySearchFunc(have, id, func(s *child.Snapshot, id child.ID) int {
			return strings.Compare(string(s.ID), string(id))
		})
		if !ok {
			return nil
		}
		return have[i].Spec
	}
	slices.SortFunc(removals, func(a, b Action) int { return -compareIDs(a.ID, b.ID) })
	ordered := dependenciesFirst(removals, spec)
	slices.Reverse(ordered)
	children, supervisors := split(ordered, spec)
	slices.SortFunc(supervisors, func(a, b Action) int { return -compareIDs(a.ID, b.ID) })
	return append(children, supervisors...)
}

// awaitsDependants reports whether the manifest of a child that depends on id is gone
// too, and only does not count yet: they are removed in one order then.
func awaitsDependants(want *desired.Set, have []*child.Snapshot, id child.ID) bool {
	return want.AwaitsAny() && slices.ContainsFunc(have, func(s *child.Snapshot) bool {
		return want.Awaited(s.ID) && slices.ContainsFunc(s.Spec.Dependencies, func(d child.Dependency) bool { return d.ID == id })
	})
}

// orderChanges puts supervisors first, outer ones before inner ones, then
// dependencies before their dependants.
func orderChanges(changes []Action, want *desired.Set) []Action {
	spec := func(id child.ID) *child.Spec {
		e, _ := want.Get(id)
		return e.Spec
	}
	slices.SortFunc(changes, func(a, b Action) int { return compareIDs(a.ID, b.ID) })
	children, supervisors := split(changes, spec)
	return append(supervisors, dependenciesFirst(children, spec)...)
}

// compareIDs orders by ID, a folder before what is in it; the root is the folder
// of all.
func compareIDs(a, b child.ID) int {
	if (a == child.RootSupervisor) != (b == child.RootSupervisor) {
		if a == child.RootSupervisor {
			return -1
		}
		return 1
	}
	return strings.Compare(string(a), string(b))
}

func split(actions []Action, spec func(child.ID) *child.Spec) (children, supervisors []Action) {
	for _, a := range actions {
		if s := spec(a.ID); s != nil && s.Kind == child.Supervisor {
			supervisors = append(supervisors, a)
		} else {
			children = append(children, a)
		}
	}
	return children, supervisors
}

// dependenciesFirst keeps the order of actions, except that the dependencies of
// each come before it, also those over children without an action. A cycle, which
// no valid manifest makes, ends where it began.
func dependenciesFirst(actions []Action, spec func(child.ID) *child.Spec) []Action {
	w := walk{spec: spec, todo: make(map[child.ID]Action, len(actions)), seen: make(map[child.ID]bool, len(actions))}
	w.ordered = make([]Action, 0, len(actions))
	for _, a := range actions {
		w.todo[a.ID] = a
	}
	for _, a := range actions {
		w.visit(a.ID)
	}
	return w.ordered
}

type walk struct {
	spec    func(child.ID) *child.Spec
	todo    map[child.ID]Action
	seen    map[child.ID]bool
	ordered []Action
}

func (w *walk) visit(id child.ID) {
	if w.seen[id] {
		return
	}
	w.seen[id] = true
	if s := w.spec(id); s != nil && len(s.Dependencies) > 0 {
		deps := slices.Clone(s.Dependencies)
		slices.SortFunc(deps, func(a, b child.Dependency) int { return strings.Compare(string(a.ID), string(b.ID)) })
		for _, dep := range deps {
			w.visit(dep.ID)
		}
	}
	if a, ok := w.todo[id]; ok {
		w.ordered = append(w.ordered, a)
	}
}
