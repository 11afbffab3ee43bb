package runtimetest

import (
	"maps"
	"slices"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

// fate is all that really happened to one attempt.
type fate struct {
	key       child.Key
	begun     bool // a process was made
	over      bool // it ended
	ends      ending
	tabled    bool // a shim wrote down that it runs
	seen      bool // a shim wrote down how it ended
	recorded  bool // the brain recorded that it ended
	kind      child.ExitKind
	overAt    time.Duration
	mayStop   bool // a command asked for its end
	asked     bool
	askedAt   time.Duration // when the brain first asked for this hook
	hookAt    time.Duration // when the brain decided to run its pre_stop hook; never: it did not
	termAt    time.Duration // when the brain last decided to send its stop signal; never: it did not
	startedAt time.Duration // when the brain recorded its start
	begunAt   time.Duration // and when its process was made
	wasReady  bool          // it was shown as ready
	failures  int           // of its liveness in a row, as the tree was told
	unwell    bool          // that was once enough to end it
	timedOut  bool          // and the brain decided to
	regrouped bool          // it was allowed to be stopped only for the sake of others
	killed    bool          // the brain decided to kill its whole tree
	left      bool          // its exit was reported with the names of what still lived
	loose     bool          // no shim could tell in time that it lives: it may end as a stray
	maySignal []string      // signals that an operator asked for
}

// bound says that a child may not start more often than this: it was paused,
// quarantined or removed, and somebody was told so.
type bound struct {
	id          child.ID
	incarnation uint64
	attempt     child.Attempt
	verb        machine.Verb
}

func (b bound) forbids(key child.Key) bool {
	return b.id == key.ID && b.incarnation == key.Incarnation && child.Attempt(key.Generation)+1 > b.attempt
}

// truth is told everything by the kernel and compares it with what the others
// believe and do.
type truth struct {
	s        *sim
	fates    map[child.Key]*fate
	order    []*fate
	gone     map[child.ID]uint64            // incarnations that were removed, up to this one
	newest   map[place]child.Key            // that was ever started
	bounds   []bound                        // in force
	pending  map[machine.CommandID]bound    // in force once the command is answered
	touched  map[child.ID]time.Duration     // the last command to each child
	grace    map[child.ID]time.Duration     // the shortest that each child was ever given
	deadline map[child.ID]time.Duration     // the same, for becoming ready
	hurried  bool                           // grace is over for everybody
	follows  map[child.ID]map[child.ID]bool // the dependencies with restart that each child ever had

	strict, limited map[child.ID]bool // supervisors that may stop what is in them; those with a limit
	sidecars        map[child.ID]bool
	downByItself    bool
	downAt          time.Duration // when a shutdown was last asked for
}

func newTruth(s *sim) *truth {
	return &truth{
		s: s, fates: map[child.Key]*fate{}, gone: map[child.ID]uint64{}, newest: map[place]child.Key{},
		pending: map[machine.CommandID]bound{}, touched: map[child.ID]time.Duration{},
		grace: map[child.ID]time.Duration{}, deadline: map[child.ID]time.Duration{}, follows: map[child.ID]map[child.ID]bool{},
		downAt: -1, strict: map[child.ID]bool{}, limited: map[child.ID]bool{}, sidecars: map[child.ID]bool{},
	}
}

func (t *truth) of(key child.Key) *fate {
	f := t.fates[key]
	if f == nil {
		f = &fate{key: key, termAt: never, hookAt: never}
		t.fates[key] = f
		t.order = append(t.order, f)
	}
	return f
}

// started is called when a process is made.
func (t *truth) started(key child.Key) {
	f := t.of(key)
	begun := f.begun
	last, known := t.newest[placeOf(key)]
	f.begun, f.begunAt, t.newest[placeOf(key)] = true, t.s.now, key
	switch {
	case begun:
		t.s.failf("%s starts a second time", key)
	case known && !last.OlderThan(key):
		t.s.failf("%s starts after %s", key, last)
	case f.loose || f.killed && key.Role != child.Main: // it is born to be killed
		return
	case f.recorded:
		t.s.failf("%s starts after its end was recorded (%s)", key, f.kind)
	case t.gone[key.ID] >= key.Incarnation && t.overdue(f):
		// nobody waits for a hook for ever: it is killed as a stray
	case t.gone[key.ID] >= key.Incarnation:
		t.s.failf("%s starts after the child was removed", key)
	}
	for _, b := range t.bounds {
		if b.forbids(key) {
			t.s.failf("%s starts though the child was stopped at attempt %d: %s", key, b.attempt, b.verb)
		}
	}
	if known && key.Role == child.Main {
		t.rested(t.of(last), key)
		t.together(t.of(last), key.ID)
	}
}

func (t *truth) ended(key child.Key, ends ending) {
	f := t.of(key)
	f.over, f.ends, f.overAt = true, ends, t.s.now
}

func (t *truth) tabled(key child.Key) { t.of(key).tabled = true }

func (t *truth) seen(key child.Key) {
	t.of(key).seen = true
	t.s.count.Exits++
}

// leftBehind is called when a shim gives up on the rest of a tree.
func (t *truth) leftBehind(key child.Key) {
	t.of(key).left = true
	t.s.count.Leftovers++
}

// written is called with each record before it replaces the older one.
func (t *truth) written(rec machine.Record) {
	if was, ok := t.s.store[rec.ID]; ok {
		t.rises(was, rec)
	}
	if rec.Gone {
		t.gone[rec.ID] = rec.Incarnation
		t.s.count.Removals++
		for _, p := range t.s.kernel.procs {
			if p.alive && p.main && p.key.Role == child.Main && p.key.ID == rec.ID && p.key.Incarnation == rec.Incarnation && !t.of(p.key).loose {
				t.s.failf("%s is recorded as removed while %s lives", rec.ID, p.key)
			}
		}
	}
	t.failedHook(rec)
	if rec.Phase == child.Starting {
		if f := t.of(child.Key{ID: rec.ID, Incarnation: rec.Incarnation, Generation: rec.Generation}); f.startedAt == 0 {
			f.startedAt = t.s.now
		}
	}
	for _, e := range rec.Exits {
		t.exitRecorded(child.Key{ID: rec.ID, Incarnation: rec.Incarnation, Generation: e.Generation}, e)
	}
}

// rises checks that the numbers of a child only rise.
func (t *truth) rises(was, rec machine.Record) {
	switch {
	case rec.Incarnation < was.Incarnation:
		t.s.failf("%s: incarnation %d is recorded after %d", rec.ID, rec.Incarnation, was.Incarnation)
	case rec.Incarnation > was.Incarnation:
		return
	case was.Gone && !rec.Gone:
		t.s.failf("%s: incarnation %d is recorded after it was removed", rec.ID, rec.Incarnation)
	case rec.Generation < was.Generation || rec.Attempt < was.Attempt:
		if !rec.Gone {
			t.s.failf("%s: generation %d, attempt %d are recorded after %d, %d",
				rec.ID, rec.Generation, rec.Attempt, was.Generation, was.Attempt)
		}
	}
}

// exitRecorded compares a recorded exit with what really happened. A code is
// never invented, and a code that somebody saw is never lost.
func (t *truth) exitRecorded(key child.Key, e *child.Exit) {
	f := t.of(key)
	if f.recorded {
		if f.kind != e.Kind {
			t.s.failf("%s: its end was recorded as %s and now as %s", key, f.kind, e.Kind)
		}
		return
	}
	f.recorded, f.kind = true, e.Kind
	t.mayRegroup(f)
	t.mayFollow(f)
	t.mayEnd(f) // the order to end it may have been lost, and it ended by itself
	told := e.Code != nil || e.Signal != ""
	switch {
	case f.loose && !told:
	case f.begun && !f.over:
		t.s.failf("%s is recorded as %s while it lives", key, e.Kind)
	case e.Kind == child.StartFailure && (f.tabled || told):
		t.s.failf("%s is recorded as a failed start, but it ran", key)
	case told && !f.seen:
		t.s.failf("%s: an exit that nobody saw is recorded as %q", key, e.Reason)
	case told && !f.ends.is(e):
		t.s.failf("%s: recorded as %q, but it ended with %v", key, e.Reason, f.ends)
	case !told && f.seen:
		t.s.failf("%s is recorded as %s without its code; it ended with %v, and a shim saw it", key, e.Kind, f.ends)
	case e.Kind == child.TimedOut && !f.timedOut:
		t.s.failf("%s is recorded as timed out, but its probes did not fail", key)
	case e.Kind == child.Cancelled && !f.mayStop:
		t.s.failf("%s is recorded as cancelled, but nobody asked for its end", key)
	}
}

func (x ending) is(e *child.Exit) bool {
	if x.signal != "" {
		return e.Signal == x.signal && e.Code == nil
	}
	return e.Signal == "" && e.Code != nil && *e.Code == x.code
}

// acknowledged is called when a shim is told to forget an exit.
func (t *truth) acknowledged(key child.Key) {
	if f := t.of(key); key.Role == child.Main && !f.recorded && !f.loose && t.gone[key.ID] < key.Incarnation {
		t.s.failf("the exit of %s is acknowledged and not recorded", key)
	}
}

// signalled is called when a shim is about to deliver a signal.
func (t *truth) signalled(req machine.Signal) {
	f := t.of(req.Key)
	switch {
	case req.Key.Role != child.Main: // by its timeout
	case f.loose || f.recorded: // a stray, or what it left behind
	case req.Tree && !f.mayStop:
		t.s.failf("%s gets %s, but nobody asked for its end", req.Key, req.Signal)
	case !req.Tree && !slices.Contains(f.maySignal, req.Signal):
		t.s.failf("%s gets %s, but nobody asked for that", req.Key, req.Signal)
	case req.Tree && req.Signal == "SIGKILL":
		t.s.count.Kills++
	}
}

// commanded is called before and after a command is taken by the tree: the
// attempts that are current then may be stopped on its behalf.
func (t *truth) commanded(tree *machine.Tree, c machine.Command) {
	t.release(c)
	if c.Verb == machine.ShutdownTree || c.Verb == machine.HurryUp {
		t.hurried, t.downAt = true, t.s.now // a shutdown does not wait for a lost connection: its deadlines run on
		for _, id := range tree.IDs() {
			snap, _ := tree.Snapshot(id)
			t.of(keyOf(snap)).mayStop = true
			t.touched[id] = t.s.now
		}
		return
	}
	t.touched[c.Child] = t.s.now
	if c.Spec != nil {
		t.declared(c.Child, c.Spec)
		t.ruled(c.Child, c.Spec)
		g := c.Spec.Shutdown.GracefulTimeout.Duration()
		if was, ok := t.grace[c.Child]; ok {
			g = min(g, was)
		}
		t.grace[c.Child] = g
	}
	snap, ok := tree.Snapshot(c.Child)
	if !ok {
		return
	}
	f := t.of(keyOf(snap))
	switch c.Verb {
	case machine.SendSignal:
		f.maySignal = append(f.maySignal, c.Signal)
	case machine.Remove, machine.Pause, machine.Quarantine:
		f.mayStop = true
		t.pending[c.ID] = bound{c.Child, snap.Incarnation, snap.Attempt, c.Verb}
	case machine.Update:
		if c.Spec.Suspend {
			f.mayStop = true
		}
	case machine.Replace, machine.Restart:
		f.mayStop = true
		if c.Verb == machine.Restart && snap.Spec.Kind == child.Supervisor {
			t.folderCommanded(tree, c.Child)
		}
	}
}

func keyOf(snap *child.Snapshot) child.Key {
	return child.Key{ID: snap.ID, Incarnation: snap.Incarnation, Generation: snap.Generation}
}

// release lifts the bounds that a command may lift, whatever becomes of it.
func (t *truth) release(c machine.Command) {
	lifts := func(b bound) bool {
		if b.id != c.Child || b.verb == machine.Remove {
			return false
		}
		switch c.Verb {
		case machine.Resume, machine.Restart, machine.Pause, machine.Quarantine:
			return true
		case machine.Update, machine.Replace:
			return b.verb == machine.Quarantine
		}
		return false
	}
	t.bounds = slices.DeleteFunc(t.bounds, lifts)
	maps.DeleteFunc(t.pending, func(_ machine.CommandID, b bound) bool { return lifts(b) })
}

// answered is called when the asker of a command learns what became of it: from
// then on nothing may undo it.
func (t *truth) answered(r machine.Reply) {
	b, ok := t.pending[r.To]
	delete(t.pending, r.To)
	if ok && r.Decision != machine.Rejected {
		t.bounds = append(t.bounds, b)
	}
}
