package handletest

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reconciler-dev/reconciler/pkg/runtime"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

// inLife brings the control plane into each life of the page, with the child a.
var inLife = map[string]func(*stage){
	"is starting: nobody has said yet what lives": func(s *stage) { s.add(nil) },
	"is alive":                       func(s *stage) { s.connect(); s.running(nil); s.world.freeze() },
	"is shutting down":               func(s *stage) { s.connect(); s.running(nil); s.world.freeze(); s.shutDown() },
	"has shut down":                  func(s *stage) { s.connect(); s.running(nil); s.shutDownWhole() },
	"has left its children running":  func(s *stage) { s.connect(); s.running(nil); s.leave() },
	"was told to end by its program": func(s *stage) { s.connect(); s.running(nil); s.stop() },
	"has crashed":                    func(s *stage) { s.connect(); s.running(nil); s.crash() },
}

func (s *stage) shutDownWhole() {
	s.t.Helper()
	var err error
	s.report, err = s.handle.ShutdownTree(s.t.Context(), cause)
	must(s.t, err)
	s.end()
}

func (s *stage) leave() {
	s.t.Helper()
	_, err := s.handle.Leave(s.t.Context(), cause)
	must(s.t, err)
}

func (s *stage) crash() {
	s.t.Helper()
	s.world.breakStore()
	if _, err := s.handle.Pause(s.t.Context(), "a", cause); err == nil {
		s.t.Fatal("the runtime survived its store")
	}
	s.end()
}

// end waits for the end of the runtime.
func (s *stage) end() runtime.ExitReport {
	s.t.Helper()
	r, err := s.handle.Join(s.t.Context())
	must(s.t, err)
	return r
}

func testLives(t *testing.T, d Door) {
	all, err := lives()
	must(t, err)
	if len(all) < len(inLife) {
		t.Fatalf("docs/semantics.md tells of %d lives of the control plane, want %d", len(all), len(inLife))
	}
	for _, l := range all {
		set, ok := inLife[l.name]
		if !ok {
			t.Fatalf("docs/semantics.md tells of a control plane that %s, which this suite does not know", l.name)
		}
		t.Run("the control plane "+l.name, func(t *testing.T) {
			s := newStage(t, d)
			set(s)
			s.checkHealth(l)
			s.checkReads()
			s.checkGateOf(l)
			s.checkWaits(l)
			s.checkShutdown(l)
			s.checkJoin(l)
		})
	}
}

func (s *stage) checkHealth(l life) {
	s.t.Helper()
	h, err := s.control.Health(s.t.Context())
	must(s.t, err)
	if got := "`" + string(h.State) + "`"; got != l.health || h.Alive != (l.alive == "yes") {
		s.t.Errorf("health = %s, alive %v; want %s, %s", got, h.Alive, l.health, l.alive)
	}
}

// checkReads wants that whoever looks sees the child in every life.
func (s *stage) checkReads() {
	s.t.Helper()
	all, err := s.control.Children(s.t.Context())
	must(s.t, err)
	one, err := s.control.Child(s.t.Context(), "a")
	must(s.t, err)
	if len(all) != 1 || all[0] != one || one.ID != "a" {
		s.t.Errorf("children = %v and a = %v", all, one)
	}
}

// checkGateOf gives a command, and what is wrong with it has its turn only in a life
// that takes commands.
func (s *stage) checkGateOf(l life) {
	s.t.Helper()
	before := s.world.soFar()
	o, err := s.control.Command(s.t.Context(), machine.Command{Verb: machine.Restart, Child: "a", Cause: asked})
	want, idle := strings.CutSuffix(l.command, ", and nothing starts")
	if got := answerOf(o, err); got != want {
		s.t.Errorf("a restart is answered %s (%v), want %s", got, err, want)
	}
	if after := s.world.soFar(); (idle || err != nil) && len(after) != len(before) {
		s.t.Errorf("it had the effects %v", after[len(before):])
	}
	report := s.handle.Health().Report
	if report == nil {
		return
	}
	for _, c := range []machine.Command{
		{Verb: machine.Pause, Child: "a", Cause: asked},
		{Verb: machine.Pause, Child: "a", Cause: child.Cause{RequestedBy: asked.RequestedBy, Reason: " "}},
		{Verb: machine.Remove, Child: "ghost", Cause: asked},
		{Verb: machine.Add, Child: "b", Spec: plain(), Origin: requested(plain(), 1), Cause: asked},
	} {
		_, err := s.control.Command(s.t.Context(), c)
		how := "state=" + string(report.State) + ", phase=" + report.Phase + ", reason=" + report.Reason
		if codeOf(err) != machine.ErrShuttingDown || !strings.Contains(err.Error(), how) {
			s.t.Errorf("%s of %s after the end: %v; want that it ended, with %s", c.Verb, c.Child, err, how)
		}
	}
}

// checkShutdown asks for one, twice.
func (s *stage) checkShutdown(l life) {
	s.t.Helper()
	s.world.thaw()
	var reports [2]*machine.ShutdownReport
	for i := range reports {
		r, err := s.control.ShutdownTree(s.t.Context(), asked)
		if l.shutdown != "report" && l.shutdown != "the same report" {
			if got := answerOf(runtime.Outcome{}, err); got != l.shutdown {
				s.t.Errorf("a shutdown is answered %s (%v), want %s", got, err, l.shutdown)
			}
			return
		}
		must(s.t, err)
		reports[i] = r
	}
	by := s.door.asks(asked.RequestedBy)
	if l.shutdown == "the same report" {
		by = cause.RequestedBy
	}
	r := reports[0]
	if diff := cmp.Diff(r, reports[1]); diff != "" || r.Cause.RequestedBy != by || len(r.Outcomes) != 1 || r.Outcomes[0].ChildID != "a" {
		s.t.Errorf("the report is %+v, want that of %s, with a; the second one differs by\n%s", r, by, diff)
	}
}

// checkWaits wants a join to wait, and to end with its context.
func (s *stage) checkWaits(l life) {
	s.t.Helper()
	if l.join != "waits" {
		return
	}
	over, cancel := context.WithCancelCause(context.Background())
	cancel(errProgram)
	if _, err := s.handle.Join(over); !errors.Is(err, errProgram) {
		s.t.Errorf("join = %v before the end, want the cause of its context", err)
	}
}

// checkJoin waits for the end, ten times. By now every life has one.
func (s *stage) checkJoin(l life) {
	s.t.Helper()
	first := s.end()
	if l.join == "waits" {
		l.join = "`completed`, `shutdown`"
	}
	if got := "`" + string(first.State) + "`, `" + first.Phase + "`"; got != l.join || first.CompletedAt.IsZero() {
		s.t.Errorf("it ended as %s at %v, want %s", got, first.CompletedAt, l.join)
	}
	for range 10 {
		if diff := cmp.Diff(first, s.end()); diff != "" {
			s.t.Errorf("a later join differs by\n%s", diff)
		}
	}
}
