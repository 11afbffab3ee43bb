//go:build linux

package scenarios

import (
	"os/exec"
	"testing"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// BenchmarkCrashToRunning is the time from one start of a child that ends at
// once to its next: the exit is seen, recorded, told and acknowledged, and the
// next attempt recorded and started. Beside it a bare loop of fork, exec and wait.
func BenchmarkCrashToRunning(b *testing.B) {
	r := newRig(b)
	s := script()
	s.Command = []string{"/bin/false"}
	s.Backoff = child.Backoff{}
	_, err := r.Add(b.Context(), "crasher", s, child.Origin{}, alice)
	r.must(err)
	first := r.await("crasher", "started", func(s *child.Snapshot) bool { return s.Attempt > 10 }).Attempt
	done := 0

	for b.Loop() {
		done++
		r.await("crasher", "started again", func(s *child.Snapshot) bool { return s.Attempt >= first+child.Attempt(done) })
	}

	now, _ := r.Child("crasher")
	perRestart := b.Elapsed() / time.Duration(now.Attempt-first)
	begun := time.Now()
	const bare = 200
	for range bare {
		_ = exec.Command("/bin/false").Run()
	}
	b.ReportMetric(float64(perRestart)/float64(time.Since(begun)/bare), "x-bare")
	b.ReportMetric(float64(perRestart.Microseconds()), "µs/restart")
}
