package reconcile

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/desired"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

// storm is an hour in the life of a tree: people who command whatever comes to
// their mind, and processes that start, crash and end as they like. Time is
// simulated.
type storm struct {
	t        *testing.T
	rng      *rand.Rand
	tree     *machine.Tree
	now      time.Duration
	later    []happening // by time
	commands int
	told     map[machine.Verb]int
}

// happening is something that the outside does at a time.
type happening struct {
	at  time.Duration
	key child.Key
	do  func()
}

var (
	stormIDs   = []child.ID{"a", "b", "c", "jobs/a", "jobs/b", "web"}
	noon       = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	stormVerbs = []machine.Verb{
		machine.Add, machine.Update, machine.Replace, machine.Remove, machine.Restart, machine.Restart,
		machine.Pause, machine.Resume, machine.Resume, machine.Quarantine, machine.SendSignal, "nonsense",
	}
)

func newStorm(t *testing.T, seed uint64) *storm {
	s := &storm{
		t: t, rng: rand.New(rand.NewPCG(seed, 7)), told: map[machine.Verb]int{},
		tree: machine.New(machine.Config{StartSlots: 2, Seed: seed}),
	}
	s.step(machine.Adopted{})
	return s
}

func (s *storm) step(ev machine.Event) {
	s.t.Helper()
	s.tree.Step(machine.Instant(s.now), noon.Add(s.now), ev)
	if err := s.tree.Check(); err != nil {
		s.t.Fatalf("after %T at %s: %v", ev, s.now, err)
	}
	ready := s.tree.Ready()
	for _, e := range ready.Effects {
		switch e := e.(type) {
		case machine.Start:
			s.start(e)
		case machine.Signal:
			s.signal(e)
		}
	}
	for _, f := range ready.Facts {
		if f.Command != nil {
			s.told[f.Command.Verb]++
		}
	}
}

func (s *storm) after(most time.Duration, key child.Key, do func()) {
	at := s.now + time.Duration(s.rng.Int64N(int64(most)+1))
	i, _ := slices.BinarySearchFunc(s.later, at, func(h happening, at time.Duration) int { return int(h.at - at) })
	s.later = slices.Insert(s.later, i, happening{at, key, do})
}

func (s *storm) start(e machine.Start) {
	s.after(50*time.Millisecond, e.Key, func() {
		if s.rng.IntN(20) == 0 {
			s.step(machine.StartFailed{Key: e.Key, Reason: "no such file", Busy: s.rng.IntN(2) == 0, At: noon.Add(s.now)})
			return
		}
		s.step(machine.Started{Process: machine.Process{Key: e.Key, Attempt: e.Attempt, PID: 100, StartedAt: noon.Add(s.now)}})
		if s.rng.IntN(3) == 0 {
			s.exits(e.Key, 20*time.Second, s.rng.IntN(2))
		}
	})
}

func (s *storm) exits(key child.Key, most time.Duration, code int) {
	s.after(most, key, func() {
		s.later = slices.DeleteFunc(s.later, func(h happening) bool { return h.key == key })
		s.step(machine.Exited{Key: key, Code: &code, FinishedAt: noon.Add(s.now)})
	})
}

// signal: one process in five ignores what is no SIGKILL.
func (s *storm) signal(e machine.Signal) {
	if e.Signal == "SIGKILL" || e.Signal != "SIGHUP" && s.rng.IntN(5) > 0 {
		s.exits(e.Key, time.Second, 0)
	}
}

// pass lets time go by until end; what is due happens on the way.
func (s *storm) pass(end time.Duration) {
	for {
		next := end
		if at, ok := s.tree.Next(); ok {
			next = min(next, max(time.Duration(at), s.now))
		}
		if len(s.later) > 0 && s.later[0].at <= next {
			h := s.later[0]
			s.later = s.later[1:]
			s.now = max(s.now, h.at)
			h.do()
			continue
		}
		s.now = next
		if next == end {
			return
		}
		s.step(machine.Ticked{})
	}
}

func (s *storm) command(c machine.Command) {
	s.commands++
	c.ID = machine.CommandID(fmt.Sprint("storm-", s.commands))
	s.step(c)
}

func (s *storm) anyCommand() {
	c := machine.Command{
		Verb: stormVerbs[s.rng.IntN(len(stormVerbs))], Child: stormIDs[s.rng.IntN(len(stormIDs))],
		Cause: child.Cause{RequestedBy: "somebody", Reason: "so it is"}, Signal: "SIGHUP",
	}
	if s.rng.IntN(50) == 0 {
		c.Cause.Reason = " "
	}
	if c.Verb == machine.Add || c.Verb == machine.Update || c.Verb == machine.Replace {
		c.Spec = s.spec(c.Child)
		c.Origin = child.Origin{File: "by hand.yaml", Hash: c.Spec.Hash(), Generation: s.rng.Uint64N(5)}
	}
	s.command(c)
}

func (s *storm) spec(id child.ID) *child.Spec {
	policies := []child.RestartPolicy{child.Permanent, child.Permanent, child.Transient, child.Temporary}
	spec := &child.Spec{
		Kind: child.AsyncWorker, Command: []string{"run", fmt.Sprint(s.rng.IntN(3))}, RestartPolicy: policies[s.rng.IntN(4)],
		Suspend:  s.rng.IntN(8) == 0,
		Shutdown: child.Shutdown{Signal: "SIGTERM", GracefulTimeout: child.Seconds(2 * time.Second), AbortWait: child.Seconds(time.Second)},
		Backoff:  child.Backoff{InitialDelay: child.Millis(10 * time.Millisecond), MaxDelay: child.Millis(5 * time.Second), ResetAfter: child.Seconds(10 * time.Second)},
	}
	if s.rng.IntN(3) == 0 {
		spec.RestartLimit = &child.RestartLimit{MaxRestarts: s.rng.IntN(3), Window: child.Seconds(time.Minute)}
	}
	if on := stormIDs[s.rng.IntN(len(stormIDs))]; on > id && s.rng.IntN(2) == 0 {
		spec.Dependencies = []child.Dependency{{ID: on, Condition: child.WhenReady}}
	}
	return spec
}

func (s *storm) children() (all []*child.Snapshot) {
	for _, id := range s.tree.IDs() {
		snap, _ := s.tree.Snapshot(id)
		all = append(all, snap)
	}
	return all
}

func (s *storm) apply(actions []Action) {
	for _, a := range actions {
		s.command(machine.Command{
			Verb: machine.Verb(a.Verb), Child: a.ID, Spec: a.Spec, Origin: a.Origin,
			Cause: child.Cause{RequestedBy: "reconciler", Reason: a.Reason},
		})
	}
}

// TestAStormOfCommandsEndsWhereAFreshPlanWantsIt: whatever was commanded for an
// hour, one plan brings the children where the manifests want them, and the
// second plan is empty.
func TestAStormOfCommandsEndsWhereAFreshPlanWantsIt(t *testing.T) {
	for seed := range uint64(5) {
		s := newStorm(t, seed)
		for s.now < time.Hour {
			s.anyCommand()
			s.pass(s.now + time.Duration(s.rng.Int64N(int64(2*time.Second))))
		}
		for _, verb := range stormVerbs {
			if s.told[verb] < 10 {
				t.Errorf("seed %d: %s was told %d times; the storm hardly goes there", seed, verb, s.told[verb])
			}
		}
		var entries []desired.Entry
		for _, id := range stormIDs[s.rng.IntN(3):] {
			entries = append(entries, entryOf(id, s.spec(id)))
		}
		want := setOf(entries...)

		s.pass(s.now + time.Minute) // removals under way
		s.apply(Plan(want, s.children()))
		s.pass(s.now + time.Minute)

		if again := Plan(want, s.children()); len(again) > 0 {
			t.Errorf("seed %d: the second plan is not empty: %v", seed, again)
		}
		for _, snap := range s.children() {
			if snap.Observed != snap.Origin.Generation || snap.Phase == child.Stopping {
				t.Errorf("seed %d: %s is %s and runs generation %d of its manifest, want %d", seed, snap.ID, snap.Phase, snap.Observed, snap.Origin.Generation)
			}
		}
	}
}
