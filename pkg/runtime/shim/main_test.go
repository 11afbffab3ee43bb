//go:build linux

package shim

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/reconciler-dev/reconciler/internal/pidns"
)

// The test binary plays the shims and the children. Its first argument says which.
const (
	asShim  = "as-shim"
	asChild = "as-child"
)

// roles are what children do, each registered beside the test that uses it. A
// full run fails when a role was used by no test.
var roles = map[string]func(args []string) int{}

var used struct {
	sync.Mutex
	roles []string
}

func role(name string, f func(args []string) int) string {
	roles[name] = f
	return name
}

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == asShim {
		os.Exit(playShim(os.Args[2:]))
	}
	if len(os.Args) > 2 && os.Args[1] == asChild {
		os.Exit(roles[os.Args[2]](os.Args[3:]))
	}
	if len(os.Args) > 2 && os.Args[1] == asDirty {
		os.Exit(playDirty(os.Args[2:]))
	}
	pidns.Enter()
	flag.Parse()
	code := m.Run()
	if code == 0 && wholeRun() {
		for name := range roles {
			if !slices.Contains(used.roles, name) {
				fmt.Fprintf(os.Stderr, "role %q is used by no test\n", name)
				code = 1
			}
		}
	}
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

func wholeRun() bool {
	for _, name := range []string{"test.run", "test.skip", "test.list"} {
		if f := flag.Lookup(name); f != nil && f.Value.String() != "" {
			return false
		}
	}
	return !testing.Short()
}

// playShim is the hidden sub-command: state directory, then cgroup parent.
func playShim(args []string) int {
	cfg := Config{StateDir: args[0], Version: "test"}
	if len(args) > 1 {
		cfg.CgroupParent = args[1]
	}
	if err := Serve(context.Background(), cfg); err != nil {
		fmt.Fprintln(os.Stderr, strings.ReplaceAll(err.Error(), "\n", " "))
		return 1
	}
	return 0
}
