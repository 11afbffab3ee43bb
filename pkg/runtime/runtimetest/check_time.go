package runtimetest

import (
	"slices"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

// rested checks that a child that ended by itself had its rest before it starts
// again, whoever was killed meanwhile. A command cuts a rest short, and so may a
// wall clock that jumps while the brain is dead.
func (t *truth) rested(last *fate, key child.Key) {
	rec, known := t.s.store[key.ID]
	if !known || rec.Spec == nil || last.key.Incarnation != key.Incarnation || !last.over || last.mayStop && !last.fell() || last.loose ||
		t.touched[key.ID] >= last.overAt || t.s.fault.jump > 0 || t.limitedAbove(key.ID) {
		return
	}
	b := rec.Spec.Backoff
	least := time.Duration(float64(b.InitialDelay) * (1 - b.JitterRatio))
	if got := t.s.now - last.overAt; got < least-time.Millisecond {
		t.s.failf("%s starts %v after the end of %s; its rest is at least %v", key, got, last.key, least)
	}
}

// decided is called with each signal to a tree when the brain decides to send
// it, whether or not it gets as far as that.
func (t *truth) decided(b *brain, req machine.Signal) {
	f := t.of(req.Key)
	if req.Key.Role != child.Main {
		f.killed = true
		return
	}
	killed := f.killed
	f.killed = killed || req.Signal == "SIGKILL"
	snap, ok := b.tree.Snapshot(req.Key.ID)
	if ok && keyOf(snap) == req.Key {
		t.mayRegroup(f)
		t.mayEnd(f)
		t.mayFollow(f)
	}
	switch {
	case !ok: // it is gone in the same turn, or a stray of a child that is gone
		if req.Signal != "SIGKILL" {
			f.termAt = t.s.now
		}
	case req.Signal == snap.Spec.Shutdown.Signal:
		f.termAt = t.s.now
		if snap.Phase == child.Stopping { // else it ended in the same turn, perhaps before the shutdown
			t.inOrder(b, req.Key)
		}
	case !killed:
		t.hadGrace(f, snap)
	}
}

// hadGrace checks that a tree is killed only when it was told to stop, over the
// connection that is open now, and its grace is over since. A shutdown is in more
// of a hurry: it does not wait for a lost connection.
func (t *truth) hadGrace(f *fate, snap *child.Snapshot) {
	grace := min(t.grace[f.key.ID], snap.Spec.Shutdown.GracefulTimeout.Duration())
	switch {
	case t.hurried || f.loose:
	case f.termAt == never:
		t.s.failf("%s is killed without having been asked to stop", f.key)
	case t.s.now < min(f.termAt, f.hookAt)+grace: // the hooks take from the grace
		t.s.failf("%s is killed %v after it was asked to stop; its grace is %v", f.key, t.s.now-f.termAt, grace)
	}
}

// notice remembers what was being stopped when a shutdown began.
func (b *brain) notice(c machine.Command) {
	switch c.Verb {
	case machine.HurryUp:
		b.hurry = b.hurry || b.down
	case machine.ShutdownTree:
		if b.down {
			return
		}
		b.down, b.before = true, map[child.Key]bool{}
		for _, id := range b.tree.IDs() {
			snap, _ := b.tree.Snapshot(id)
			b.before[keyOf(snap)] = snap.Phase == child.Stopping
		}
	}
}

// inOrder checks that a shutdown stops a child only when its dependants are gone.
func (t *truth) inOrder(b *brain, key child.Key) {
	if f := t.of(key); !b.down || b.hurry || b.before[key] || f.loose || f.recorded {
		return
	}
	for _, id := range b.tree.IDs() {
		snap, _ := b.tree.Snapshot(id)
		needs := slices.ContainsFunc(snap.Spec.Dependencies, func(d child.Dependency) bool { return d.ID == key.ID })
		if needs && snap.StopState != child.StopFailed && t.s.kernel.mainOf(keyOf(snap)) != nil {
			t.s.failf("the shutdown stops %s while %s, which depends on it, lives", key, keyOf(snap))
		}
	}
}
