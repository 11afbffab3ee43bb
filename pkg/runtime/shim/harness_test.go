//go:build linux

package shim

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/logs"
)

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

// nowhere is no cgroup directory: children of such a shim get none.
const nowhere = "/proc/self/no-cgroup"

// raceEnv keeps shims and children that are built for the race detector from
// sleeping for a second before they exit.
const raceEnv = "GORACE=atexit_sleep_ms=0"

// bench is a state directory, and a brain with a shim on it.
type bench struct {
	testing.TB
	dir    string
	cgroup string
	dirty  bool          // the shim begins with all that it could inherit
	beat   time.Duration // of the pulse; 0: as it is
	*brain
}

// brain is one life of a client.
type brain struct {
	client *Client
	cancel context.CancelFunc
	ended  chan struct{}
	list   Listed
	seen   []Event
}

// newBench starts a brain and a shim. After the test the shim must own nothing,
// end when asked, and leave no process, FIFO or cgroup.
func newBench(t testing.TB, cgroup string) *bench {
	b := &bench{TB: t, dir: t.TempDir(), cgroup: cgroup}
	b.connect()
	t.Cleanup(b.tearDown)
	return b
}

func (b *bench) command() []string {
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	if b.dirty {
		return []string{self, asDirty, self, asShim, b.dir, b.cgroup}
	}
	return []string{self, asShim, b.dir, b.cgroup}
}

// connect begins a new life of the brain.
func (b *bench) connect() {
	b.Helper()
	name, value, _ := strings.Cut(raceEnv, "=")
	b.Setenv(name, value)
	client, err := NewClient(ClientConfig{StateDir: b.dir, Command: b.command()})
	if err != nil {
		b.Fatal(err)
	}
	if b.beat > 0 {
		client.beat = b.beat
	}
	ctx, cancel := context.WithCancel(context.Background())
	b.brain = &brain{client: client, cancel: cancel, ended: make(chan struct{})}
	go func() {
		defer close(b.brain.ended)
		if err := client.Run(ctx); err != nil {
			b.Errorf("Run: %v", err)
		}
	}()
	b.list = await[Listed](b, nil)
}

// disconnect ends this life of the brain.
func (b *bench) disconnect() {
	b.cancel()
	<-b.brain.ended
}

func (b *bench) tearDown() {
	words, _ := os.ReadFile(filepath.Join(b.dir, "shim", "log"))
	if strings.Contains(string(words), "DATA RACE") || strings.Contains(string(words), "panic:") {
		b.Error("the shim broke")
	}
	if b.Failed() {
		b.Logf("the shim said:\n%s", words)
	}
	for range 100 {
		select {
		case <-b.brain.ended:
			b.connect()
		default:
		}
		b.client.Quit()
		select {
		case <-b.brain.ended:
			if b.client.hasQuit() {
				b.checkLeftovers()
				return
			}
		case ev := <-b.client.Events():
			b.clean(ev)
		case <-time.After(100 * time.Millisecond):
			b.cleanList()
		}
	}
	b.Error("the shim does not end")
}

// clean ends what a test has left running.
func (b *bench) clean(ev Event) {
	switch ev := ev.(type) {
	case Exited:
		b.client.Ack(ev.Key)
	case Listed:
		b.list = ev
		b.cleanList()
	}
}

func (b *bench) cleanList() {
	b.cancel()
	<-b.brain.ended
	b.connect()
	for _, p := range b.list.Running {
		b.client.Signal(p.Key, "SIGKILL", true)
	}
	for _, r := range b.list.Exits {
		b.client.Ack(r.Key)
	}
}

func (b *bench) checkLeftovers() {
	b.Helper()
	pid := b.list.Shim.PID
	b.until("the shim is gone", func() bool { return b.gone(pid) })
	if _, err := os.Stat(filepath.Join(b.dir, "shim", "fifo")); !errors.Is(err, os.ErrNotExist) {
		b.Errorf("FIFOs are left: %v", err)
	}
	tag, err := tagOf(b.dir)
	if err != nil {
		b.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(runNotify, tag+"*", "*")); len(left) > 0 {
		b.Errorf("notify sockets are left: %v", left)
	}
	if b.cgroup != nowhere {
		g, err := ownGroup()
		if err != nil {
			return
		}
		if _, err := os.Stat(filepath.Join(g, "reconciler-"+tag)); !errors.Is(err, os.ErrNotExist) {
			b.Errorf("cgroups are left: %v", err)
		}
	}
	for _, p := range allPIDs() {
		if mark := markOf(p); strings.HasSuffix(mark, "@"+tag) && !b.gone(p) {
			b.Errorf("%s is left, of %s", describe(p), mark)
		}
	}
}

// gone reports whether a process has ended, reaped or not.
func (b *bench) gone(pid int) bool {
	_ = unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOHANG, nil)
	stat, err := readStat(pid)
	return err != nil || stat.state == 'Z' || stat.state == 'X'
}

// await takes events until one of type E fits; nil fits all. The others are kept
// for later calls.
func await[E Event](b *bench, fits func(E) bool) E {
	b.Helper()
	for i, ev := range b.seen {
		if e, ok := ev.(E); ok && (fits == nil || fits(e)) {
			b.seen = append(b.seen[:i], b.seen[i+1:]...)
			return e
		}
	}
	deadline := time.After(patience)
	for {
		select {
		case ev := <-b.client.Events():
			if e, ok := ev.(E); ok && (fits == nil || fits(e)) {
				return e
			}
			b.seen = append(b.seen, ev)
		case <-deadline:
			b.Fatalf("no %v within %v; others were %+v", reflect.TypeFor[E](), patience, b.seen)
		}
	}
}

func (b *bench) started(key child.Key) Process {
	b.Helper()
	for i, ev := range b.seen {
		if e, ok := ev.(StartFailed); ok && e.Key == key {
			b.seen = append(b.seen[:i], b.seen[i+1:]...)
			b.Fatalf("%s did not start: %s", key, e.Reason)
		}
	}
	return await(b, func(e Started) bool { return e.Key == key }).Process
}

func (b *bench) exited(key child.Key) Report {
	b.Helper()
	return await(b, func(e Exited) bool { return e.Key == key }).Report
}

// until waits for a condition of the world.
func (b *bench) until(what string, holds func() bool) {
	b.Helper()
	for deadline := time.Now().Add(patience); !holds(); {
		if time.Now().After(deadline) {
			b.Fatalf("waited %v: %s", patience, what)
		}
		<-time.After(2 * time.Millisecond)
	}
}

// key is generation g of a child.
func key(id string, g int) child.Key {
	return child.Key{ID: child.ID(id), Incarnation: 1, Generation: child.Generation(g)}
}

// launch is a child that plays a role.
func (b *bench) launch(k child.Key, name string, args ...any) Launch {
	b.Helper()
	if roles[name] == nil {
		b.Fatalf("no role %q", name)
	}
	used.Lock()
	defer used.Unlock()
	used.roles = append(used.roles, name)
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	argv := []string{self, asChild, name}
	for _, a := range args {
		argv = append(argv, fmt.Sprint(a))
		used.roles = append(used.roles, fmt.Sprint(a)) // of a grandchild
	}
	return Launch{
		Key: k, Attempt: child.Attempt(k.Generation + 1), SpecHash: "sha256:test",
		Path: self, Args: argv, Dir: b.dir, Env: []string{"PATH=" + os.Getenv("PATH"), "SECRET=canary", raceEnv},
		Log: logs.Policy{MaxBytes: 64 << 20, MaxFiles: 2},
	}
}

// run starts a child and waits until it runs.
func (b *bench) run(k child.Key, name string, args ...any) Process {
	b.Helper()
	b.client.Start(b.launch(k, name, args...))
	return b.started(k)
}

// output is what a child has printed.
func (b *bench) output(k child.Key) string {
	data, err := os.ReadFile(filepath.Join(b.dir, "logs", string(k.ID), "current"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		b.Fatal(err)
	}
	return string(data)
}

// printed waits for a line of output that begins with prefix and gives the rest.
func (b *bench) printed(k child.Key, prefix string) string {
	b.Helper()
	var rest string
	b.until(fmt.Sprintf("%s prints %q", k, prefix), func() bool {
		for line := range strings.Lines(b.output(k)) {
			if r, ok := strings.CutPrefix(line, prefix); ok && strings.HasSuffix(r, "\n") {
				rest = strings.TrimSpace(r)
				return true
			}
		}
		return false
	})
	return rest
}

func (b *bench) printedPID(k child.Key, prefix string) int {
	b.Helper()
	pid, err := strconv.Atoi(b.printed(k, prefix))
	if err != nil {
		b.Fatal(err)
	}
	return pid
}

// killShim kills the shim for real, and waits for the brain's next list.
func (b *bench) killShim() {
	b.Helper()
	if err := kill(b.list.Shim.PID, unix.SIGKILL); err != nil {
		b.Fatal(err)
	}
	old, begun := b.list.Shim.PID, time.Now()
	b.list = await(b, func(l Listed) bool { return l.Shim.PID != old })
	b.Logf("a new shim lists %d after %v", len(b.list.Running), time.Since(begun).Round(time.Millisecond))
}
