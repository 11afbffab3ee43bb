package runtime_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/desired"
	"github.com/reconciler-dev/reconciler/pkg/runtime"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/journal"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
	"github.com/reconciler-dev/reconciler/pkg/runtime/task"
)

// mailer is a task: it cannot work at first, and says when it can.
func mailer(ctx context.Context, t task.Context) error {
	if t.Attempt() == 1 {
		return errors.New("no mail server")
	}
	t.Ready()
	beat := time.NewTicker(time.Second)
	defer beat.Stop()
	for {
		select {
		case <-beat.C:
			t.Heartbeat()
		case <-ctx.Done():
			return nil // stopped: there is nothing more to do
		}
	}
}

// await waits until a child is as ok wants it.
func await(ctx context.Context, h *runtime.Handle, id child.ID, ok func(*child.Snapshot) bool) (*child.Snapshot, error) {
	changes := h.Subscribe()
	defer changes.Close()
	for {
		if s, there := h.Child(id); there && ok(s) {
			return s, nil
		}
		select {
		case <-changes.Wake():
			changes.Take()
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func isReady(s *child.Snapshot) bool { return s.Ready }

func Example() {
	state, err := os.MkdirTemp("", "state")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(state)

	tasks := task.NewRegistry()
	if err := tasks.Register("mailer", mailer); err != nil {
		log.Fatal(err)
	}
	app, err := runtime.Open(runtime.Options{StateDir: state, Tasks: tasks})
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	ended := make(chan error)
	go func() { ended <- app.Run(ctx) }()

	spec := runtime.NewSpec() // without a command: the task of its name
	spec.Readiness = &child.Readiness{Probe: child.Probe{Notify: true}}
	spec.HealthCheck = &child.HealthCheck{
		CheckInterval: child.Seconds(10 * time.Second), MaxRetries: 3, Probe: child.Probe{Heartbeat: true},
	}
	me := child.Cause{RequestedBy: "main", Reason: "the program sends mail"}
	if _, err := app.Declare(ctx, "mailer", spec, me); err != nil {
		log.Fatal(err)
	}
	s, err := await(ctx, app.Handle(), "mailer", isReady)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s is ready in attempt %d; the one before: %s\n", s.ID, s.Attempt, s.LastExit.Words.Text())

	stop()
	if err := <-ended; err != nil {
		log.Fatal(err)
	}
	report, err := app.Handle().Join(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s: %s\n", report.Children[0].ChildID, report.Children[0].Status)
	// Output:
	// mailer is ready in attempt 2; the one before: no mail server
	// mailer: graceful
}

// Programs whose children may be processes begin like this: the process that owns
// the others is the program itself, started once more.
func ExampleIsShim() {
	if runtime.IsShim() {
		if err := runtime.ServeShim(context.Background()); err != nil {
			log.Fatal(err)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	app, err := runtime.Open(runtime.Options{StateDir: "/var/lib/app", Processes: true, Leave: true})
	if err != nil {
		log.Fatal(err)
	}
	if err := app.Run(ctx); err != nil {
		log.Fatal(err)
	}
}

// What happened is in the journal, also while the program does not run.
func ExampleEmbedded() {
	state, err := os.MkdirTemp("", "state")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(state)
	tasks := task.NewRegistry()
	err = tasks.Register("broken", func(context.Context, task.Context) error { panic("out of cheese") })
	if err != nil {
		log.Fatal(err)
	}
	app, err := runtime.Open(runtime.Options{StateDir: state, Tasks: tasks})
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	ended := make(chan error)
	go func() { ended <- app.Run(ctx) }()

	manifest := []byte("name: broken\nrestart_policy: temporary\n") // a spec may come from a manifest too
	manifests, problems := desired.Decode("broken.yaml", manifest)
	if len(problems) > 0 {
		log.Fatal(problems)
	}
	spec, problems := manifests[0].Spec("", nil, func(child.ID) bool { return false })
	if len(problems) > 0 {
		log.Fatal(problems)
	}
	me := child.Cause{RequestedBy: "main", Reason: "to see it break"}
	if _, err := app.Declare(ctx, "broken", spec, me); err != nil {
		log.Fatal(err)
	}
	if _, err := await(ctx, app.Handle(), "broken", func(s *child.Snapshot) bool { return s.Phase == child.FailedPhase }); err != nil {
		log.Fatal(err)
	}
	stop()
	if err := <-ended; err != nil {
		log.Fatal(err)
	}

	exits := journal.Options{Want: func(e *journal.Entry) bool { return e.Type == machine.ChildExited }}
	for item, err := range journal.Read(filepath.Join(state, "journal"), exits) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(item.ChildID, item.Exit.Kind, item.Exit.Words.Text())
	}
	// Output:
	// broken failed panic: out of cheese
}
