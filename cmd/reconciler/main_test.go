package main_test

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	main "github.com/reconciler-dev/reconciler/cmd/reconciler"
	"github.com/reconciler-dev/reconciler/internal/pidns"
)

// TestMain makes this test binary the program too, under the name reconciler, and
// moves the tests into a PID namespace of their own. The program is in it already.
func TestMain(m *testing.M) {
	if name := filepath.Base(os.Args[0]); name != "reconciler" && name != "probe-server" {
		pidns.Enter()
	}
	testscript.Main(m, map[string]func(){"reconciler": main.Main, "probe-server": probeServer})
}

// TestScripts tells what a user sees, a story a file.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		Cmds:                scriptCommands(),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			examples, err := filepath.Abs("../../docs/examples")
			env.Setenv("EXAMPLES", examples)
			env.Setenv("GID", strconv.Itoa(os.Getgid())) // for RECONCILER_STATUS_GROUP: the files are then complete
			return err
		},
	})
}
