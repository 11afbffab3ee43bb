package machine

import (
	"fmt"
	"slices"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// Config is what a Tree is made of.
type Config struct {
	// StartSlots is how many starts may be under way at the same time. Less than
	// one counts as one.
	StartSlots int

	// HookSlots are the same for the starts of hooks. Less than one counts as many
	// as StartSlots.
	HookSlots int

	// Seed makes the jitter of the rests between restarts reproducible. Each
	// child has a generator of its own, seeded by this and its ID.
	Seed uint64

	// Next is when a schedule is due after a time; the zero time: never. nil: no
	// schedule is followed.
	Next func(*child.Schedule, time.Time) time.Time

	// LookTime is how long restored children wait for Seen before they start as
	// they were declared last; 0: they do not wait.
	LookTime time.Duration

	// Run names this life of the runtime in the correlation of facts that belong
	// to no command and to no attempt. It should be unique over restarts.
	Run string

	// ExitOnCritical ends the run, by an orderly shutdown, when a critical child
	// has ended for good: completed, failed, or quarantined by its limit.
	ExitOnCritical bool
}

// Tree is all children of one runtime and the rules between them. It is not
// safe for concurrent use: one loop owns it.
type Tree struct {
	cfg  Config
	now  Instant   // of the step under way
	wall time.Time // for display and records only

	correlation string // of the step under way, see correlation.go

	children    map[child.ID]*state
	sorted      []child.ID              // the keys of children; nil when it must be made anew
	incarnation uint64                  // the highest that was ever given
	dependants  map[child.ID][]child.ID // and sidecars, by primary
	members     map[child.ID][]child.ID // by supervisor, declared or not; sorted
	regroups    map[child.ID]*regroup   // restarts of groups under way
	marked      []*regroup              // those to be looked at before the step ends
	unwell      map[child.ID]struct{}   // critical children that cannot run
	strays      map[child.Key]*stray
	askers      map[string]*asker // who asked in vain lately
	alarms      alarms
	slots       slots
	connected   bool
	lost        string // why not, after the first connection
	noRealTime  bool   // what Adopted said of the shim
	epoch       uint64 // counts the connections
	lastProbe   uint64 // the number of the newest Probe
	shutdown    *shutdown
	left        *child.Cause // set once the tree was told to leave its children
	hooks       int          // hooks under way
	hookTurns   hookTurns

	// examine are the children that the step under way changed, or whose
	// dependencies it changed: they are looked at before it ends.
	examine []*state
	out     outbox
	scratch []child.ConditionState // for refreshConditions, to save allocations
}

// New is an empty tree. It is detached: no effect comes before the first Adopted.
func New(cfg Config) *Tree {
	cfg.StartSlots = max(cfg.StartSlots, 1)
	if cfg.HookSlots < 1 {
		cfg.HookSlots = cfg.StartSlots
	}
	return &Tree{
		cfg:        cfg,
		children:   map[child.ID]*state{},
		dependants: map[child.ID][]child.ID{},
		members:    map[child.ID][]child.ID{},
		regroups:   map[child.ID]*regroup{},
		unwell:     map[child.ID]struct{}{},
		strays:     map[child.Key]*stray{},
		askers:     map[string]*asker{},
	}
}

// Step tells the tree one event. now never goes back; wall is only shown and
// recorded. What the event leads to is collected until Ready is called.
func (t *Tree) Step(now Instant, wall time.Time, ev Event) {
	t.now, t.wall = max(now, t.now), wall
	defer t.within(t.beginning(ev))()
	switch ev := ev.(type) {
	case Command:
		t.command(ev)
	case Noted:
		t.noted(ev)
	case Adopted:
		t.adopted(ev)
	case Detached:
		t.detached(ev)
	case Started:
		t.started(ev)
	case StartFailed:
		t.startFailed(ev)
	case Exited:
		t.exited(ev)
	case Probed:
		t.probed(ev)
	case Notified:
		t.notified(ev)
	case LogChanged:
		t.logChanged(ev)
	case FilesSeen:
		t.filesSeen(ev)
	case Seen:
		t.seen(ev)
	case Ticked:
		t.tick()
	default:
		panic(fmt.Sprintf("machine: unknown event %T", ev))
	}
	t.settle()
}

// settle follows the consequences of a step until nothing changes any more.
func (t *Tree) settle() {
	for {
		for i := 0; i < len(t.examine); i++ { // it grows meanwhile
			s := t.examine[i]
			s.examining = false
			if !s.gone {
				t.look(s)
			}
		}
		clear(t.examine)
		t.examine = t.examine[:0]
		if s := t.takeSlot(); s != nil {
			t.start(s)
		} else if s := t.takeHook(); s != nil {
			t.startHook(s)
		} else if !t.gather() && !t.goDown() {
			return
		}
	}
}

// look brings what is derived of a child up to date: what it waits for, its
// conditions, its deadline, and what its dependants see of it.
func (t *Tree) look(s *state) {
	t.keepUp(s)
	t.removeInTurn(s)
	t.depend(s)
	t.await(s)
	t.arrange(s)
	t.arrangeRunLimit(s)
	t.arrangeSchedule(s)
	t.tellLimit(s)
	t.stir(s)
	t.judge(s)
	t.refreshConditions(s)
	at, on := t.wake(s)
	t.alarms.set(&s.alarm, at, on)
	t.offer(s)
}

// touch says that a child changed.
func (t *Tree) touch(s *state) {
	t.publish(s)
	t.lookAt(s)
}

// lookAt says that something changed that a child may wait for.
func (t *Tree) lookAt(s *state) {
	if !s.examining {
		s.examining = true
		t.examine = append(t.examine, s)
	}
}

// insert makes a new child, of an incarnation that was never given before.
func (t *Tree) insert(id child.ID, spec *child.Spec, origin child.Origin) *state {
	t.incarnation++
	return t.put(&state{
		id: id, incarnation: t.incarnation, spec: spec, origin: origin, operation: child.Active, correlation: t.correlation,
		betweenRuns: spec.Schedule != nil,
	})
}

func (t *Tree) put(s *state) *state {
	s.rng = generator(t.cfg.Seed, s.id)
	s.stopState = child.StopIdle
	s.alarm = alarm{key: child.Key{ID: s.id, Incarnation: s.incarnation}, child: s}
	t.children[s.id] = s
	t.sorted = nil
	t.index(s)
	t.enroll(s)
	return s
}

// leave is forget, once the hooks after its end are done.
func (t *Tree) leave(s *state) {
	if s.hook.on() {
		t.idle(s)
		return
	}
	if s.phase == child.Stopping {
		s.phase = child.Stopped
	}
	t.forget(s)
}

// forget makes a child that has no attempt disappear.
func (t *Tree) forget(s *state) {
	t.fact(s, ChildRemoved, "")
	t.lookAtStoppedAfter(s)
	s.gone = true
	t.save(s)
	t.leaveQueue(s)
	t.leaveGroup(s)
	t.unindex(s)
	t.strike(s)
	if _, was := t.unwell[s.id]; was {
		t.setUnwell(s, false)
	}
	t.alarms.set(&s.alarm, 0, false)
	delete(t.children, s.id)
	t.sorted = nil
	t.tellDependants(s.id)
}

// Next is when a Ticked is due; false when nothing waits for time to pass. It
// may lie in the past: then the tick is due now.
func (t *Tree) Next() (Instant, bool) {
	if len(t.alarms) == 0 || t.Done() {
		return 0, false
	}
	return t.alarms[0].at, true
}

// Done reports whether the tree was shut down and nothing is left to wait for, or
// was told to leave its children.
// The reply with the report is then in Ready or was taken from it.
func (t *Tree) Done() bool { return t.left != nil || t.shutdown != nil && t.shutdown.report != nil }

// Left says who told the tree to leave its children, and why; nil: nobody did.
func (t *Tree) Left() *child.Cause { return t.left }

// Report is how the tree went down; nil until Done.
func (t *Tree) Report() *ShutdownReport {
	if t.shutdown == nil {
		return nil
	}
	return t.shutdown.report
}

// Connected reports whether an Adopted was seen since the last Detached.
func (t *Tree) Connected() bool { return t.connected }

// IDs are all children, sorted. The slice is the caller's.
func (t *Tree) IDs() []child.ID { return slices.Clone(t.ids()) }

func (t *Tree) ids() []child.ID {
	if t.sorted == nil {
		t.sorted = make([]child.ID, 0, len(t.children))
		for id := range t.children {
			t.sorted = append(t.sorted, id)
		}
		slices.Sort(t.sorted)
	}
	return t.sorted
}
