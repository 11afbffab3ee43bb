package runtimetest

import (
	"slices"
	"strings"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

// randomIDs are the children that may be declared. Supervisors come before what
// stands in them, and nothing depends on what comes after it.
func (s *sim) randomIDs() []child.ID {
	var ids []child.ID
	if s.chance(40) {
		ids = append(ids, child.RootSupervisor)
	}
	folders := s.chance(60)
	most := 6
	if folders {
		most = 2
	}
	for i := range 1 + s.rng.IntN(most) {
		ids = append(ids, child.ID('a'+rune(i)))
	}
	if folders {
		ids = append(ids, "s", "s/a", "s/b", "s/c")
		if s.chance(50) {
			ids = append(ids, "s/t", "s/t/a", "s/t/b")
		}
	}
	return ids
}

// isFolder reports whether an ID is that of a supervisor, mostly.
func isFolder(id child.ID) bool { return id == child.RootSupervisor || id == "s" || id == "s/t" }

func above(id child.ID) (all []child.ID) {
	if id == child.RootSupervisor {
		return nil
	}
	for id = id.Folder(); id != ""; id = id.Folder() {
		all = append(all, id)
	}
	return append(all, child.RootSupervisor)
}

var strategies = []child.Strategy{child.OneForOne, child.OneForAll, child.OneForAll, child.RestForOne}

// randomFolder is what a supervisor may be.
func (s *sim) randomFolder() *child.Spec {
	spec := &child.Spec{Kind: child.Supervisor, Strategy: strategies[s.rng.IntN(len(strategies))]}
	spec.Backoff = child.Backoff{
		InitialDelay: child.Millis(s.upTo(50 * time.Millisecond)),
		MaxDelay:     child.Millis(50*time.Millisecond + s.upTo(time.Second)),
		ResetAfter:   child.Seconds(s.upTo(3 * time.Second)),
	}
	if s.chance(40) {
		spec.RestartLimit = s.randomLimit()
	}
	if s.chance(50) {
		spec.FailureGroups = []child.FailureGroup{{Tag: "mail", RestartLimit: *s.randomLimit()}}
	}
	return spec
}

func (s *sim) randomLimit() *child.RestartLimit {
	return &child.RestartLimit{MaxRestarts: 1 + s.rng.IntN(3), Window: child.Seconds(time.Second + s.upTo(30*time.Second))}
}

// randomTies makes a worker a sidecar, or one of a failure group.
func (s *sim) randomTies(spec *child.Spec, before []child.ID) {
	if s.chance(50) {
		spec.Tags = []string{"mail"}
	}
	if s.chance(25) {
		spec.Criticality = child.Critical
	}
	if workers := slices.DeleteFunc(slices.Clone(before), isFolder); len(workers) > 0 && s.chance(10) {
		spec.SidecarOf, spec.Dependencies = workers[s.rng.IntN(len(workers))], nil
	}
}

// ruled remembers which supervisors may stop what is in them, and which children
// end with another one. What was once allowed counts for the whole schedule.
func (t *truth) ruled(id child.ID, spec *child.Spec) {
	switch {
	case spec.SidecarOf != "":
		t.sidecars[id] = true
	case spec.Kind != child.Supervisor:
	default:
		t.limited[id] = t.limited[id] || spec.RestartLimit != nil
		t.strict[id] = t.strict[id] || t.limited[id] || spec.Strategy != child.OneForOne || len(spec.FailureGroups) > 0
	}
}

// folderCommanded is called when a supervisor is restarted by command: it may stop
// what is in it, also after a crash, and ends the rests of it.
func (t *truth) folderCommanded(tree *machine.Tree, folder child.ID) {
	t.strict[folder] = true
	for _, id := range tree.IDs() {
		if slices.Contains(above(id), folder) {
			t.touched[id] = t.s.now
		}
	}
}

// mayRegroup lets an attempt be stopped for the sake of others.
func (t *truth) mayRegroup(f *fate) {
	allowed := t.downByItself || t.sidecars[f.key.ID] ||
		slices.ContainsFunc(above(f.key.ID), func(id child.ID) bool { return t.strict[id] })
	if allowed && !f.mayStop {
		f.mayStop, f.regrouped = true, true
	}
}

// fell reports whether an attempt that might have been stopped for the sake of
// others ended by itself all the same.
func (f *fate) fell() bool { return f.regrouped && f.recorded && f.kind != child.Cancelled }

// limitedAbove reports whether a supervisor above a child may ever have failed:
// then it starts again when that has rested, and not when the child has.
func (t *truth) limitedAbove(id child.ID) bool {
	return slices.ContainsFunc(above(id), func(id child.ID) bool { return t.limited[id] })
}

// told takes note of what the tree says that it did by itself.
func (t *truth) told(b *brain, facts []machine.Fact) {
	for _, f := range facts {
		switch {
		case f.Kind == machine.GroupRestarted:
			t.s.count.GroupRestarts++
		case f.Kind == machine.SupervisorFailed:
			t.s.count.SupervisorFailures++
		case f.Kind == machine.GroupQuarantined:
			t.s.count.GroupQuarantines++
		case f.Kind == machine.ShutdownRequested && f.Cause.RequestedBy == "runtime":
			t.wentDownByItself(b, f.Reason)
		}
	}
}

func (t *truth) wentDownByItself(b *brain, reason string) {
	if !strings.HasPrefix(reason, "supervisor ") || len(t.limited) == 0 {
		t.s.failf("the tree goes down by itself: %s", reason)
	}
	t.s.count.SelfShutdowns++
	t.hurried, t.downByItself, t.downAt = true, true, t.s.now // a shutdown does not wait for a lost connection
	b.notice(machine.Command{Verb: machine.ShutdownTree})
	for _, id := range b.tree.IDs() {
		snap, _ := b.tree.Snapshot(id)
		t.of(keyOf(snap)).mayStop = true
		t.touched[id] = t.s.now
	}
}

// parent is the folder that a child stands in.
func parent(id child.ID) child.ID {
	if all := above(id); len(all) > 0 {
		return all[0]
	}
	return ""
}

// together is called when a child starts again after last ended. If that end made
// its whole folder restart, nobody of the folder may live that did before it.
func (t *truth) together(last *fate, id child.ID) {
	folder, known := t.s.store[parent(id)]
	switch {
	case !known || folder.Gone || folder.Spec == nil || folder.Spec.Strategy != child.OneForAll || t.sidecars[id]:
		return
	case last.mayStop && !last.fell() || last.loose || !last.over || t.touchedSince(last.begunAt, id, folder.ID) || t.downAt >= last.begunAt:
		return // somebody asked for something: other rules hold
	}
	t.s.count.Together++
	for _, p := range t.s.kernel.procs {
		f := t.of(p.key)
		if p.alive && p.main && p.key.Role == child.Main && p.key.ID != id && parent(p.key.ID) == folder.ID && !f.loose && f.begunAt < last.overAt {
			t.s.failf("%s starts again after its end at %v, while %s of the same one_for_all folder runs since %v", id, last.overAt, p.key, f.begunAt)
		}
	}
}

func (t *truth) touchedSince(at time.Duration, ids ...child.ID) bool {
	return slices.ContainsFunc(ids, func(id child.ID) bool {
		when, touched := t.touched[id]
		return touched && when >= at
	})
}
