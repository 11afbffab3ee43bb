package main_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// container is a run of the reconciler as the first process of a PID namespace.
type container struct {
	t     *testing.T
	dir   string
	outer *exec.Cmd // unshare(1), which ends as the first process does
	log   bytes.Buffer
	first int // the first process, as it is numbered here
}

// skipOutsideCI is for what a developer may lack and CI may not.
func skipOutsideCI(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(why + "; CI must be able to")
	}
	t.Skip(why)
}

// inContainer begins a run with one manifest, web.
func inContainer(t *testing.T, manifest string, flags ...string) *container {
	t.Helper()
	unshare, err := exec.LookPath("unshare")
	if err != nil || os.Getuid() != 0 {
		skipOutsideCI(t, "only root can make a PID namespace, with unshare(1)")
	}
	c := &container{t: t, dir: t.TempDir()}
	c.write("manifests/web.yaml", manifest)
	args := append([]string{"--pid", "--fork", "--mount-proc", "--kill-child", "reconciler", "run"}, flags...)
	c.outer = exec.Command(unshare, args...)
	c.outer.Dir, c.outer.Stdout, c.outer.Stderr = c.dir, &c.log, &c.log
	if err := c.outer.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.outer.Process.Kill() }) // it ended, where all is well; --kill-child ends the rest
	c.await("the first process", func() bool {
		c.first = childNamed(c.outer.Process.Pid, "reconciler")
		return c.first > 1
	})
	return c
}

func (c *container) write(name, text string) {
	c.t.Helper()
	path := filepath.Join(c.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		c.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		c.t.Fatal(err)
	}
}

// await waits for a condition, for less long than the test may take: the container
// must not outlive it.
func (c *container) await(what string, ok func() bool) {
	c.t.Helper()
	deadline := time.Now().Add(patience / 3)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(deadline) {
			c.t.Fatalf("waited %v for: %s", patience/3, what)
		}
		<-tick.C
	}
}

func (c *container) says(file, text string) func() bool {
	return func() bool {
		data, err := os.ReadFile(filepath.Join(c.dir, file))
		return err == nil && strings.Contains(string(data), text)
	}
}

// signal goes to one process of the container, by its number here.
func (c *container) signal(pid int, sig unix.Signal) {
	c.t.Helper()
	if pid <= 1 || pid == os.Getpid() {
		c.t.Fatalf("refused to signal %d", pid)
	}
	p, err := os.FindProcess(pid) // by a descriptor of the process, where the kernel has one
	if err == nil {
		err = p.Signal(sig)
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

// ended is the exit code of the whole.
func (c *container) ended() int {
	c.t.Helper()
	done := make(chan struct{})
	go func() { _ = c.outer.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(patience / 3):
		c.t.Fatal("the container did not end")
	}
	return c.outer.ProcessState.ExitCode()
}

// statOf is the state, the name and the parent of a process.
func statOf(pid int) (state byte, name string, parent int) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	open, end := bytes.IndexByte(data, '('), bytes.LastIndexByte(data, ')')
	if err != nil || open < 0 || end < open {
		return 0, "", 0
	}
	fields := strings.Fields(string(data[end+1:]))
	parent, _ = strconv.Atoi(fields[1])
	return fields[0][0], string(data[open+1 : end]), parent
}

func processes() []int {
	entries, _ := os.ReadDir("/proc")
	var all []int
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			all = append(all, pid)
		}
	}
	return all
}

// childNamed is the first child of a process with a name; 0: there is none.
func childNamed(parent int, name string) int {
	for _, pid := range processes() {
		if state, is, of := statOf(pid); of == parent && is == name && state != 'Z' {
			return pid
		}
	}
	return 0
}

// zombies are those that a process has not reaped.
func zombies(parent int) (n int) {
	for _, pid := range processes() {
		if state, _, of := statOf(pid); of == parent && state == 'Z' {
			n++
		}
	}
	return n
}

// shimOf is the shim of a reconciler.
func shimOf(brain int) int { return childNamed(brain, "reconciler") }

func TestTheFirstProcessOfAContainerReapsWhatOthersLeaveAndPassesSignalsOn(t *testing.T) {
	c := inContainer(t, `{name: web, command: [sh, -c, 'i=0; while test $i -lt 30; do (sh -c "exit 3" & exit 0); i=$((i+1)); done; echo x > left; exec sleep 1000']}`)
	c.await("thirty that nobody waits for", c.says("left", "x"))
	c.await("the start", c.says("status/web.json", `"phase": "Running"`))

	c.await("all of them reaped", func() bool { return zombies(c.first) == 0 })
	c.signal(c.first, unix.SIGTERM)

	if code := c.ended(); code != 0 {
		t.Errorf("it ended with %d, want 0:\n%s", code, c.log.String())
	}
	if !c.says("status/reconciler.json", `"status": "graceful"`)() {
		t.Errorf("the child was not stopped as it should be:\n%s", c.log.String())
	}
}

func TestTheFirstProcessOfAContainerTakesNoExitCode(t *testing.T) {
	c := inContainer(t, `{name: web, criticality: critical, restart_policy: temporary, command: [sh, -c, "(true & exit 0); exit 7"]}`, "--exit-on-critical")

	code := c.ended()

	if code != 7 {
		t.Errorf("it ended with %d, want the 7 of the critical child:\n%s", code, c.log.String())
	}
}

func TestAReconcilerKilledInAContainerIsStartedAgainAndAdoptsItsChildren(t *testing.T) {
	c := inContainer(t, `{name: web, command: [sh, -c, 'echo started >> starts; exec sleep 1000']}`)
	c.await("the start", c.says("status/web.json", `"phase": "Running"`))
	brain := childNamed(c.first, "reconciler")
	shim := shimOf(brain)

	c.signal(brain, unix.SIGKILL)
	c.await("another reconciler", func() bool {
		again := childNamed(c.first, "reconciler")
		return again > 1 && again != brain && (again != shim || zombies(c.first) == 0)
	})
	c.write("manifests/two.yaml", "{name: two, command: [sleep, '1000']}")
	c.await("what it does", c.says("status/two.json", `"phase": "Running"`))

	if starts, _ := os.ReadFile(filepath.Join(c.dir, "starts")); string(starts) != "started\n" {
		t.Errorf("web was started as often as this: %q, want once", starts)
	}
	c.signal(c.first, unix.SIGINT)
	if code := c.ended(); code != 0 {
		t.Errorf("it ended with %d, want 0:\n%s", code, c.log.String())
	}
}

func TestWhatAKilledShimLeavesIsReapedInAContainer(t *testing.T) {
	c := inContainer(t, `{name: web, command: [sh, -c, 'echo x > up; until test -e go; do sleep 0.01; done; exit 5'], restart_policy: temporary}`)
	c.await("the start", c.says("up", "x"))
	c.await("the status", c.says("status/web.json", `"phase": "Running"`))
	c.signal(shimOf(childNamed(c.first, "reconciler")), unix.SIGKILL)
	c.await("another shim", func() bool { return shimOf(childNamed(c.first, "reconciler")) > 1 })

	c.write("go", "x")
	c.await("the end", c.says("status/web.json", `"last_exit": {`))

	c.await("all of them reaped", func() bool { return zombies(c.first) == 0 })
	c.signal(c.first, unix.SIGTERM)
	if code := c.ended(); code != 0 {
		t.Errorf("it ended with %d, want 0:\n%s", code, c.log.String())
	}
}
