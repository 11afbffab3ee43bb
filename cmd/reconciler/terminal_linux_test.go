package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// openPTY makes a terminal: what its window holds, and what runs in it.
func openPTY(t *testing.T) (window, inside *os.File) {
	t.Helper()
	window, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminal can be made: %v", err)
	}
	t.Cleanup(func() { window.Close() })
	n, err := unix.IoctlGetInt(int(window.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(window.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Skipf("no terminal can be made: %v", err)
	}
	inside, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminal can be made: %v", err)
	}
	return window, inside
}

// awaitFile waits until a file holds text.
func awaitFile(t *testing.T, path, text string) {
	t.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		data, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(data), text) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not say %q after %v (%v)", path, text, patience, err)
		}
		<-tick.C
	}
}

func TestAClosedTerminalEndsTheRunAndASIGHUPInOneDoesNot(t *testing.T) {
	dir := t.TempDir()
	manifest := "name: web\ncommand: [sleep, '1000']\n"
	if err := os.MkdirAll(filepath.Join(dir, "manifests"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "manifests", "web.yaml"), []byte(manifest), 0o644); err != nil {
		t.Fatal(err)
	}
	window, inside := openPTY(t)
	words, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer words.Close()
	run := exec.Command("reconciler", "run", "-v")
	run.Dir, run.Stdin, run.Stdout, run.Stderr = dir, inside, inside, words
	run.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = run.Process.Kill() }) // it ended, where all is well
	inside.Close()
	awaitFile(t, filepath.Join(dir, "status", "web.json"), `"phase": "Running"`)

	if err := run.Process.Signal(unix.SIGHUP); err != nil {
		t.Fatal(err)
	}
	awaitFile(t, filepath.Join(dir, "status", "reconciler.json"), `"trigger": "request"`)
	awaitFile(t, filepath.Join(dir, "status", "web.json"), `"phase": "Running"`)
	window.Close()

	awaitFile(t, filepath.Join(dir, "log"), "ending, because the terminal was closed")
	if err := run.Wait(); err != nil {
		t.Errorf("the run ended with %v, want the end that --on-exit stop gives", err)
	}
	awaitFile(t, filepath.Join(dir, "status", "reconciler.json"), `"status": "graceful"`)
}
