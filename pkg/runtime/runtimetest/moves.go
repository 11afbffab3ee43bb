package runtimetest

import (
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

// move is one thing that may happen next. Its weight is how likely it is against
// the others, 0 when it cannot happen now.
type move struct {
	weight func(*sim) int
	do     func(*sim)
}

// works is how many of the moves are work: they alone happen when the faults
// have ended, in this order.
const works = 13

// moves is never written to.
var moves = [...]move{
	{weigh(64, func(s *sim) bool { return s.brain == nil }), (*sim).startBrain},
	{weigh(64, func(s *sim) bool { return s.brain != nil && s.brain.link == nil }), func(s *sim) { s.brain.connect() }},
	{weigh(160, func(s *sim) bool { return s.brain != nil && s.brain.canReceive() }), func(s *sim) { s.brain.receive() }},
	{weigh(160, func(s *sim) bool { return s.brain != nil && s.brain.canStep() }), func(s *sim) { s.brain.turn(1 + s.rng.IntN(3)) }},
	{weigh(320, func(s *sim) bool { return s.brain != nil && len(s.brain.todo) > 0 }), func(s *sim) { s.brain.carryOut() }},
	{weigh(64, func(s *sim) bool { return s.canPlan() }), func(s *sim) { s.operator.reconcile() }},
	{weigh(32, (*sim).canLook), func(s *sim) { s.operator.look() }},
	{weigh(160, func(s *sim) bool { return s.shim != nil && len(s.shim.recover) > 0 }), func(s *sim) { s.shim.recoverOne() }},
	{weigh(160, func(s *sim) bool { return s.shim != nil && s.shim.canServe() }), func(s *sim) { s.shim.serve() }},
	{weigh(160, (*sim).canHandle), func(s *sim) { s.shim.handleNext() }},
	{weigh(160, func(s *sim) bool { return s.shim != nil && len(s.shim.ready()) > 0 }), (*sim).shimSteps},
	{weigh(160, func(s *sim) bool { return s.brain != nil && s.brain.answerDue() }), func(s *sim) { s.brain.answer() }},
	{weigh(160, func(s *sim) bool { return s.kernel.due() != nil }), func(s *sim) { s.kernel.end(s.kernel.due()) }},

	{func(*sim) int { return 64 }, (*sim).pass},
	{func(*sim) int { return 8 }, func(s *sim) { s.operator.edit() }},
	{weigh(20, (*sim).listens), func(s *sim) { s.operator.command() }},
	{fault((*sim).listens, func(f faults) int { return f.shutdown }), func(s *sim) { s.operator.shutdown() }},
	{fault((*sim).listens, func(f faults) int { return f.spurious }), (*sim).spuriousTick},
	{fault(func(s *sim) bool { return s.brain != nil }, func(f faults) int { return f.crashBrain }), (*sim).crashBrain},
	{fault(func(s *sim) bool { return s.shim != nil }, func(f faults) int { return f.crashShim }), (*sim).crashShim},
	{fault(func(s *sim) bool { return s.brain != nil && s.shim != nil }, func(f faults) int { return f.crashBoth }), (*sim).crashBoth},
	{fault(func(s *sim) bool { return s.brain != nil && s.brain.link != nil }, func(f faults) int { return f.cut }), (*sim).cutLink},
	{weigh(8, func(s *sim) bool { return s.kernel.strangers() < 4 }), func(s *sim) { s.kernel.stranger(s.upTo(5 * time.Second)) }},
	{fault(func(*sim) bool { return true }, func(f faults) int { return f.jump }), (*sim).jump},
}

func weigh(weight int, possible func(*sim) bool) func(*sim) int {
	return func(s *sim) int {
		if possible(s) {
			return weight
		}
		return 0
	}
}

// fault weights are small against those of work: the mean schedule has some.
func fault(possible func(*sim) bool, rate func(faults) int) func(*sim) int {
	return func(s *sim) int {
		if possible(s) {
			return rate(s.fault)
		}
		return 0
	}
}

func (s *sim) listens() bool { return s.brain != nil && !s.brain.tree.Done() && len(s.brain.inbox) < 4 }

func (s *sim) canPlan() bool {
	if s.brain == nil || s.brain.tree.Done() {
		return false
	}
	_, ok := s.operator.plan()
	return ok
}

func (s *sim) canHandle() bool {
	return s.shim != nil && len(s.shim.recover) == 0 && s.shim.serving != nil && len(s.shim.serving.up) > 0
}

func (s *sim) shimSteps() {
	ready := s.shim.ready()
	s.shim.step(ready[s.rng.IntN(len(ready))])
}

func (s *sim) startBrain() {
	s.logf("a brain begins")
	s.brain = newBrain(s)
}

// killBrain is kill -9: what it was told and did not record is forgotten; what
// it sent is still on its way.
func (s *sim) killBrain() {
	s.brain.unchanged()
	if l := s.brain.link; l != nil {
		l.left = true
		l.down = nil
	}
	s.brain = nil
	s.operator.forget()
}

func (s *sim) crashBrain() {
	s.logf("kill -9 brain")
	s.count.BrainKills++
	s.killBrain()
}

// crashShim is kill -9 of the shim: its table and its children stay.
func (s *sim) crashShim() {
	s.logf("kill -9 shim")
	s.count.ShimKills++
	m := s.shim
	s.shim = nil
	for _, l := range m.waiting {
		l.dead = true
	}
	if m.serving != nil {
		m.serving.dead = true
	}
	s.kernel.orphan(m)
}

func (s *sim) crashBoth() {
	s.crashBrain()
	s.crashShim()
}

func (s *sim) cutLink() {
	s.count.Cuts++
	s.cut(s.brain.link)
}

// pass lets time pass: mostly to the next moment at which something is due,
// sometimes less, sometimes more, so that everything may be late.
func (s *sim) pass() {
	at := s.nextTimer()
	switch {
	case s.chance(15) || at == never:
		s.now += s.upTo(500 * time.Millisecond)
	case at <= s.now:
		s.now += s.upTo(time.Millisecond)
	case s.chance(25):
		s.now += s.upTo(at - s.now)
	default:
		s.now = at
	}
}

// jump is what a wrong clock that is set right does to the wall time.
func (s *sim) jump() {
	s.skew += s.upTo(2*time.Hour) - time.Hour
	s.logf("the wall clock is off by %v", s.skew)
}

func (s *sim) spuriousTick() {
	if b := s.brain; len(b.todo) == 0 {
		b.step(machine.Ticked{})
		b.take()
	}
}
