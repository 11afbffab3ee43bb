package runtime

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reconciler-dev/reconciler/pkg/desired"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/journal"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
	"github.com/reconciler-dev/reconciler/pkg/runtime/task"
)

// patience is how long a test waits for what must happen.
const patience = 30 * time.Second

// embedded runs a program with tasks in dir until the test, or end, ends it.
func embedded(t *testing.T, dir string, tasks map[string]task.Func) (h *Handle, end func() error) {
	t.Helper()
	r := task.NewRegistry()
	for name, f := range tasks {
		if err := r.Register(name, f); err != nil {
			t.Fatal(err)
		}
	}
	return running(t, Options{StateDir: dir, Tasks: r})
}

func running(t *testing.T, o Options) (h *Handle, end func() error) {
	t.Helper()
	e, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return run(t, e)
}

func run(t *testing.T, e *Embedded) (h *Handle, end func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	var result error
	go func() { defer close(ended); result = e.Run(ctx) }()
	end = func() error { cancel(); <-ended; return result }
	t.Cleanup(func() { _ = end() })
	return e.Handle(), end
}

// until waits until a child is as ok wants it.
func until(t *testing.T, h *Handle, id child.ID, what string, ok func(*child.Snapshot) bool) *child.Snapshot {
	t.Helper()
	sub := h.Subscribe()
	defer sub.Close()
	deadline := time.After(patience)
	for {
		s, there := h.Child(id)
		if there && ok(s) {
			return s
		}
		select {
		case <-sub.Wake():
			sub.Take()
		case <-deadline:
			t.Fatalf("waited in vain until %s is %s; it is %+v", id, what, s)
		}
	}
}

func inPhase(p child.Phase) func(*child.Snapshot) bool {
	return func(s *child.Snapshot) bool { return s.Phase == p }
}

// quick is a spec whose stops and rests are short.
func quick(change func(*child.Spec)) *child.Spec {
	s := NewSpec()
	s.Shutdown.GracefulTimeout, s.Shutdown.AbortWait = child.Seconds(20*time.Millisecond), child.Seconds(20*time.Millisecond)
	s.Backoff.InitialDelay, s.Backoff.MaxDelay = child.Millis(time.Millisecond), child.Millis(2*time.Millisecond)
	if change != nil {
		change(s)
	}
	return s
}

func add(t *testing.T, h *Handle, id child.ID, s *child.Spec) {
	t.Helper()
	if _, err := h.Add(t.Context(), id, s, child.Origin{}, cause); err != nil {
		t.Fatalf("add %s: %v", id, err)
	}
}

func stay(ctx context.Context, _ task.Context) error { <-ctx.Done(); return nil }

func TestATaskIsKeptRunningAsAProcessIs(t *testing.T) {
	var runs atomic.Int32
	h, _ := embedded(t, t.TempDir(), map[string]task.Func{"web": func(ctx context.Context, c task.Context) error {
		switch runs.Add(1) {
		case 1:
			return errors.New("no database")
		case 2:
			panic("out of cheese")
		}
		return stay(ctx, c)
	}})

	add(t, h, "web", quick(nil))
	s := until(t, h, "web", "running its third attempt", func(s *child.Snapshot) bool { return s.Phase == child.Running && s.Attempt == 3 })

	if len(s.Exits) != 2 || s.Exits[0].Kind != child.FailedExit || s.Exits[0].Words != "no database" || s.Exits[0].Code != nil {
		t.Fatalf("exits = %+v", s.Exits)
	}
	panicked := s.Exits[1]
	if panicked.Kind != child.FailedExit || panicked.Words != "panic: out of cheese" || !strings.Contains(strings.Join(panicked.LogTail, "\n"), "tasks_test.go:") {
		t.Errorf("the panic is reported as %+v", panicked)
	}
	if s.RestartCount != 2 || !s.Ready {
		t.Errorf("restarts %d, ready %v; want 2 and ready", s.RestartCount, s.Ready)
	}
}

func TestATaskThatReturnsNilHasSucceeded(t *testing.T) {
	h, _ := embedded(t, t.TempDir(), map[string]task.Func{"job": func(context.Context, task.Context) error { return nil }})

	add(t, h, "job", quick(func(s *child.Spec) { s.RestartPolicy = child.Transient }))
	s := until(t, h, "job", "completed", inPhase(child.Completed))

	if s.LastExit.Kind != child.Succeeded {
		t.Errorf("exit = %+v", s.LastExit)
	}
}

func TestAStopEndsTheContextOfATask(t *testing.T) {
	h, end := embedded(t, t.TempDir(), map[string]task.Func{"web": stay})
	add(t, h, "web", NewSpec())
	until(t, h, "web", "running", inPhase(child.Running))

	if _, err := h.Pause(t.Context(), "web", cause); err != nil {
		t.Fatal(err)
	}
	s := until(t, h, "web", "stopped", inPhase(child.Stopped))
	if _, err := h.Resume(t.Context(), "web", cause); err != nil {
		t.Fatal(err)
	}
	until(t, h, "web", "running again", inPhase(child.Running))

	if s.LastExit.Kind != child.Cancelled {
		t.Errorf("exit = %+v, want it cancelled", s.LastExit)
	}
	if err := end(); err != nil {
		t.Errorf("Run = %v", err)
	}
	if r, err := h.Join(t.Context()); err != nil || r.State != StateCompleted || r.Children[0].Status != machine.Graceful {
		t.Errorf("the end: %+v, %v; want web graceful", r, err)
	}
}

func TestATaskThatDoesNotReturnIsNeverStartedTwice(t *testing.T) {
	release := make(chan struct{})
	var living, most atomic.Int32
	h, _ := embedded(t, t.TempDir(), map[string]task.Func{"deaf": func(context.Context, task.Context) error {
		most.Store(max(most.Load(), living.Add(1)))
		<-release
		living.Add(-1)
		return nil
	}})
	add(t, h, "deaf", quick(nil))
	until(t, h, "deaf", "running", inPhase(child.Running))

	if _, err := h.Restart(t.Context(), "deaf", cause); err != nil {
		t.Fatal(err)
	}
	s := until(t, h, "deaf", "given up", func(s *child.Snapshot) bool { return s.StopState == child.StopFailed })
	attempt := s.Attempt
	close(release)
	until(t, h, "deaf", "in its next attempt", func(s *child.Snapshot) bool { return s.Attempt > attempt })

	if s.Failure == nil || !strings.Contains(s.Failure.Reason, "a goroutine cannot be killed") {
		t.Errorf("failure = %+v, want it to say why", s.Failure)
	}
	if attempt != 1 || most.Load() != 1 {
		t.Errorf("attempt %d while the first lived, %d at a time; want 1 and 1", attempt, most.Load())
	}
}

func TestATaskThatDoesNotReturnIsNamedAtTheEnd(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	h, end := embedded(t, t.TempDir(), map[string]task.Func{"deaf": func(context.Context, task.Context) error { <-release; return nil }})
	add(t, h, "deaf", quick(nil))
	until(t, h, "deaf", "running", inPhase(child.Running))

	err := end()

	if err == nil || !strings.Contains(err.Error(), "deaf#") {
		t.Errorf("Run = %v, want it to name the task that lives on", err)
	}
	if r, err := h.Join(t.Context()); err != nil || r.Children[0].Status != machine.AbortFailed {
		t.Errorf("the report: %+v, %v; want deaf as abort_failed", r, err)
	}
}

func TestTasksOfAProgramThatDiedAreStartedAgain(t *testing.T) {
	dir := t.TempDir()
	h, end := embedded(t, dir, map[string]task.Func{"web": stay})
	add(t, h, "web", NewSpec())
	add(t, h, "paused", NewSpec("task:web"))
	until(t, h, "web", "running", inPhase(child.Running))
	if _, err := h.Pause(t.Context(), "paused", cause); err != nil {
		t.Fatal(err)
	}
	until(t, h, "paused", "stopped", inPhase(child.Stopped))
	if err := end(); err != nil {
		t.Fatal(err)
	}

	h, _ = embedded(t, dir, map[string]task.Func{"web": stay})
	s := until(t, h, "web", "running", inPhase(child.Running))

	if s.Attempt != 2 {
		t.Errorf("attempt = %d, want 2", s.Attempt)
	}
	if p, ok := h.Child("paused"); !ok || p.Phase != child.Stopped || p.Operation != child.Paused {
		t.Errorf("paused = %+v, want it as it was", p)
	}
	last, err := journal.Last(dir + "/journal")
	if err != nil || last == 0 {
		t.Errorf("the journal ends with %d, %v", last, err)
	}
}

func TestATaskIsReadyWhenItSaysSo(t *testing.T) {
	say := make(chan bool)
	h, _ := embedded(t, t.TempDir(), map[string]task.Func{
		"web": func(ctx context.Context, c task.Context) error {
			for {
				select {
				case ready := <-say:
					if ready {
						c.Ready()
					} else {
						c.NotReady()
					}
				case <-ctx.Done():
					return nil
				}
			}
		},
		"dependant": stay,
	})
	add(t, h, "web", quick(func(s *child.Spec) {
		s.Readiness = &child.Readiness{Probe: child.Probe{Notify: true}}
	}))
	add(t, h, "dependant", quick(func(s *child.Spec) {
		s.Dependencies = []child.Dependency{{ID: "web", Condition: child.WhenReady}}
	}))

	until(t, h, "web", "running and not ready", func(s *child.Snapshot) bool { return s.Phase == child.Running && !s.Ready })
	waits, _ := h.Child("dependant")
	say <- true
	until(t, h, "web", "ready", func(s *child.Snapshot) bool { return s.Ready })
	until(t, h, "dependant", "running", inPhase(child.Running))
	say <- false
	s := until(t, h, "web", "not ready", func(s *child.Snapshot) bool { return !s.Ready })

	if waits.Phase != child.Pending {
		t.Errorf("the dependant is %s before, want it to wait", waits.Phase)
	}
	if s.Phase != child.Running || s.Attempt != 1 {
		t.Errorf("web = %+v, want it running on", s)
	}
}

func TestATaskThatDoesNotBeatIsReplaced(t *testing.T) {
	h, _ := embedded(t, t.TempDir(), map[string]task.Func{"web": stay})

	add(t, h, "web", quick(func(s *child.Spec) {
		s.HealthCheck = &child.HealthCheck{CheckInterval: child.Seconds(10 * time.Millisecond), MaxRetries: 1, Probe: child.Probe{Heartbeat: true}}
	}))
	s := until(t, h, "web", "in its second attempt", func(s *child.Snapshot) bool { return s.Attempt >= 2 })

	if s.LastExit.Kind != child.TimedOut {
		t.Errorf("exit = %+v, want it timed out", s.LastExit)
	}
}

func TestACriticalTaskThatEndedForGoodEndsTheRun(t *testing.T) {
	r := task.NewRegistry()
	if err := r.Register("web", func(context.Context, task.Context) error { return errors.New("no licence") }); err != nil {
		t.Fatal(err)
	}
	e, err := Open(Options{StateDir: t.TempDir(), Tasks: r, ExitOnCritical: true})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- e.Run(context.Background()) }()

	add(t, e.Handle(), "web", quick(func(s *child.Spec) { s.Criticality, s.RestartPolicy = child.Critical, child.Temporary }))

	select {
	case err := <-ended:
		var critical *CriticalEndError
		if !errors.As(err, &critical) || critical.Child != "web" || critical.Exit.Words != "no licence" {
			t.Errorf("Run = %v, want the critical child and why", err)
		}
	case <-time.After(patience):
		t.Fatal("Run did not end")
	}
}

func TestDeclaringTwiceChangesNothing(t *testing.T) {
	dir, r := t.TempDir(), task.NewRegistry()
	if err := r.Register("web", stay); err != nil {
		t.Fatal(err)
	}
	e, err := Open(Options{StateDir: dir, Tasks: r})
	if err != nil {
		t.Fatal(err)
	}
	h, _ := run(t, e)
	declare := func(s *child.Spec) machine.Decision {
		t.Helper()
		o, err := e.Declare(t.Context(), "web", s, cause)
		if err != nil {
			t.Fatal(err)
		}
		return o.Decision
	}

	declare(NewSpec())
	until(t, h, "web", "running", inPhase(child.Running))
	second := declare(NewSpec())
	first, _ := h.Child("web")
	declare(NewSpec(task.Command("web", "an argument")...))
	s := until(t, h, "web", "replaced", func(s *child.Snapshot) bool { return s.Attempt == 2 && s.Phase == child.Running })

	if second != machine.Idempotent || first.Attempt != 1 {
		t.Errorf("declared again: %s, attempt %d; want nothing done", second, first.Attempt)
	}
	if len(s.Spec.Command) != 2 {
		t.Errorf("spec = %+v, want the new one", s.Spec)
	}
}

func TestTwoProgramsCannotUseOneDirectory(t *testing.T) {
	dir := t.TempDir()
	embedded(t, dir, map[string]task.Func{"web": stay})

	_, err := Open(Options{StateDir: dir, Tasks: task.NewRegistry()})

	if err == nil || !strings.Contains(err.Error(), "another program (pid ") || !strings.Contains(err.Error(), dir) {
		t.Errorf("Open = %v, want who holds it", err)
	}
}

func TestOpenSaysWhatIsMissing(t *testing.T) {
	for _, o := range []Options{{}, {StateDir: t.TempDir()}, {Tasks: task.NewRegistry()}} {
		if _, err := Open(o); err == nil || !strings.Contains(err.Error(), "it needs a StateDir, and Tasks or Processes") {
			t.Errorf("Open(%+v) = %v", o, err)
		}
	}
	e, err := Open(Options{StateDir: t.TempDir(), Tasks: task.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	e.Close()
	e.Close() // twice is once
}

func TestAShimThatWouldRunTheProgramIsRefused(t *testing.T) {
	args := os.Args
	defer func() { os.Args = args }()
	os.Args = []string{args[0], shimArgument, t.TempDir()}

	_, err := Open(Options{StateDir: t.TempDir(), Tasks: task.NewRegistry()})

	if err == nil || !strings.Contains(err.Error(), "main must call IsShim first") {
		t.Errorf("Open = %v, want it to say what main forgot", err)
	}
}

func TestNewSpecIsThatOfAManifestThatSaysNothing(t *testing.T) {
	manifests, problems := desired.Decode("x.yaml", []byte("name: x\ncommand: [a, b]\n"))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	want, problems := manifests[0].Spec("", nil, func(child.ID) bool { return false })
	if len(problems) > 0 {
		t.Fatal(problems)
	}

	if diff := cmp.Diff(want, NewSpec("a", "b")); diff != "" {
		t.Errorf("spec (-manifest +NewSpec):\n%s", diff)
	}
}
