package handletest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reconciler-dev/reconciler/pkg/runtime"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/journal"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

// testGate gives commands that nobody may give like this. Each is refused, changes
// nothing, and is recorded.
func testGate(t *testing.T, d Door) {
	for _, v := range []machine.Verb{
		machine.Add, machine.Update, machine.Replace, machine.Remove, machine.Restart, machine.Pause, machine.Resume,
		machine.Quarantine, machine.SendSignal, machine.ShutdownTree, machine.HurryUp, machine.Leave,
	} {
		if slices.Contains(d.Without, v) {
			continue
		}
		t.Run(string(v)+" without a reason", func(t *testing.T) {
			s := connected(t, d)
			s.running(nil)
			s.refuse(v, func(c *machine.Command) { c.Cause.Reason = " \t" }, machine.ErrInvalid, "reason")
		})
		if d.asks("") == "" {
			t.Run(string(v)+" without an actor", func(t *testing.T) {
				s := connected(t, d)
				s.running(nil)
				s.refuse(v, func(c *machine.Command) { c.Cause.RequestedBy = " " }, machine.ErrInvalid, "requested_by")
			})
		}
		t.Run(string(v)+" by somebody who does not wait", func(t *testing.T) {
			s := connected(t, d)
			s.running(nil)
			over, cancel := context.WithCancelCause(t.Context())
			cancel(errProgram)
			if err := s.ask(over, s.command(v)); !errors.Is(err, errProgram) && !(err == nil && v != machine.ShutdownTree) {
				t.Errorf("%s = %v, want the cause of its context, or the answer", v, err)
			}
		})
	}
	t.Run("what is blank comes before what is not there", func(t *testing.T) {
		s := connected(t, d)
		s.refuse(machine.Pause, func(c *machine.Command) { c.Cause.Reason = "" }, machine.ErrInvalid, "reason")
	})
	t.Run("a signal that there is not", func(t *testing.T) {
		s := connected(t, d)
		s.running(nil)
		s.refuse(machine.SendSignal, func(c *machine.Command) { c.Signal = "SIGNONE" }, machine.ErrInvalid, "SIGNONE")
	})
}

// ask gives a command and returns what is said against it.
func (s *stage) ask(ctx context.Context, c machine.Command) error {
	if c.Verb == machine.ShutdownTree {
		_, err := s.control.ShutdownTree(ctx, c.Cause)
		return err
	}
	_, err := s.control.Command(ctx, c)
	return err
}

// refuse gives a command with something wrong in it.
func (s *stage) refuse(v machine.Verb, spoil func(*machine.Command), code machine.ErrorCode, names string) {
	s.t.Helper()
	c := s.command(v)
	spoil(&c)
	before, effects, entries := s.a(), s.world.soFar(), len(s.journal())

	err := s.ask(s.t.Context(), c)

	if got := codeOf(err); got != code || !strings.Contains(err.Error(), names) {
		s.t.Errorf("%s is answered %v (code %q), want %s, naming %s", v, err, got, code, names)
	}
	if after := s.a(); after != before || len(s.world.soFar()) != len(effects) {
		s.t.Errorf("refused, it made %q of %q, with the effects %v", after, before, s.world.soFar()[len(effects):])
	}
	var refused []journal.Command
	for _, e := range s.journal()[entries:] {
		if e.Type == machine.CommandRefused {
			refused = append(refused, *e.Command)
		}
	}
	if len(refused) != 1 || refused[0].Code != code {
		s.t.Errorf("the journal has %+v, want one refusal with the code %s", refused, code)
	}
}

// testReading looks at children, journal and events while something happens.
func testReading(t *testing.T, d Door) {
	s := connected(t, d)
	for _, id := range []child.ID{"b", "a/c", "a"} {
		_, err := s.handle.Add(t.Context(), id, plain(), requested(plain(), 1), cause)
		must(t, err)
	}
	s.until("running", func() bool {
		return !slices.ContainsFunc(s.handle.Children(), func(c *child.Snapshot) bool { return c.Phase != child.Running })
	})

	t.Run("children", s.seesAllSorted)
	t.Run("events", s.followsEvents)
}

func (s *stage) seesAllSorted(t *testing.T) {
	all, err := s.control.Children(t.Context())
	must(t, err)
	_, err = s.control.Child(t.Context(), "ghost")

	var ids []child.ID
	for _, c := range all {
		ids = append(ids, c.ID)
	}
	if diff := cmp.Diff([]child.ID{"a", "a/c", "b"}, ids); diff != "" {
		t.Errorf("children (-want +got):\n%s", diff)
	}
	if !errors.Is(err, runtime.ErrChildNotFound) {
		t.Errorf("a child that there is not: %v, want ErrChildNotFound", err)
	}
}

// followsEvents wants what the journal has, then what happens, in order and without a
// gap, and an end with the context.
func (s *stage) followsEvents(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patient)
	defer cancel()
	had := s.journal()
	var got []journal.Entry
	for e, err := range s.control.Events(ctx) {
		must(t, err)
		got = append(got, e)
		if len(got) == len(had) {
			if _, err := s.handle.Pause(t.Context(), "b", cause); err != nil {
				t.Fatal(err)
			}
		}
		if e.Type == machine.ChildStopped && e.ChildID == "b" {
			cancel()
		}
	}

	all := s.journal()
	if len(all) <= len(had) || len(got) < len(all) {
		t.Fatalf("%d entries were there, %d are, and %d were seen", len(had), len(all), len(got))
	}
	if diff := cmp.Diff(all, got[:len(all)]); diff != "" {
		t.Errorf("events (-journal +seen):\n%s", diff)
	}
}
