package runtimetest

import (
	"fmt"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

// retryRefused is when a refused action of the planner is tried again.
const retryRefused = 100 * time.Millisecond

// ghost is a child that nobody ever declares.
const ghost child.ID = "ghost"

// wish is one child of the desired state.
type wish struct {
	spec   *child.Spec
	origin child.Origin
}

// operator is everybody who commands the runtime: the people with their random
// commands, and the planner that makes the children what is desired.
type operator struct {
	s       *sim
	ids     []child.ID
	desired map[child.ID]*wish
	version uint64
	last    int // the number of the last command
	asked   map[machine.CommandID]machine.Command
	planned map[child.ID]bool // an action of the planner waits for its answer
	retry   map[child.ID]time.Duration
	report  *machine.ShutdownReport
}

func newOperator(s *sim) *operator {
	o := &operator{s: s, desired: map[child.ID]*wish{}, retry: map[child.ID]time.Duration{}}
	o.forget()
	o.ids = s.randomIDs()
	for i := range o.ids {
		if s.rng.IntN(4) > 0 {
			o.declare(i)
		}
	}
	return o
}

// forget is what the death of a brain does to those who wait for its answers.
func (o *operator) forget() {
	o.asked = map[machine.CommandID]machine.Command{}
	o.planned = map[child.ID]bool{}
	o.s.truth.pending = map[machine.CommandID]bound{}
}

// edit changes the desired state somewhere.
func (o *operator) edit() {
	if o.s.brain == nil {
		o.s.count.Edits++
	}
	i := o.s.rng.IntN(len(o.ids))
	id := o.ids[i]
	if o.desired[id] != nil && o.s.rng.IntN(3) == 0 {
		o.s.logf("desired: no %s", id)
		delete(o.desired, id)
		return
	}
	o.declare(i)
}

// declare gives child i a new spec. Half of the changes of a child that was
// there need no new attempt.
func (o *operator) declare(i int) {
	o.version++
	id := o.ids[i]
	spec := o.s.randomSpec(id, o.ids[:i])
	spec.Command = []string{"run", fmt.Sprint(o.version)}
	generation := uint64(1)
	if was := o.desired[id]; was != nil {
		generation = was.origin.Generation + 1
		if o.s.rng.IntN(2) == 0 {
			spec.Kind, spec.Command = was.spec.Kind, was.spec.Command
		}
	}
	o.s.logf("desired: %s version %d", id, o.version)
	o.desired[id] = &wish{spec, child.Origin{File: string(id) + ".yaml", Document: 1, Hash: fmt.Sprint(o.version), Generation: generation}}
}

// plan is the next action that makes the published children what is desired.
func (o *operator) plan() (machine.Command, bool) {
	b := o.s.brain
	if b == nil || b.told == 0 { // nothing is planned before the first adoption
		return machine.Command{}, false
	}
	for _, id := range o.ids {
		if o.planned[id] || o.retry[id] > o.s.now {
			continue
		}
		if verb, ok := o.action(o.desired[id], b.board[id]); ok {
			c := machine.Command{Verb: verb, Child: id, Cause: child.Cause{RequestedBy: "reconciler", Reason: "manifest"}}
			if w := o.desired[id]; w != nil {
				c.Spec, c.Origin = w.spec, w.origin
			}
			return c, true
		}
	}
	return machine.Command{}, false
}

func (o *operator) action(want *wish, have *child.Snapshot) (machine.Verb, bool) {
	switch {
	case want == nil && have == nil:
		return "", false
	case have == nil:
		return machine.Add, true
	case want == nil:
		return machine.Remove, have.Operation != child.Removed
	case have.Operation == child.Removed: // added again once it is gone
		return "", false
	case have.Origin.Hash == want.origin.Hash:
		return "", false
	case have.Spec.Kind != want.spec.Kind || have.Spec.Command[1] != want.spec.Command[1]:
		return machine.Replace, true
	}
	return machine.Update, true
}

// reconcile asks for the next action of the plan.
func (o *operator) reconcile() {
	if c, ok := o.plan(); ok {
		o.planned[c.Child] = true
		o.ask(c)
	}
}

func (o *operator) ask(c machine.Command) machine.CommandID {
	o.last++
	c.ID = machine.CommandID(fmt.Sprint(o.last))
	o.asked[c.ID] = c
	o.s.logf("operator: command %s: %s %s", c.ID, c.Verb, c.Child)
	o.s.brain.inbox = append(o.s.brain.inbox, c)
	return c.ID
}

// nextTimer is when a refused action is tried again.
func (o *operator) nextTimer() time.Duration {
	at := never
	for _, id := range o.ids {
		if t := o.retry[id]; t > o.s.now {
			at = min(at, t)
		}
	}
	return at
}

var verbs = []machine.Verb{
	machine.Restart, machine.Restart, machine.Pause, machine.Pause, machine.Resume, machine.Resume, machine.Resume,
	machine.Quarantine, machine.SendSignal, machine.Remove,
}

var signals = []string{"SIGHUP", "SIGUSR1", "SIGTERM", "SIGKILL"}

// command is one random command of a person, rarely a mistaken one.
func (o *operator) command() {
	rng := o.s.rng
	c := machine.Command{
		Verb: verbs[rng.IntN(len(verbs))], Child: o.ids[rng.IntN(len(o.ids))],
		Cause: child.Cause{RequestedBy: "somebody", Reason: "so it is"},
	}
	switch rng.IntN(40) {
	case 0:
		c.Child = ghost
	case 1:
		c.Cause.Reason = " "
	}
	if c.Verb == machine.SendSignal {
		c.Signal = signals[rng.IntN(len(signals))]
	}
	o.ask(c)
}

// shutdown asks for the end of the tree, and perhaps at once for its hurry.
func (o *operator) shutdown() {
	o.report = nil
	o.ask(machine.Command{Verb: machine.ShutdownTree, Cause: child.Cause{RequestedBy: "somebody", Reason: "time to go"}})
	if o.s.rng.IntN(3) == 0 {
		o.ask(machine.Command{Verb: machine.HurryUp, Cause: child.Cause{RequestedBy: "somebody", Reason: "quickly"}})
	}
}

// answered is called with each reply.
func (o *operator) answered(r machine.Reply) {
	c, ok := o.asked[r.To]
	if !ok {
		o.s.failf("reply to command %s, which nobody asked", r.To)
	}
	delete(o.asked, r.To)
	o.s.truth.answered(r)
	rejected := r.Decision == machine.Rejected
	switch {
	case c.Child == ghost && r.Code != machine.ErrChildNotFound && r.Code != machine.ErrShuttingDown && r.Code != machine.ErrInvalid:
		o.s.failf("command %s to an unknown child: %s %s", r.To, r.Decision, r.Code)
	case c.Cause.Reason == " " && !rejected:
		o.s.failf("command %s without a reason: %s", r.To, r.Decision)
	case rejected && (r.Code == "" || r.Message == ""):
		o.s.failf("command %s (%s %s) is rejected without code or message", r.To, c.Verb, c.Child)
	case c.Verb == machine.ShutdownTree:
		o.report = r.Report
		o.s.count.Shutdowns++
	}
	if c.Cause.RequestedBy == "reconciler" {
		o.planned[c.Child] = false
		if rejected {
			o.retry[c.Child] = o.s.now + retryRefused
		}
	}
}
