package daemon

import (
	"context"
	"fmt"
	"os"
	"slices"

	"github.com/go-logr/logr"

	"github.com/reconciler-dev/reconciler/cmd/reconciler/internal/cli"
	"github.com/reconciler-dev/reconciler/cmd/reconciler/internal/pid1"
)

// runBelowInit makes this process the init of its container, and has another one do
// what it was told.
func runBelowInit(ctx context.Context, c cli.RunConfig, log logr.Logger) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find the own executable, to start the reconciler below an init: %w", err)
	}
	argv := slices.Clone(os.Args)
	if c.OnExit == cli.LeaveChildren {
		log.Info("the children are stopped at the end, whatever --on-exit says: nobody can be left in a container whose first process ends")
		argv = stopOnExit(argv)
	}
	code, err := pid1.Run(ctx, self, argv, log.WithName("init"))
	if err != nil {
		return err
	}
	return cli.ExitWith(code)
}

// stopOnExit has the last word on --on-exit.
func stopOnExit(argv []string) []string {
	end := len(argv)
	if i := slices.Index(argv, "--"); i >= 0 { // what follows is no flag
		end = i
	}
	return slices.Insert(argv, end, "--on-exit="+string(cli.StopChildren))
}
