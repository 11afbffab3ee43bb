package handletest

import (
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reconciler-dev/reconciler/pkg/runtime"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/journal"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

// Test holds a door to the contract.
func Test(t *testing.T, d Door) {
	d.vain = new(atomic.Bool)
	rows, err := table()
	must(t, err)
	if len(rows) < 150 {
		t.Fatalf("only %d lines of the table of docs/semantics.md were read", len(rows))
	}
	for _, r := range rows {
		if slices.Contains(d.Without, r.Verb) {
			continue
		}
		t.Run(string(r.Verb)+", "+r.State, func(t *testing.T) { testRow(t, d, r) })
	}
	testLives(t, d)
	t.Run("the gate", func(t *testing.T) { testGate(t, d) })
	t.Run("reading", func(t *testing.T) { testReading(t, d) })
}

// asked is who commands, and why, in every line of the table.
var asked = child.Cause{RequestedBy: "olga", Reason: "because the table says so"}

// testRow gives one command in one state: what is answered, what the child comes to at
// once and in the end, what is recorded, and what has no effect.
func testRow(t *testing.T, d Door, r row) {
	t.Parallel() // most of the time goes into waiting for the disk of the journal
	set, ok := states[r.State]
	if !ok {
		t.Fatalf("docs/semantics.md has the state %q, which this suite does not know: say in states.go how a child comes into it", r.State)
	}
	s := connected(t, d)
	set(s)
	s.world.freeze()
	r = d.applied(r, s.a())
	before, _ := s.handle.Child("a")
	entries, effects := len(s.journal()), s.world.soFar()

	got := s.give(r.Verb, entries)

	s.checkAnswer(r, got)
	s.checkAudit(r, got, entries)
	if after, _ := s.handle.Child("a"); got.changedNothing() && after != before {
		t.Errorf("it was %s, and the child became %+v; it was %+v", got.answer, after, before)
	}
	s.checkEffects(r, got, s.world.soFar()[len(effects):])
	s.checkRepeat(r, got)
	s.checkEnd(r)
}

// given is what came of a command.
type given struct {
	outcome runtime.Outcome
	err     error
	answer  string // as the page says it
}

// changedNothing reports whether the answer says that all is as it was.
func (g given) changedNothing() bool {
	return g.err != nil || g.outcome.Decision == machine.Idempotent || g.outcome.Decision == machine.AlreadyPending
}

// command is the command of a line of the table.
func (s *stage) command(v machine.Verb) machine.Command {
	c := machine.Command{Verb: v, Child: "a", Cause: asked}
	switch v {
	case machine.Add, machine.Update, machine.Replace:
		spec := plain()
		if s.spec != nil {
			*spec = *s.spec
		}
		switch v {
		case machine.Update:
			spec.Tags = []string{"updated"}
		case machine.Replace:
			spec.Command = []string{"other"}
		}
		c.Spec, c.Origin = spec, requested(spec, 2)
	case machine.SendSignal:
		c.Signal = "SIGHUP"
	}
	return c
}

// give gives the command of a line. A shutdown is answered when the tree is down, so
// there the journal says what was decided.
func (s *stage) give(v machine.Verb, entries int) given {
	s.t.Helper()
	if v != machine.ShutdownTree {
		o, err := s.control.Command(s.t.Context(), s.command(v))
		return given{o, err, answerOf(o, err)}
	}
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		_, _ = s.control.ShutdownTree(s.t.Context(), asked)
	}()
	s.t.Cleanup(func() { <-answered })
	var c *journal.Command
	s.until("told of a shutdown", func() bool {
		for _, e := range s.journal()[entries:] {
			if e.Command != nil {
				c = e.Command
			}
		}
		return c != nil
	})
	g := given{outcome: runtime.Outcome{CommandID: c.ID, Decision: c.Result}}
	g.answer = answerOf(g.outcome, nil)
	return g
}

// checkAnswer compares what was answered, and what the child is with the answer.
func (s *stage) checkAnswer(r row, got given) {
	s.t.Helper()
	if got.answer != r.answer {
		s.t.Errorf("%s in state %q is answered %s (%v), want %s", r.Verb, r.State, got.answer, got.err, r.answer)
	}
	if r.Verb == machine.ShutdownTree {
		s.until("in its first step", func() bool { return s.a() == r.now })
	}
	if now := s.a(); now != r.now {
		s.t.Errorf("%s in state %q: with the answer the child is %q, want %q", r.Verb, r.State, now, r.now)
	}
	o := got.outcome
	if o.Decision == machine.Idempotent && o.Before != o.After {
		s.t.Errorf("it is idempotent, and the operation was %q and is %q", o.Before, o.After)
	}
}

// checkAudit wants exactly one entry of the command, with all that an audit needs, and
// behind it what it led to.
func (s *stage) checkAudit(r row, got given, entries int) {
	s.t.Helper()
	all := s.journal()
	at := slices.IndexFunc(all[entries:], func(e journal.Entry) bool { return e.Command != nil }) + entries
	if at < entries {
		s.t.Errorf("there is no entry of the command in %v", kinds(all[entries:]))
		return
	}
	e := all[at]
	want := journal.Command{ID: got.outcome.CommandID, Verb: r.Verb, Target: "/a", Result: got.outcome.Decision, Code: codeOf(got.err)}
	if v := s.door.Differs[r.Cell].Verb; v != "" {
		want.Verb = v
	}
	kind := machine.CommandAccepted
	if got.err != nil {
		kind, want.Result, want.ID = machine.CommandRefused, machine.Rejected, e.Command.ID // a refusal has no number
	}
	switch r.Verb {
	case machine.ShutdownTree, machine.Leave:
		want.Target, want.ID = "/", e.Command.ID
	case machine.SendSignal:
		want.Signal = "SIGHUP"
	}
	if diff := cmp.Diff(want, *e.Command); diff != "" || e.Type != kind || e.Command.ID == "" {
		s.t.Errorf("the entry is a %s, want %s, with (-want +got):\n%s", e.Type, kind, diff)
	}
	why := e.Request
	if why == "" {
		why = e.Reason
	}
	if by := s.door.asks(asked.RequestedBy); e.RequestedBy != by || why != asked.Reason || e.CorrelationID != string(e.Command.ID) || e.Time.IsZero() {
		s.t.Errorf("the entry is %+v; want who asked (%s), why (%s), when, and the correlation %s", e, by, asked.Reason, e.Command.ID)
	}
	for i, other := range all {
		if other.Sequence != uint64(i+1) {
			s.t.Errorf("entry %d has the number %d", i+1, other.Sequence)
		}
		switch belongs := other.CorrelationID == e.CorrelationID; {
		case i != at && belongs && other.Command != nil:
			s.t.Errorf("a second entry of the command: %+v", other)
		case i < at && belongs:
			s.t.Errorf("%s is told before the command that led to it", other.Type)
		}
	}
}

func kinds(all []journal.Entry) (k []machine.FactKind) {
	for _, e := range all {
		k = append(k, e.Type)
	}
	return k
}

// checkEffects wants no effect of what changed nothing, and one of a signal.
func (s *stage) checkEffects(r row, got given, effects []string) {
	s.t.Helper()
	signals := slices.DeleteFunc(slices.Clone(effects), func(e string) bool { return !strings.HasPrefix(e, "SIGHUP a#") })
	switch {
	case got.changedNothing() && len(effects) > 0:
		s.t.Errorf("%s was answered %s, and had the effects %v", r.Verb, got.answer, effects)
	case r.Verb == machine.SendSignal && got.err == nil && len(signals) != 1:
		s.t.Errorf("effects = %v, want one SIGHUP to a", effects)
	}
}

// checkRepeat asks for the same again: that is what a caller does who did not hear the
// answer.
func (s *stage) checkRepeat(r row, got given) {
	s.t.Helper()
	switch r.Verb {
	case machine.Pause, machine.Resume, machine.Quarantine, machine.Remove:
	default:
		return
	}
	if got.err != nil {
		return
	}
	now, effects := s.a(), s.world.soFar()

	o, err := s.control.Command(s.t.Context(), s.command(r.Verb))

	want := "`idempotent`"
	if now == "no such child" {
		want = "refused: `child_not_found`"
	}
	if again := answerOf(o, err); again != want {
		s.t.Errorf("the same again is answered %s, want %s", again, want)
	}
	if after := s.a(); after != now || len(s.world.soFar()) != len(effects) {
		s.t.Errorf("the same again made %q of %q, with the effects %v", after, now, s.world.soFar()[len(effects):])
	}
}

// checkEnd lets everything happen and waits for what the page says that it comes to.
// What waits for time alone is not waited for.
func (s *stage) checkEnd(r row) {
	s.t.Helper()
	s.world.thaw()
	if strings.HasPrefix(r.now, "Backoff") || s.t.Failed() {
		return
	}
	if h := s.handle.Health(); !h.Connected && h.Report == nil {
		s.world.tell(machine.Adopted{Processes: s.world.alive()})
	}
	if r.end != "" {
		s.until(r.end, func() bool { return s.a() == r.end })
	}
}
