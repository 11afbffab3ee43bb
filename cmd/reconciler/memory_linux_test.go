package main_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/reconciler-dev/reconciler/internal/testuser"
	"github.com/reconciler-dev/reconciler/pkg/status"
)

// TestTheOwnUserReadsNeitherTheReconcilersMemoryNorTheShims plays a child that runs as
// the user of the reconciler. That it reads what is another child's shows that it could.
func TestTheOwnUserReadsNeitherTheReconcilersMemoryNorTheShims(t *testing.T) {
	if !testuser.Rerun(t) {
		return
	}
	t.Chdir(t.TempDir())
	if err := errors.Join(os.Mkdir("manifests", 0o700), os.WriteFile("manifests/web.yaml", []byte("name: web\ncommand: [sleep, '1000']\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	daemon := start(t)
	first := awaitRunning(t)
	runtime, err := status.ReadRuntime("status")
	if err != nil {
		t.Fatal(err)
	}

	for name, pid := range map[string]int{"the reconciler": runtime.PID, "the shim": runtime.Shim.PID, "the child": *first.PID} {
		for _, file := range []string{"environ", "maps", "mem"} {
			f, err := os.Open(fmt.Sprintf("/proc/%d/%s", pid, file))
			if err == nil {
				f.Close()
			}
			if name == "the child" && err != nil {
				t.Errorf("%s of %s: %v; then nothing is shown by the others", file, name, err)
			}
			if name != "the child" && !errors.Is(err, fs.ErrPermission) {
				t.Errorf("%s of %s was opened (%v)", file, name, err)
			}
		}
	}

	// Whoever may command it still can, and the next one adopts.
	if out, err := exec.Command("reconciler", "get", "web", "-o", "json").Output(); err != nil || json.Unmarshal(out, first) != nil || first.Captured != status.Complete {
		t.Errorf("get: %v, %s", err, out)
	}
	if err := daemon.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = daemon.Wait()
	start(t)
	again := awaitRunning(t)
	if again.Attempt != 1 || *again.PID != *first.PID {
		t.Errorf("after a kill -9: attempt %d, pid %d; want the child %d adopted", again.Attempt, *again.PID, *first.PID)
	}
}

// start runs a reconciler here until the test ends.
func start(t *testing.T) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("reconciler", "run")
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	})
	return cmd
}

// awaitRunning waits until a reconciler that lives says that web runs.
func awaitRunning(t *testing.T) *status.Child {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		out, err := exec.Command("reconciler", "wait", "web", "--timeout", "1s").CombinedOutput()
		if c, readErr := status.ReadChild("status", "web"); err == nil && readErr == nil && c.PID != nil {
			return c
		}
		select {
		case <-deadline.C:
			t.Fatalf("web does not run: %v\n%s", err, out)
		case <-tick.C:
		}
	}
}
