package handletest

import (
	"context"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

// states brings the child a into each state of the page, by the handle. Afterwards
// nothing happens that is asked for, before the world thaws.
var states = map[string]func(*stage){
	"unknown": func(*stage) {},
	"pending on a dependency": func(s *stage) {
		s.add(func(c *child.Spec) { c.Dependencies = []child.Dependency{{ID: "b", Condition: child.WhenReady}} })
	},
	"starting":                  func(s *stage) { s.world.freeze(); s.add(nil); s.await(child.Starting) },
	"running, not ready yet":    func(s *stage) { s.running(func(c *child.Spec) { c.Readiness = notify() }) },
	"running and ready":         func(s *stage) { s.running(nil) },
	"stopping (to pause)":       func(s *stage) { s.running(nil); s.world.freeze(); s.do(s.handle.Pause) },
	"restart pending":           func(s *stage) { s.running(nil); s.world.freeze(); s.do(s.handle.Restart) },
	"backoff":                   func(s *stage) { s.ended(child.Permanent, 1, child.BackingOff) },
	"paused":                    func(s *stage) { s.running(nil); s.do(s.handle.Pause); s.await(child.Stopped) },
	"suspended":                 func(s *stage) { s.add(func(c *child.Spec) { c.Suspend = true }); s.await(child.Stopped) },
	"completed":                 func(s *stage) { s.ended(child.Transient, 0, child.Completed) },
	"completed, then paused":    func(s *stage) { s.ended(child.Transient, 0, child.Completed); s.do(s.handle.Pause) },
	"failed":                    func(s *stage) { s.ended(child.Temporary, 1, child.FailedPhase) },
	"quarantined":               func(s *stage) { s.running(nil); s.do(s.handle.Quarantine); s.await(child.Quarantined) },
	"being removed":             func(s *stage) { s.running(nil); s.world.freeze(); s.do(s.handle.Remove) },
	"a folder (supervisor)":     func(s *stage) { s.folder() },
	"the shim is lost":          func(s *stage) { s.running(nil); s.detach() },
	"the tree is shutting down": func(s *stage) { s.running(nil); s.world.freeze(); s.shutDown() },
}

// cause sets the stage as a manifest would: an entry of an operator is fsynced, and a
// run would take five times as long.
var cause = child.Cause{RequestedBy: "manifest", Reason: "to set the stage"}

// plain is a child whose stops and rests do not end by themselves while a test looks.
func plain() *child.Spec {
	s := runtime.NewSpec("serve")
	s.Shutdown.GracefulTimeout = child.Seconds(long)
	s.Backoff.InitialDelay, s.Backoff.MaxDelay = child.Millis(long), child.Millis(long)
	return s
}

func notify() *child.Readiness {
	return &child.Readiness{
		Probe: child.Probe{Notify: true}, CheckInterval: child.Seconds(5 * time.Second), Timeout: child.Seconds(3 * time.Second),
		SuccessThreshold: 1, FailureThreshold: 3,
	}
}

func (s *stage) add(change func(*child.Spec)) {
	s.t.Helper()
	s.spec = plain()
	if change != nil {
		change(s.spec)
	}
	_, err := s.handle.Add(s.t.Context(), "a", s.spec, requested(s.spec, 1), cause)
	must(s.t, err)
}

// requested is the origin of a child that no file declares.
func requested(s *child.Spec, generation uint64) child.Origin {
	return child.Origin{ByRequest: true, Generation: generation, Hash: s.Hash()}
}

func (s *stage) running(change func(*child.Spec)) {
	s.t.Helper()
	s.add(change)
	s.await(child.Running)
}

// ended lets a run end with a code.
func (s *stage) ended(policy child.RestartPolicy, code int, then child.Phase) {
	s.t.Helper()
	s.running(func(c *child.Spec) { c.RestartPolicy = policy })
	for _, p := range s.world.alive() {
		s.world.tell(machine.Exited{Key: p.Key, Attempt: p.Attempt, PID: p.PID, Code: &code, StartedAt: p.StartedAt, FinishedAt: time.Now()})
	}
	s.await(then)
}

func (s *stage) folder() {
	s.t.Helper()
	s.spec = plain()
	s.spec.Kind, s.spec.Command = child.Supervisor, nil
	_, err := s.handle.Add(s.t.Context(), "a", s.spec, child.Origin{Generation: 1}, cause)
	must(s.t, err)
	s.await(child.Running)
}

func (s *stage) detach() {
	s.t.Helper()
	s.world.tell(machine.Detached{Reason: "the test cut it"})
	s.until("cut off", func() bool { return !s.handle.Health().Connected })
}

// shutDown begins a shutdown, which lasts as long as the world is frozen.
func (s *stage) shutDown() {
	s.t.Helper()
	s.down = make(chan struct{})
	go func() {
		defer close(s.down)
		s.report, _ = s.handle.ShutdownTree(s.t.Context(), cause)
	}()
	s.t.Cleanup(func() { s.world.thaw(); <-s.down })
	s.until("going down", func() bool { return s.handle.Health().State == runtime.StateShuttingDown })
	s.await(child.Stopping)
}

func (s *stage) await(p child.Phase) {
	s.t.Helper()
	s.until(string(p), func() bool { a, ok := s.handle.Child("a"); return ok && a.Phase == p })
}

// do gives a command by the handle.
func (s *stage) do(command func(context.Context, child.ID, child.Cause) (runtime.Outcome, error)) {
	s.t.Helper()
	_, err := command(s.t.Context(), "a", cause)
	must(s.t, err)
}
