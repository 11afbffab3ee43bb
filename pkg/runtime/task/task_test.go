package task

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must happen.
const patience = 30 * time.Second

func key(id child.ID, g child.Generation) child.Key {
	return child.Key{ID: id, Incarnation: 1, Generation: g}
}

func start(k child.Key, command ...string) machine.Start {
	return machine.Start{Key: k, Attempt: child.Attempt(k.Generation + 1), Spec: &child.Spec{
		Command:  command,
		Shutdown: child.Shutdown{Signal: "SIGTERM", GracefulTimeout: child.Seconds(time.Second), AbortWait: child.Seconds(time.Second)},
	}}
}

// registry has one task, "web", and is stopped at the end of the test.
func registry(t *testing.T, f Func) *Registry {
	t.Helper()
	r := NewRegistry()
	if err := r.Register("web", f); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Stop(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// await is the next event, which must be an E.
func await[E machine.Event](t *testing.T, r *Registry) E {
	t.Helper()
	deadline := time.After(patience)
	for {
		if ev, ok := r.Take(); ok {
			e, ok := ev.(E)
			if !ok {
				t.Fatalf("the next event is %T %+v, want %T", ev, ev, e)
			}
			return e
		}
		select {
		case <-r.Pending():
		case <-deadline:
			t.Fatalf("waited in vain for %T", *new(E))
		}
	}
}

// stay runs until it is stopped.
func stay(ctx context.Context, _ Context) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

// deaf runs until the test lets it go, whatever it is told.
func deaf(t *testing.T) Func {
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	return func(context.Context, Context) error {
		<-release
		return nil
	}
}

func TestHowATaskEndsIsReported(t *testing.T) {
	rows := map[string]struct {
		f      Func
		kind   child.ExitKind
		reason string
		stack  string // in the last lines
	}{
		"nil":              {func(context.Context, Context) error { return nil }, child.Succeeded, "the task returned", ""},
		"an error":         {func(context.Context, Context) error { return errors.New("no\ndatabase") }, child.FailedExit, "the task returned an error: no; database", ""},
		"a panic":          {func(context.Context, Context) error { panicking(); return nil }, child.FailedExit, "the task panicked: panic: out of cheese", "task.panicking("},
		"an error's panic": {func(context.Context, Context) error { panic(errors.New("x")) }, child.FailedExit, "the task panicked: panic: x", "task_test.go:"},
		"a panic of Go":    {func(context.Context, Context) error { return nilFunc()() }, child.FailedExit, "the task panicked: panic: runtime error: invalid memory address or nil pointer dereference", "task_test.go:"},
		"Goexit":           {func(context.Context, Context) error { runtime.Goexit(); return nil }, child.FailedExit, "the task ended its goroutine by runtime.Goexit", ""},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			r := registry(t, row.f)

			r.Start(start(key("web", 0)))
			began, e := await[machine.Started](t, r), await[machine.Exited](t, r)

			if e.Kind != row.kind || e.Words.With(e.Reason) != row.reason || e.Code != nil || e.Signal != "" || e.Lost {
				t.Errorf("exit = %+v, want kind %s and reason %q, and no code", e, row.kind, row.reason)
			}
			if began.PID != os.Getpid() || !began.Task || e.PID != began.PID || !e.StartedAt.Equal(began.StartedAt) || e.FinishedAt.Before(e.StartedAt) {
				t.Errorf("began as %+v and ended as %+v", began, e)
			}
			if tail := strings.Join(e.LogTail, "\n"); !strings.Contains(tail, row.stack) || (row.stack == "") != (tail == "") {
				t.Errorf("last lines:\n%s\nwant %q in them", tail, row.stack)
			}
		})
	}
}

func panicking() { panic("out of cheese") }

func nilFunc() func() error { return nil }

func TestAStackBeginsWhereThePanicWas(t *testing.T) {
	r := registry(t, func(context.Context, Context) error { panicking(); return nil })

	r.Start(start(key("web", 0)))
	await[machine.Started](t, r)
	e := await[machine.Exited](t, r)

	if len(e.LogTail) == 0 || !strings.Contains(e.LogTail[0], "task.panicking(") || len(e.LogTail) > maxStack {
		t.Errorf("last lines:\n%s", strings.Join(e.LogTail, "\n"))
	}
}

func TestStartOfOneKeyTwiceRunsOneTask(t *testing.T) {
	var runs atomic.Int32
	r := registry(t, func(ctx context.Context, c Context) error { runs.Add(1); return stay(ctx, c) })
	k := key("web", 0)

	r.Start(start(k))
	r.Start(start(k))
	first, second := await[machine.Started](t, r), await[machine.Started](t, r)
	r.Signal(machine.Signal{Key: k, Signal: "SIGTERM", Tree: true})
	ended := await[machine.Exited](t, r)
	r.Start(start(k)) // not acknowledged: the same answer
	again := await[machine.Exited](t, r)
	r.Acknowledge(k)
	r.Start(start(k)) // forgotten, but not forgiven
	refused := await[machine.StartFailed](t, r)

	if first != second || runs.Load() != 1 {
		t.Errorf("answers %+v and %+v, %d runs; want one", first, second, runs.Load())
	}
	if again.Key != ended.Key || !again.FinishedAt.Equal(ended.FinishedAt) {
		t.Errorf("the exit is told again as %+v, want %+v", again, ended)
	}
	if refused.Busy || !strings.Contains(refused.Reason, "is not newer") {
		t.Errorf("a key that was used up: %+v", refused)
	}
}

func TestSecondAttemptIsRefusedWhileOneLives(t *testing.T) {
	release := make(chan struct{})
	r := registry(t, func(context.Context, Context) error { <-release; return nil })
	r.Start(start(key("web", 0)))
	await[machine.Started](t, r)

	for _, signal := range []string{"SIGTERM", "SIGKILL"} {
		r.Signal(machine.Signal{Key: key("web", 0), Signal: signal, Tree: true})
	}
	r.Start(start(key("web", 1)))
	refused := await[machine.StartFailed](t, r)
	close(release)
	await[machine.Exited](t, r)
	r.Start(start(key("web", 1)))
	began := await[machine.Started](t, r)
	await[machine.Exited](t, r)

	if !refused.Busy || !strings.Contains(refused.Reason, "web#1.0 has not returned") {
		t.Errorf("the second start: %+v, want busy", refused)
	}
	if began.Key != key("web", 1) {
		t.Errorf("when the first had returned, %s began", began.Key)
	}
}

func TestFailedStartIsAnsweredAgainAndItsKeyIsUsedUp(t *testing.T) {
	r := registry(t, stay)
	for range 2 {
		r.Start(start(key("web", 3), "task:none"))
		f := await[machine.StartFailed](t, r)
		if f.Busy || f.Key != key("web", 3) || f.Reason != "command task:none: no task of that name is registered; there are: web" {
			t.Errorf("answer = %+v", f)
		}
	}

	r.Start(start(key("web", 2)))
	old := await[machine.StartFailed](t, r)
	r.Start(start(key("web", 4)))

	await[machine.Started](t, r)
	if !strings.Contains(old.Reason, "web#1.3 was tried already") {
		t.Errorf("an older key: %+v", old)
	}
}

func TestWhatIsThereIsToldOnce(t *testing.T) {
	r := registry(t, func(ctx context.Context, c Context) error {
		if c.Child() == "web" {
			return stay(ctx, c)
		}
		return errors.New("over")
	})
	r.Start(start(key("web", 0)))
	r.Start(start(key("b", 0), Command("web")...))
	r.Start(start(key("a", 0), Command("web")...))
	eventually(t, "both have ended", func() bool { _, a := r.Alive("a"); _, b := r.Alive("b"); return !a && !b })

	first := r.Adopt()
	if ev, ok := r.Take(); ok {
		t.Errorf("after Adopt there is still %+v", ev)
	}
	r.Acknowledge(key("a", 0))
	second := r.Adopt()

	if len(first.Processes) != 1 || first.Processes[0].Key != key("web", 0) || !first.Processes[0].Task {
		t.Errorf("living = %+v, want web", first.Processes)
	}
	if keys := exitKeys(first); !slices.Equal(keys, []string{"a#1.0", "b#1.0"}) {
		t.Errorf("exits = %v", keys)
	}
	if keys := exitKeys(second); !slices.Equal(keys, []string{"b#1.0"}) {
		t.Errorf("exits after one was acknowledged = %v", keys)
	}
	if r.Knows(key("a", 0)) || !r.Knows(key("b", 0)) || !r.Knows(key("web", 0)) || r.Knows(key("web", 1)) {
		t.Error("Knows is wrong")
	}
}

func exitKeys(a machine.Adopted) []string {
	var keys []string
	for _, e := range a.Exits {
		keys = append(keys, e.Key.String())
	}
	return keys
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func TestSignalsStopATaskOrReachIt(t *testing.T) {
	r := registry(t, func(ctx context.Context, c Context) error {
		select {
		case s := <-c.Signals():
			return fmt.Errorf("got %s", s)
		case <-ctx.Done():
			if !errors.Is(context.Cause(ctx), ErrStopped) {
				t.Errorf("cause = %v", context.Cause(ctx))
			}
			return context.Cause(ctx)
		}
	})
	for i, row := range []struct{ signal, want string }{
		{"SIGHUP", "got SIGHUP"}, {"SIGUSR1", "got SIGUSR1"}, {"SIGTERM", "the task was stopped by SIGTERM"},
		{"SIGINT", "the task was stopped by SIGINT"}, {"SIGKILL", "the task was stopped by SIGKILL"}, {"SIGWINCH", "the task was stopped by SIGWINCH"},
	} {
		k := key("web", child.Generation(i))
		s := start(k)
		if row.signal == "SIGWINCH" {
			s.Spec.Shutdown.Signal = row.signal
		}
		r.Start(s)
		await[machine.Started](t, r)

		r.Signal(machine.Signal{Key: key("web", 99), Signal: "SIGKILL"}) // not it
		r.Signal(machine.Signal{Key: k, Signal: row.signal})

		if e := await[machine.Exited](t, r); e.Words.Text() != row.want {
			t.Errorf("%s: the task ended with %q, want %q", row.signal, e.Words.Text(), row.want)
		}
		r.Acknowledge(k)
	}
}

func TestATaskSpeaksAboutItselfWhileItLives(t *testing.T) {
	said := make(chan Context, 1)
	r := registry(t, func(ctx context.Context, c Context) error {
		for range 1000 { // more than anybody listens to
			c.NotReady()
			c.Ready()
			c.Heartbeat()
		}
		said <- c
		return stay(ctx, c)
	})
	s := start(key("a", 0), Command("web", "x", "y")...)

	r.Start(s)
	await[machine.Started](t, r)
	c := <-said
	first := await[machine.Notified](t, r)
	c.NotReady()
	second := await[machine.Notified](t, r)
	r.Adopt()
	again := await[machine.Notified](t, r)
	c.Heartbeat()
	beat := await[machine.Notified](t, r)
	r.Signal(machine.Signal{Key: s.Key, Signal: "SIGTERM"})
	await[machine.Exited](t, r)
	c.Ready() // too late

	if !*first.Ready || !first.Heartbeat || first.Key != s.Key {
		t.Errorf("first it was told %+v, want ready and a heartbeat", first)
	}
	if beat.Ready != nil || !beat.Heartbeat {
		t.Errorf("a heartbeat is told as %+v", beat)
	}
	if *second.Ready || second.Heartbeat || *again.Ready {
		t.Errorf("then %+v, and to who asks what there is %+v; want not ready", second, again)
	}
	if ev, ok := r.Take(); ok {
		t.Errorf("after its end: %+v", ev)
	}
	if c.Child() != "a" || c.Attempt() != 1 || c.Spec() != s.Spec || !slices.Equal(c.Args(), []string{"x", "y"}) {
		t.Errorf("it was told to be %s, attempt %d, args %q", c.Child(), c.Attempt(), c.Args())
	}
}

func TestWhatATaskCannotHaveIsRefused(t *testing.T) {
	r := registry(t, stay)
	for want, change := range map[string]func(*machine.Start){
		"run_as: a task runs inside this program":          func(s *machine.Start) { s.Spec.RunAs = &child.RunAs{User: "app"} },
		"resource_limits: a task runs inside this program": func(s *machine.Start) { s.Spec.ResourceLimits = &child.ResourceLimits{} },
		"working_dir: a task runs inside this program":     func(s *machine.Start) { s.Spec.WorkingDir = "/" },
		"env_files: a task runs inside this program":       func(s *machine.Start) { s.Spec.EnvFiles = []string{"/env"} },
		"environment: secret_ref: a task runs inside this program": func(s *machine.Start) {
			s.Spec.Environment = []child.EnvVar{{Name: "TOKEN", SecretRef: "${TOKEN}"}}
		},
		"a is no task, and this program runs nothing but tasks; registered are: web": func(s *machine.Start) { s.Spec.Command = []string{"sleep", "1"} },
		"pre_stop: a hook is a process":                                              func(s *machine.Start) { s.Key.Role = child.PreStop },
	} {
		s := start(key("a", 0), Command("web")...)
		s.Key.Generation = child.Generation(len(want)) // a new one each
		r.last = map[child.ID]child.Key{}
		change(&s)

		r.Start(s)

		if f := await[machine.StartFailed](t, r); !strings.HasPrefix(f.Reason, want) || f.Busy {
			t.Errorf("answer %+v, want %q", f, want)
		}
	}
}

func TestRegisteringIsChecked(t *testing.T) {
	r := registry(t, stay)
	for want, err := range map[string]error{
		"there is one of that name": r.Register("web", stay),
		"the function is nil":       r.Register("x", nil),
		"must begin with a letter":  r.Register("a b", stay),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Register = %v, want %q", err, want)
		}
	}
	hook := start(key("web", 0))
	hook.Key.Role = child.PreStart
	if !r.Runs(start(key("folder/web", 0))) || r.Runs(start(key("other", 0))) || r.Runs(start(key("web", 0), "web")) || r.Runs(hook) {
		t.Error("Runs is wrong about what is a task")
	}
}

func TestChildrenThatAreGoneAreForgotten(t *testing.T) {
	r := registry(t, stay)
	r.Start(start(key("web", 0)))
	await[machine.Started](t, r)
	for n := range maxFences {
		r.Start(start(key(child.ID(fmt.Sprintf("child-%d", n)), 0), "task:none"))
		await[machine.StartFailed](t, r)
	}

	r.Start(start(key("web", 0)))

	if again := await[machine.Started](t, r); again.Key != key("web", 0) {
		t.Errorf("the one that lives: %+v", again)
	}
	if len(r.last) > 10 || len(r.fails) > 10 {
		t.Errorf("%d keys and %d failures are remembered", len(r.last), len(r.fails))
	}
}

func TestTheEndWaitsForTasksAndNamesThoseThatDoNotReturn(t *testing.T) {
	r := NewRegistry()
	for name, f := range map[string]Func{"good": stay, "deaf": deaf(t)} {
		if err := r.Register(name, f); err != nil {
			t.Fatal(err)
		}
	}
	impatient := start(key("deaf", 0))
	impatient.Spec.Shutdown = child.Shutdown{}
	r.Start(start(key("good", 0)))
	r.Start(impatient)

	err := r.Stop()

	if err == nil || !strings.Contains(err.Error(), "cannot be killed: deaf#1.0") || strings.Contains(err.Error(), "good") {
		t.Errorf("Stop = %v, want it to name deaf", err)
	}
	r.Start(start(key("good", 1)))
	if _, alive := r.Alive("good"); alive {
		t.Error("a start after the end was not dropped")
	}
}

func TestAloneTheRegistryTellsWhatLivesAndThenWhatHappens(t *testing.T) {
	r := NewRegistry()
	if err := r.Register("web", stay); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- r.Run(ctx) }()
	next := func() machine.Event {
		select {
		case ev := <-r.Events():
			return ev
		case <-time.After(patience):
			t.Fatal("no event")
			return nil
		}
	}

	adopted := next()
	r.Start(start(key("web", 0)))
	began := next()
	cancel()

	if err := <-ended; err != nil {
		t.Errorf("Run = %v", err)
	}
	if _, ok := adopted.(machine.Adopted); !ok {
		t.Errorf("the first event is %T", adopted)
	}
	if _, ok := began.(machine.Started); !ok {
		t.Errorf("the second event is %T", began)
	}
	if _, alive := r.Alive("web"); alive {
		t.Error("the task outlived Run")
	}
}
