package runtime

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/journal"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
	"github.com/reconciler-dev/reconciler/pkg/runtime/task"
)

// both is a program with a task "web" and real processes.
func both(t *testing.T, dir string, web task.Func) (*Handle, func() error) {
	t.Helper()
	r := task.NewRegistry()
	if err := r.Register("web", web); err != nil {
		t.Fatal(err)
	}
	return running(t, Options{StateDir: dir, Tasks: r, Processes: true})
}

func TestTasksAndProcessesLiveInOneRuntime(t *testing.T) {
	h, end := both(t, t.TempDir(), stay)
	after := NewSpec("sleep", "1000")
	after.Dependencies = []child.Dependency{{ID: "web", Condition: child.WhenReady}}

	add(t, h, "process", after)
	add(t, h, "web", NewSpec())
	p := until(t, h, "process", "running", inPhase(child.Running))
	w := until(t, h, "web", "running", inPhase(child.Running))
	if _, err := h.Replace(t.Context(), "process", NewSpec("task:web"), child.Origin{}, cause); err != nil {
		t.Fatal(err)
	}
	became := until(t, h, "process", "a task", func(s *child.Snapshot) bool { return s.Phase == child.Running && s.Attempt == 2 })
	if _, err := h.Replace(t.Context(), "process", NewSpec("sleep", "1001"), child.Origin{}, cause); err != nil {
		t.Fatal(err)
	}
	again := until(t, h, "process", "a process again", func(s *child.Snapshot) bool { return s.Phase == child.Running && s.Attempt == 3 })

	if p.StartedAt.Before(w.StartedAt) {
		t.Errorf("the process started at %v, before the task that it waits for (%v)", p.StartedAt, w.StartedAt)
	}
	if became.PID != w.PID || again.PID == w.PID || p.PID == w.PID {
		t.Errorf("pids: process %d, task %d, then %d and %d", p.PID, w.PID, became.PID, again.PID)
	}
	if err := end(); err != nil {
		t.Errorf("Run = %v", err)
	}
}

func TestACommandCanProbeATask(t *testing.T) {
	h, _ := both(t, t.TempDir(), stay)
	spec := NewSpec()
	spec.Readiness = &child.Readiness{
		CheckInterval: child.Seconds(time.Second), Timeout: child.Seconds(20 * time.Second), SuccessThreshold: 1, FailureThreshold: 1,
		Probe: child.Probe{Exec: []string{"true"}},
	}

	add(t, h, "web", spec)

	s := until(t, h, "web", "ready", func(s *child.Snapshot) bool { return s.Ready })
	if s.Readiness.Status != child.ProbePassing {
		t.Errorf("readiness = %+v, want it passing", s.Readiness)
	}
}

func TestHooksOfATaskAreProcesses(t *testing.T) {
	dir := t.TempDir()
	mark := filepath.Join(dir, "migrated")
	h, _ := both(t, dir, func(ctx context.Context, c task.Context) error {
		if _, err := os.Stat(mark); err != nil {
			return err
		}
		return stay(ctx, c)
	})
	spec := NewSpec()
	spec.Hooks = &child.Hooks{PreStart: [][]string{{"touch", mark}}, Timeout: child.Seconds(20 * time.Second)}

	add(t, h, "web", spec)

	s := until(t, h, "web", "running", func(s *child.Snapshot) bool { return s.Phase == child.Running && s.PID == os.Getpid() })
	if s.Attempt != 1 || len(s.Exits) > 0 {
		t.Errorf("web = %+v, want it running since its first attempt", s)
	}
}

// awaitFact waits until the journal has n facts of a kind.
func awaitFact(t *testing.T, dir string, kind machine.FactKind, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for i, err := range journal.Follow(ctx, filepath.Join(dir, "journal"), journal.Options{}) {
		if err != nil {
			t.Fatal(err)
		}
		if i.Type == kind {
			n--
		}
		if n == 0 {
			return
		}
	}
	t.Fatalf("waited in vain for %d more %s", n, kind)
}

func TestATaskRunsOnWhenTheShimDies(t *testing.T) {
	var runs atomic.Int32
	fall := make(chan struct{})
	dir := t.TempDir()
	h, _ := both(t, dir, func(ctx context.Context, _ task.Context) error {
		runs.Add(1)
		select {
		case <-fall:
			return errors.New("fell")
		case <-ctx.Done():
			return nil
		}
	})
	add(t, h, "web", NewSpec())
	until(t, h, "web", "running", inPhase(child.Running))
	killer := NewSpec("sh", "-c", `[ "$PPID" -gt 1 ] && kill -9 "$PPID"; sleep 1000`) // its parent is the shim
	killer.RestartPolicy = child.Temporary

	add(t, h, "killer", killer)
	awaitFact(t, dir, machine.ShimConnected, 2)
	s, _ := h.Child("web")
	if s.Phase != child.Running || s.Attempt != 1 || runs.Load() != 1 {
		t.Errorf("web = %+v after %d runs, want its first attempt", s, runs.Load())
	}
	close(fall)
	s = until(t, h, "web", "in its second attempt", func(s *child.Snapshot) bool { return s.Attempt == 2 })

	if s.LastExit.Words != "fell" {
		t.Errorf("exit = %+v", s.LastExit)
	}
}
