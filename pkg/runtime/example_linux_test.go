package runtime_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/task"
)

// Tasks and processes live in one runtime, and depend on each other.
func ExampleOpen() {
	state, err := os.MkdirTemp("", "state")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(state)
	tasks := task.NewRegistry()
	if err := tasks.Register("mailer", mailer); err != nil {
		log.Fatal(err)
	}
	app, err := runtime.Open(runtime.Options{StateDir: state, Tasks: tasks, Processes: true})
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	ended := make(chan error)
	go func() { ended <- app.Run(ctx) }()
	me := child.Cause{RequestedBy: "main", Reason: "to show it"}

	process := runtime.NewSpec("sleep", "1000")
	process.Dependencies = []child.Dependency{{ID: "mailer", Condition: child.WhenReady}}
	for id, spec := range map[child.ID]*child.Spec{
		"sleeper": process,
		"mailer":  runtime.NewSpec(),
		"copy":    runtime.NewSpec(task.Command("mailer", "--queue", "second")...), // the same task under another name
	} {
		if _, err := app.Declare(ctx, id, spec, me); err != nil {
			log.Fatal(err)
		}
	}
	for _, id := range []child.ID{"sleeper", "mailer", "copy"} {
		s, err := await(ctx, app.Handle(), id, func(s *child.Snapshot) bool { return s.Phase == child.Running && s.Ready })
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(s.ID, "in this program:", s.PID == os.Getpid())
	}

	stop()
	if err := <-ended; err != nil {
		log.Fatal(err)
	}
	// Output:
	// sleeper in this program: false
	// mailer in this program: true
	// copy in this program: true
}
