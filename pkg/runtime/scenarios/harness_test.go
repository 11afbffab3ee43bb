//go:build linux

package scenarios

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/reconciler-dev/reconciler/internal/pidns"
	"github.com/reconciler-dev/reconciler/pkg/runtime"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/journal"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
	"github.com/reconciler-dev/reconciler/pkg/runtime/shim"
)

const (
	asShim    = "as-shim"
	asWitness = "as-witness"

	// patience is how long a test waits for what must happen.
	patience = 30 * time.Second
)

var alice = child.Cause{RequestedBy: "alice", Reason: "a test"}

func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == asShim {
		if err := shim.Serve(context.Background(), shim.Config{StateDir: os.Args[2], Version: "test"}); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if len(os.Args) > 2 && os.Args[1] == asWitness {
		os.Exit(witness(os.Args[2]))
	}
	pidns.Enter()
	flag.Parse()
	code := m.Run()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// rig is a runtime with a shim and real processes.
type rig struct {
	testing.TB
	dir string
	*runtime.Handle
	*life
}

// life is one run of the reconciler.
type life struct {
	cancel  context.CancelFunc
	procs   *runtime.ShimProcesses
	stopped chan struct{} // the loop has ended
	gone    chan struct{} // and so has the connection to the shim
	records *journal.Records

	mu    sync.Mutex
	facts []machine.Fact
}

// Append keeps the facts of this life.
func (l *life) Append(facts []machine.Fact, _ time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.facts = append(l.facts, facts...)
	return nil
}

func (l *life) told() []machine.Fact {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.facts)
}

// newRig starts a runtime. After the test everything must go down.
func newRig(t testing.TB) *rig {
	t.Setenv("GORACE", "atexit_sleep_ms=0")
	r := &rig{TB: t, dir: t.TempDir()}
	r.begin()
	t.Cleanup(r.end)
	return r
}

func (r *rig) begin() {
	r.Helper()
	self, err := os.Executable()
	r.must(err)
	records, restored, err := journal.OpenRecords(filepath.Join(r.dir, "records"))
	r.must(err)
	host := runtime.Host{WorkingDir: r.dir, Environ: os.Environ()}
	procs, err := runtime.NewShimProcesses(r.dir, []string{self, asShim, r.dir}, host, logr.Discard())
	r.must(err)
	l := &life{procs: procs, records: records, stopped: make(chan struct{}), gone: make(chan struct{})}
	rt, err := runtime.New(runtime.Config{Processes: procs, Records: records, Restored: restored, Journal: l, StartSlots: 8, Seed: 1})
	r.must(err)
	var ctx context.Context
	ctx, l.cancel = context.WithCancel(context.Background())
	go func() {
		defer close(l.gone)
		if err := procs.Run(ctx); err != nil {
			r.Errorf("the connection to the shim ended: %v", err)
		}
	}()
	go func() {
		defer close(l.stopped)
		if err := rt.Run(ctx); err != nil && !errors.Is(err, context.Canceled) {
			r.Errorf("the runtime ended: %v", err)
		}
	}()
	r.Handle, r.life = rt.Handle(), l
	select {
	case <-r.Adopted():
	case <-time.After(patience):
		r.Fatalf("no shim within %v", patience)
	}
}

// leave ends this life without stopping anything, as kill -9 would.
func (r *rig) leave() {
	r.cancel()
	<-r.stopped
	<-r.gone
	r.must(r.records.Close())
}

func (r *rig) end() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if _, err := r.ShutdownTree(ctx, alice); err != nil {
		r.Errorf("shutdown: %v", err)
	}
	r.procs.Quit()
	r.leave()
}

func (r *rig) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

// script is a spec that runs lines of sh with short times.
func script(lines ...string) *child.Spec {
	return &child.Spec{
		Kind: child.AsyncWorker, Command: []string{"/bin/sh", "-c", strings.Join(lines, "\n")},
		InheritEnvironment: child.InheritEnvironment{All: true},
		RestartPolicy:      child.Permanent, SuccessExitCodes: []int{0},
		Shutdown: child.Shutdown{
			Signal: "SIGTERM", GracefulTimeout: child.Seconds(patience), AbortWait: child.Seconds(10 * time.Second),
		},
		Backoff: child.Backoff{
			InitialDelay: child.Millis(10 * time.Millisecond), MaxDelay: child.Millis(50 * time.Millisecond),
			ResetAfter: child.Seconds(time.Minute),
		},
		Logs: child.Logs{MaxSizeMB: 1, MaxFiles: 2},
	}
}

// forever is the end of a script that runs until it is told to end.
const forever = "while :; do sleep 0.05; done"

// polite counts the SIGTERMs that it gets in the file terms, and ends.
func polite() *child.Spec {
	return script("trap 'echo $$ >> terms; exit 0' TERM", "echo $$ >> ready", forever)
}

// deaf ignores SIGTERM, and is killed after a short grace.
func deaf() *child.Spec {
	s := script("trap '' TERM", "echo $$ >> ready", forever)
	s.Shutdown.GracefulTimeout = child.Seconds(200 * time.Millisecond)
	return s
}

// add adds a child and waits for its first process.
func (r *rig) add(id child.ID, s *child.Spec) *child.Snapshot {
	r.Helper()
	_, err := r.Add(r.Context(), id, s, child.Origin{Generation: 1}, alice)
	r.must(err)
	return r.awaitPhase(id, child.Running)
}

func (r *rig) awaitPhase(id child.ID, phase child.Phase) *child.Snapshot {
	r.Helper()
	return r.await(id, string(phase), func(s *child.Snapshot) bool { return s.Phase == phase })
}

// await waits until a child is as it should be.
func (r *rig) await(id child.ID, what string, is func(*child.Snapshot) bool) *child.Snapshot {
	r.Helper()
	var last *child.Snapshot
	r.until(fmt.Sprintf("%s is %s", id, what), func() bool {
		s, ok := r.Child(id)
		last = s
		return ok && is(s)
	})
	return last
}

// until waits for a condition of the world.
func (r *rig) until(what string, holds func() bool) {
	r.Helper()
	changes := r.Subscribe()
	defer changes.Close()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(patience); !holds(); {
		select {
		case <-changes.Wake():
			changes.Take()
		case <-tick.C:
		case <-deadline:
			r.Fatalf("waited %v: %s", patience, what)
		}
	}
}

// lines are those of a file that children write in the state directory.
func (r *rig) lines(file string) []string {
	r.Helper()
	data, err := os.ReadFile(filepath.Join(r.dir, file))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		r.Fatal(err)
	}
	return strings.Fields(string(data))
}

// awaitLines waits until a file has at least n lines.
func (r *rig) awaitLines(file string, n int) []string {
	r.Helper()
	var got []string
	r.until(fmt.Sprintf("%s has %d lines", file, n), func() bool { got = r.lines(file); return len(got) >= n })
	return got
}

// lives reports whether a process exists and is no zombie.
func lives(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return rest == "" || rest[0] != 'Z' && rest[0] != 'X'
}

// kinds are those of the facts about a child, in order, of one correlation or of all ("").
func (r *rig) kinds(id child.ID, correlation string) (kinds []machine.FactKind) {
	for _, f := range r.told() {
		if f.Child == id && (correlation == "" || f.Correlation == correlation) {
			kinds = append(kinds, f.Kind)
		}
	}
	return kinds
}

func count(kinds []machine.FactKind, kind machine.FactKind) (n int) {
	for _, k := range kinds {
		if k == kind {
			n++
		}
	}
	return n
}

// awaitFact waits for a fact about a child.
func (r *rig) awaitFact(id child.ID, kind machine.FactKind) machine.Fact {
	r.Helper()
	var found machine.Fact
	r.until(fmt.Sprintf("%s of %s is told", kind, id), func() bool {
		for _, f := range r.told() {
			if f.Child == id && f.Kind == kind {
				found = f
				return true
			}
		}
		return false
	})
	return found
}

// witness is a child that proves with a lock of the kernel that it is alone.
func witness(dir string) int {
	term := make(chan os.Signal, 1)
	notifyTerm(term)
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return 2
	}
	note(dir, "starts")
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		note(dir, "overlaps")
	}
	<-term
	return 0
}

// note appends the own pid to a file, in one write.
func note(dir, file string) {
	f, err := os.OpenFile(filepath.Join(dir, file), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		os.Exit(2)
	}
	if _, err := fmt.Fprintln(f, os.Getpid()); err != nil {
		os.Exit(2)
	}
	_ = f.Close()
}

// commands are the commands to one child that need nothing but their cause.
func (r *rig) commands() map[string]func(context.Context, child.ID, child.Cause) (runtime.Outcome, error) {
	return map[string]func(context.Context, child.ID, child.Cause) (runtime.Outcome, error){
		"remove": r.Remove, "restart": r.Restart, "pause": r.Pause, "resume": r.Resume, "quarantine": r.Quarantine,
		"signal": func(ctx context.Context, id child.ID, c child.Cause) (runtime.Outcome, error) {
			return r.Signal(ctx, id, "SIGHUP", c)
		},
	}
}
