package cli

import (
	"context"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/status"
)

// catchLate keeps a SIGHUP from ending the tests that arrives when the handler of
// its test is gone: the kernel gives it to the main thread, which may be late.
var catchLate = sync.OnceFunc(func() { signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP) })

// daemon plays the reconciler: this process holds the lock, and answers SIGHUP
// with a pass, as change makes it.
func (w *world) daemon(change func(*status.Runtime)) {
	w.t.Helper()
	w.opts.Holder = func(string) (int, bool, error) { return os.Getpid(), true, nil }
	w.runtime(nil)
	hangups := make(chan os.Signal, 1)
	catchLate()
	signal.Notify(hangups, syscall.SIGHUP)
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		for range hangups {
			w.runtime(func(r *status.Runtime) {
				r.LastRequested = &status.Reconcile{At: today.Add(time.Millisecond)}
				change(r)
			})
		}
	}()
	w.t.Cleanup(func() {
		signal.Stop(hangups)
		close(hangups)
		<-answered
	})
}

func TestReconcileWaitsForThePassThatItAskedFor(t *testing.T) {
	for name, row := range map[string]struct {
		change func(*status.Runtime)
		want   result
	}{
		"nothing to do": {func(*status.Runtime) {}, result{Out: "nothing to do\n"}},
		"something done": {func(r *status.Runtime) {
			r.LastRequested.Actions = map[string]int{"replace": 1, "add": 2, "remove": 0}
		}, result{Out: "add 2, replace 1\n"}},
		"something refused": {func(r *status.Runtime) {
			r.LastRequested.Errors = []status.ReconcileError{{ID: "web", Action: "add", Message: "no such user"}}
		}, result{Out: "nothing to do\n", Err: "reconciler: add web: no such user\n", Code: Failed}},
		"removals are held": {func(r *status.Runtime) {
			r.Conditions = []child.ConditionState{{Type: child.ConditionStalled, Status: "True", Reason: "TooManyRemovals", Message: "a, b, c"}}
		}, result{Out: "nothing to do\n", Err: "reconciler: TooManyRemovals: a, b, c\n", Code: Failed}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.daemon(row.change)

			got := w.run("reconcile")

			if got != row.want {
				t.Errorf("reconcile = %+v, want %+v", got, row.want)
			}
		})
	}
}

func TestConfirmedRemovalsAreWrittenDownBeforeTheSignal(t *testing.T) {
	w := newWorld(t)
	w.write(w.dirs.State, "lock", "{}")
	confirmed := false
	w.daemon(func(*status.Runtime) {
		_, err := os.Stat(filepath.Join(w.dirs.State, confirmFile))
		confirmed = err == nil
	})

	got := w.run("reconcile", "--confirm-removals")

	if got.Code != 0 || !confirmed {
		t.Errorf("reconcile = %+v, the daemon saw the file: %v; want code 0 and true", got, confirmed)
	}
}

func TestReconcileWithoutADaemonExitsWithThree(t *testing.T) {
	w := newWorld(t)

	got := w.run("reconcile", "--confirm-removals")

	if got.Code != NoDaemon || !strings.Contains(got.Err, "start it with: reconciler run") {
		t.Errorf("reconcile = %+v; want code 3 and the command that starts one", got)
	}
	if _, err := os.Stat(filepath.Join(w.dirs.State, confirmFile)); err == nil {
		t.Error("the removals are confirmed for a later reconciler, which nobody asked")
	}
}

func TestReconcileRefusesPidsThatMeanOthers(t *testing.T) {
	for _, pid := range []int{1, 0, -1, -4242} {
		w := newWorld(t)
		w.opts.Holder = func(string) (int, bool, error) { return pid, true, nil }

		got := w.run("reconcile")

		if got.Code != Failed || !strings.Contains(got.Err, "cannot be a reconciler") {
			t.Errorf("a lock with pid %d: %+v; want code 1 and a refusal", pid, got)
		}
	}
}

func TestReconcileDoesNotSignalAReconcilerThatWasReplaced(t *testing.T) {
	w := newWorld(t)
	pids := []int{os.Getpid(), os.Getpid(), os.Getppid()}
	w.opts.Holder = func(string) (int, bool, error) {
		pid := pids[0]
		pids = pids[1:]
		return pid, true, nil
	}

	got := w.run("reconcile") // without a handler, SIGHUP would end the tests

	if got.Code != NoDaemon || !strings.Contains(got.Err, "was replaced") {
		t.Errorf("reconcile = %+v; want code 3 and the reason", got)
	}
}

func TestReconcileGivesUpInTime(t *testing.T) {
	w := newWorld(t)
	w.daemon(func(r *status.Runtime) { r.LastRequested.At = today.Add(-time.Minute) })

	got := w.run("reconcile", "--timeout", "120ms")

	if got.Code != TimedOut || !strings.Contains(got.Err, "no result") {
		t.Errorf("reconcile = %+v; want code 124 and the reason", got)
	}
}

func TestReconcileNoticesTheEndOfTheReconciler(t *testing.T) {
	w := newWorld(t)
	w.daemon(func(r *status.Runtime) { r.LastRequested.At = today.Add(-time.Minute) })
	alive := w.opts.Holder
	asked := 0
	w.opts.Holder = func(dir string) (int, bool, error) {
		if asked++; asked > 3 {
			return 0, false, nil
		}
		return alive(dir)
	}

	got := w.runContext(context.WithoutCancel(t.Context()), "reconcile")

	if got.Code != NoDaemon {
		t.Errorf("reconcile = %+v; want code 3", got)
	}
}
