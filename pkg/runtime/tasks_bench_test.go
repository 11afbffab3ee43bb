package runtime

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/task"
)

// BenchmarkTaskRestart is from the return of a permanent task without a rest to
// its next attempt, with all that is recorded and told of it; of-bare is that as a
// multiple of a loop that starts a goroutine and waits for its end.
func BenchmarkTaskRestart(b *testing.B) {
	var runs atomic.Int64
	enough := make(chan struct{})
	target := int64(b.N) + 1
	tasks := task.NewRegistry()
	err := tasks.Register("web", func(ctx context.Context, _ task.Context) error {
		switch n := runs.Add(1); {
		case n < target:
			return nil
		case n == target:
			close(enough)
		}
		<-ctx.Done()
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	e, err := Open(Options{StateDir: b.TempDir(), Tasks: tasks})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error)
	go func() { ended <- e.Run(ctx) }()
	spec := NewSpec()
	spec.Backoff = child.Backoff{}
	b.ResetTimer()

	begun := time.Now()
	if _, err := e.Declare(ctx, "web", spec, cause); err != nil {
		b.Fatal(err)
	}
	<-enough
	ours := time.Since(begun)

	b.StopTimer()
	cancel()
	if err := <-ended; err != nil {
		b.Fatal(err)
	}
	begun = time.Now()
	for range b.N {
		done := make(chan struct{})
		go close(done)
		<-done
	}
	b.ReportMetric(float64(b.N)/ours.Seconds(), "restarts/s")
	b.ReportMetric(float64(ours)/float64(time.Since(begun)), "of-bare")
}
