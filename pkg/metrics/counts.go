package metrics

import (
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

// requested is the reason of a restart that no exit of its own led to: a command,
// a changed manifest, the end of a pause.
const requested = "requested"

// counts are what happened to one child in this process's life. There is one for
// each of 10,000 children, so it is small while nothing has happened.
type counts struct {
	exits    tally          // by kind
	restarts tally          // by reason
	last     child.ExitKind // of the attempt before; "" if there was none
	starting time.Time      // since when; zero: it is not
}

// tally counts by label. There are ten labels at most, and mostly one.
type tally []labelled

type labelled struct {
	label string
	n     uint64
}

func (t *tally) add(label string) {
	for i := range *t {
		if (*t)[i].label == label {
			(*t)[i].n++
			return
		}
	}
	*t = append(*t, labelled{label, 1})
}

// all calls with each label and its number, also with that for which a zero is
// told before it first happens: alerts are about failures.
func (t tally) all(with func(label string, n uint64)) {
	failed := false
	for _, l := range t {
		with(l.label, l.n)
		failed = failed || l.label == string(child.FailedExit)
	}
	if !failed {
		with(string(child.FailedExit), 0)
	}
}

// known begins to count for a child that is there already.
func (m *Metrics) known(s *child.Snapshot) {
	c := &counts{}
	if s.LastExit != nil {
		c.last = s.LastExit.Kind
	}
	m.byID[s.ID] = c
}

// Observe counts what happened. at is one moment for all facts, with a monotonic
// reading. The facts of the runtime must come in their order, each once.
func (m *Metrics) Observe(facts []machine.Fact, at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range facts {
		f := &facts[i]
		if f.Command != nil {
			m.commands.WithLabelValues(string(f.Command.Verb), string(f.Command.Decision)).Inc()
		}
		switch f.Kind {
		case machine.ChildAdded:
			m.byID[f.Child] = &counts{}
		case machine.ChildRemoved:
			delete(m.byID, f.Child)
		}
		if c := m.byID[f.Child]; c != nil {
			m.count(c, f, at)
		}
	}
}

func (m *Metrics) count(c *counts, f *machine.Fact, at time.Time) {
	switch f.Kind {
	case machine.ChildStarting:
		c.starting = at
		if f.Attempt > 1 {
			c.restarts.add(c.reason())
		}
	case machine.ChildRunning:
		m.took(c, "running", at)
	case machine.ChildReady:
		m.took(c, "ready", at)
		c.starting = time.Time{}
	case machine.ChildExited, machine.ChildStartFailed:
		c.starting = time.Time{}
		if f.Exit != nil {
			c.exits.add(string(f.Exit.Kind))
			c.last = f.Exit.Kind
		}
	}
}

func (m *Metrics) took(c *counts, until string, at time.Time) {
	if !c.starting.IsZero() { // it was not adopted
		m.starts.WithLabelValues(until).Observe(at.Sub(c.starting).Seconds())
	}
}

// reason is why the next attempt is made: how the one before ended.
func (c *counts) reason() string {
	if c.last == "" || c.last == child.Cancelled {
		return requested
	}
	return string(c.last)
}
