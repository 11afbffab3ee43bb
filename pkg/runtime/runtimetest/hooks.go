package runtimetest

import (
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

// place is where at most one process may be: a child, or one role beside it.
type place struct {
	id   child.ID
	role child.Role
}

func placeOf(key child.Key) place { return place{key.ID, key.Role} }

// randomHooks are up to two of each role.
func (s *sim) randomHooks() *child.Hooks {
	list := func() (commands [][]string) {
		for range s.rng.IntN(3) {
			commands = append(commands, []string{"hook"})
		}
		return commands
	}
	return &child.Hooks{
		PreStart: list(), PostStart: list(), PreStop: list(), PostStop: list(),
		Timeout: child.Seconds(10*time.Millisecond + s.upTo(2*time.Second)),
	}
}

// hooked is called when the brain decides to start something: the grace of a stop
// begins with its hooks.
func (t *truth) hooked(key child.Key) {
	if f := t.of(key); key.Role != child.Main && !f.asked {
		f.asked, f.askedAt = true, t.s.now
	}
	if f := t.of(key.Attempt()); key.Role == child.PreStop {
		f.hookAt = min(f.hookAt, t.s.now)
	}
}

// overdue reports whether a hook was asked for so long ago, through a connection
// that is lost perhaps, that its child may have given it up.
func (t *truth) overdue(f *fate) bool {
	const hookWait = 5 * time.Second
	return f.key.Role != child.Main && t.s.now >= f.askedAt+hookWait
}

// failedHook lets an attempt be stopped whose post_start hook failed, be it that
// nobody could ask for it in time.
func (t *truth) failedHook(rec machine.Record) {
	if h := rec.Hook; h != nil && h.Killed != "" { // also where no signal could be sent
		key := child.Key{ID: rec.ID, Incarnation: rec.Incarnation, Generation: rec.Generation, Role: h.Role, Run: uint64(h.Run)}
		t.of(key).killed = true
	}
	if rec.Stopping != nil && rec.Stopping.UnwellKind == child.FailedExit {
		t.of(child.Key{ID: rec.ID, Incarnation: rec.Incarnation, Generation: rec.Generation}).mayStop = true
	}
}

// inTurn checks, when a process is made, that it is its turn: a child starts after
// all its pre_start hooks ended well, and nothing of its next attempt starts while
// a post_stop hook of the last one runs. A hook that was killed is not waited for
// for ever.
func (t *truth) inTurn(key child.Key) {
	if key.Role != child.Main && t.of(key).killed {
		return // it is born to be killed
	}
	for _, f := range t.order {
		if f.key.ID != key.ID || f.key.Role == child.Main || !f.begun || f.killed || f.loose {
			continue
		}
		same := f.key.Attempt() == key.Attempt()
		switch {
		case key.Role == child.Main && same && f.key.Role == child.PreStart && f.over && f.ends != ending{}:
			t.s.failf("%s starts after %s ended with %v", key, f.key, f.ends)
		case key.Role == child.Main && !f.over && (same && f.key.Role == child.PreStart || f.key.Role == child.PostStop),
			key.Role == child.PreStart && !f.over && f.key.Role == child.PostStop:
			t.s.failf("%s starts while %s runs", key, f.key)
		case same && f.key.Role == key.Role && f.key.Run < key.Run && !f.over:
			t.s.failf("%s starts while %s runs", key, f.key)
		}
	}
}
