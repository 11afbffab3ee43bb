// Package pidns gives a test binary a PID namespace of its own, so that tests
// which start, signal and kill processes cannot touch anybody else's, and so that
// nothing they leave behind outlives them.
package pidns

import (
	"os"
	"os/exec"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

const marker = "RECONCILER_TEST_PIDNS"

// Enter replaces this process by itself in a new PID namespace with its own
// /proc; it returns at once where it is in one already, and where no namespace
// can be made (not root, no unshare(1)): then the tests run as they are. Call it
// first thing in TestMain.
//
// A shell is the init of the namespace: it reaps orphans, which a test binary
// does not.
func Enter() {
	if os.Getenv(marker) != "" || os.Getuid() != 0 {
		return
	}
	unshare, err := exec.LookPath("unshare")
	if err != nil {
		return
	}
	isolate := []string{unshare, "--pid", "--fork", "--mount-proc", "--kill-child"}
	if exec.Command(unshare, append(isolate[1:], "true")...).Run() != nil {
		return
	}
	argv := append(isolate, "sh", "-c", `"$@"; exit $?`, "sh")
	argv = append(argv, os.Args...)
	if self, err := os.Executable(); err == nil {
		argv[len(isolate)+4] = self
	}
	err = unix.Exec(unshare, argv, append(os.Environ(), marker+"=1"))
	panic("pidns: " + unshare + ": " + err.Error())
}

// Outside is an environment without the sign that Enter left: a test binary that is
// started with it makes a namespace of its own again, inside this one.
func Outside(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(s string) bool { return strings.HasPrefix(s, marker+"=") })
}

// Isolated reports whether this process runs in a namespace that Enter made.
func Isolated() bool { return os.Getenv(marker) != "" }
