// Command reconciler keeps the processes running that a directory of manifests
// declares.
package main

import (
	"context"
	"os"

	"github.com/reconciler-dev/reconciler/cmd/reconciler/internal/cli"
	"github.com/reconciler-dev/reconciler/cmd/reconciler/internal/daemon"
)

func main() {
	os.Exit(run())
}

// run is the program up to its exit code.
func run() int {
	return cli.Execute(context.Background(), cli.New(options()), os.Args[1:])
}

func options() cli.Options {
	return cli.Options{Run: daemon.Run, Shim: daemon.Shim}
}
