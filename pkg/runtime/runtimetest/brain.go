package runtimetest

import (
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

// startSlots is small, so that children wait for one.
const startSlots = 2

// brain is one life of the process around the tree: the shell of package
// runtime, cut into single steps so that it can be killed between any two.
type brain struct {
	s      *sim
	tree   *machine.Tree
	begun  time.Duration // the zero of its Instant
	link   *link         // nil: not connected
	told   int           // the number of the link whose Adopted the tree has seen
	events []arrival
	looks  []look           // probes under way
	probed []machine.Probed // their answers that the tree was not told of
	inbox  []machine.Command
	todo   []func() // what is left of the last Ready, in order
	board  map[child.ID]*child.Snapshot
	asked  map[machine.CommandID]machine.Verb
	spins  int  // Ticked in a row that changed neither the time nor the deadline
	down   bool // a shutdown was asked for
	hurry  bool
	wait   time.Duration      // for a look, see look.go
	unseen map[child.ID]bool  // restored, and not looked at since
	seen   []child.ID         // looked at; the tree was not told yet
	before map[child.Key]bool // what was being stopped when it was
	proofs []proof
}

// arrival is an event and the number of the link that it came from.
type arrival struct {
	machine.Event
	link int
}

// newBrain restores a tree from what earlier lives recorded.
func newBrain(s *sim) *brain {
	b := &brain{s: s, begun: s.now, board: map[child.ID]*child.Snapshot{}, asked: map[machine.CommandID]machine.Verb{}}
	cfg := machine.Config{StartSlots: startSlots, Seed: s.opt.Seed, LookTime: s.lookTime()}
	if b.wait = cfg.LookTime; s.broken(StartUnseen) {
		cfg.LookTime = 0
	}
	b.tree = machine.Restore(cfg, 0, s.wall(), s.restored())
	b.notLookedAt()
	for _, id := range b.tree.IDs() {
		b.publish(id)
	}
	b.take()
	return b
}

// restored is the newest record of each child, read back as a real store would.
func (s *sim) restored() []machine.Record {
	var recs []machine.Record
	for _, id := range slices.Sorted(maps.Keys(s.store)) {
		data, err := json.Marshal(s.store[id])
		if err != nil {
			s.failf("record of %s: %v", id, err)
		}
		var rec machine.Record
		if err := json.Unmarshal(data, &rec); err != nil {
			s.failf("record of %s: %v", id, err)
		}
		if rec.Gone && s.broken(ForgetRemoved) {
			continue
		}
		recs = append(recs, rec)
	}
	return recs
}

func (b *brain) instant() machine.Instant { return machine.Instant(b.s.now - b.begun) }

// connect opens a connection; a shim is started when none lives.
func (b *brain) connect() {
	s := b.s
	if s.shim == nil {
		s.shim = newShim(s)
		s.logf("a shim begins, %d rows in its table", len(s.table.rows))
	}
	s.links++
	b.link = &link{number: s.links}
	s.shim.waiting = append(s.shim.waiting, b.link)
	s.logf("link %d is open", b.link.number)
}

// receive takes one event from the connection; at its end it is lost.
func (b *brain) receive() {
	l := b.link
	if len(l.down) > 0 {
		b.events = append(b.events, arrival{l.down[0], l.number})
		l.down = l.down[1:]
		return
	}
	b.receiveAll(l)
}

func (b *brain) receiveAll(l *link) {
	for _, ev := range l.down {
		b.events = append(b.events, arrival{ev, l.number})
	}
	l.down = nil
	b.events = append(b.events, arrival{machine.Detached{Reason: "connection lost"}, l.number})
	b.link = nil
}

func (b *brain) canReceive() bool {
	return b.link != nil && (len(b.link.down) > 0 || b.link.dead)
}

// tickDue reports whether the alarm that the tree asked for has rung.
func (b *brain) tickDue() bool {
	at, ok := b.tree.Next()
	return ok && at <= b.instant()
}

func (b *brain) canStep() bool {
	return len(b.todo) == 0 && !b.tree.Done() && (len(b.events) > 0 || len(b.seen) > 0 || len(b.probed) > 0 || len(b.inbox) > 0 || b.tickDue())
}

// turn takes one or several events, in the order of none of the sources, and
// then what they left to do.
func (b *brain) turn(most int) {
	for range most {
		if !b.canStep() {
			break
		}
		b.stepOne()
	}
	b.take()
}

func (b *brain) stepOne() {
	var sources []func()
	if len(b.events) > 0 {
		sources = append(sources, b.stepEvent)
	}
	if len(b.probed) > 0 {
		sources = append(sources, b.stepProbed)
	}
	if len(b.inbox) > 0 {
		sources = append(sources, b.stepCommand)
	}
	if len(b.seen) > 0 {
		sources = append(sources, b.stepSeen)
	}
	if b.tickDue() {
		sources = append(sources, b.stepTick)
	}
	sources[b.s.rng.IntN(len(sources))]()
}

func (b *brain) stepEvent() {
	ev := b.events[0]
	b.events = b.events[1:]
	b.spins = 0
	b.step(ev.Event)
	switch ev.Event.(type) {
	case machine.Adopted:
		b.told = ev.link
	case machine.Detached:
		b.dropLooks(func(look) bool { return true })
	}
}

func (b *brain) stepCommand() {
	c := b.inbox[0]
	b.inbox = b.inbox[1:]
	b.spins = 0
	b.asked[c.ID] = c.Verb
	b.s.truth.commanded(b.tree, c)
	b.notice(c)
	b.step(c)
	b.s.truth.commanded(b.tree, c)
	if c.Spec != nil {
		delete(b.unseen, c.Child) // it is what was declared when that was asked for
	}
}

// stepTick also sees to it that a deadline is not asked for again and again
// without anything coming of it.
func (b *brain) stepTick() {
	b.step(machine.Ticked{})
	if !b.tickDue() {
		b.spins = 0
		return
	}
	if b.spins++; b.spins > 100 {
		at, _ := b.tree.Next()
		b.s.failf("the tree spins: Next is %v at %v, again and again", time.Duration(at), time.Duration(b.instant()))
	}
}

func (b *brain) step(ev machine.Event) {
	b.s.logf("brain: %s", show(ev))
	b.tree.Step(b.instant(), b.s.wall(), ev)
	if err := b.tree.Check(); err != nil {
		b.s.failf("after %s: the tree is inconsistent: %v", show(ev), err)
	}
}

// take turns a Ready into single steps, in its order: records, effects,
// snapshots, replies.
func (b *brain) take() {
	r := b.tree.Ready()
	b.s.truth.told(b, r.Facts)
	if len(r.Records)+len(r.Facts)+len(r.Replies) > 0 || slices.ContainsFunc(r.Effects, isNoProbe) {
		b.s.changed = b.s.now
	}
	var records, starts, effects []func()
	for _, rec := range r.Records {
		records = append(records, func() { b.record(rec) })
	}
	for _, e := range r.Effects {
		switch e := e.(type) {
		case machine.Signal:
			if e.Tree {
				b.s.truth.decided(b, e)
			}
		case machine.Start:
			b.s.truth.hooked(e.Key)
			b.mayStart(e)
		}
		if _, ok := e.(machine.Start); ok && b.s.broken(StartFirst) {
			starts = append(starts, func() { b.act(e) })
			continue
		}
		effects = append(effects, func() { b.act(e) })
	}
	switch {
	case b.s.broken(ActFirst):
		b.todo = slices.Concat(effects, records)
	case b.s.broken(SkipRecords):
		b.todo = effects
	default:
		b.todo = slices.Concat(starts, records, effects)
	}
	for _, id := range r.Changed {
		b.todo = append(b.todo, func() { b.publish(id) })
	}
	for _, reply := range r.Replies {
		b.todo = append(b.todo, func() { b.reply(reply) })
	}
}

// carryOut does the next step of the last Ready.
func (b *brain) carryOut() {
	next := b.todo[0]
	b.todo = b.todo[1:]
	next()
	if len(b.todo) == 0 {
		b.allAnswered()
		if b.s.thorough {
			b.allPublished()
		}
	}
}

func (b *brain) record(rec machine.Record) {
	b.s.logf("brain: records %s", show(rec))
	if b.s.broken(ForgetGroups) {
		rec.Group = nil
	}
	b.s.truth.written(rec)
	b.s.store[rec.ID] = rec
}

// act sends an effect to the shim. It is dropped while the tree has not yet seen
// what lives on the connection that is open now.
func (b *brain) act(e machine.Effect) {
	if _, ok := e.(machine.Signal); ok && b.s.broken(DropSignals) {
		return
	}
	switch e := e.(type) {
	case machine.Probe:
		b.probe(e)
		return
	case machine.CancelProbe:
		b.dropLooks(func(l look) bool { return l.Key == e.Key && l.Role == e.Role && l.Number == e.Number })
		return
	}
	open := b.link != nil && !b.link.dead
	if !open || b.told != b.link.number && !b.s.broken(SendEarly) {
		b.s.logf("brain: drops %s", show(e))
		return
	}
	if start, ok := e.(machine.Start); ok && !b.s.calm && b.s.chance(b.s.habits.unresolvable) {
		failed := machine.StartFailed{Key: start.Key, Reason: "no such user", At: b.s.wall()}
		b.events = append(b.events, arrival{failed, b.link.number}) // the shim never hears of it
		return
	}
	b.s.logf("brain: asks %s", show(e))
	b.link.up = append(b.link.up, e)
}

func (b *brain) publish(id child.ID) {
	snap, ok := b.tree.Snapshot(id)
	if !ok {
		delete(b.board, id)
		return
	}
	b.board[id] = snap
	b.keep(snap)
	if snap.Ready && snap.PID > 0 { // a folder is ready too
		b.s.truth.of(keyOf(snap)).wasReady = true
	}
}

func (b *brain) reply(r machine.Reply) {
	b.s.logf("brain: answers %s: %s %s %s", r.To, r.Decision, r.Code, r.Message)
	if _, ok := b.asked[r.To]; !ok {
		b.s.failf("reply to command %s, which was not asked or was answered before", r.To)
	}
	delete(b.asked, r.To)
	b.s.operator.answered(r)
}

// allAnswered checks that every command was answered in the step that took it;
// a shutdown is answered at its end.
func (b *brain) allAnswered() {
	for _, id := range slices.Sorted(maps.Keys(b.asked)) {
		if b.asked[id] != machine.ShutdownTree {
			b.s.failf("command %s (%s) was not answered", id, b.asked[id])
		}
	}
}
