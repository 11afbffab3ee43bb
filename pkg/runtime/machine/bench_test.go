package machine

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

const benchChildren = 10_000

// benchTree is a tree of running children.
func benchTree(b *testing.B) (*Tree, []child.Key) {
	b.Helper()
	t := New(Config{StartSlots: benchChildren, Seed: 1})
	t.Step(0, epochWall, Adopted{})
	spec := testSpec()
	spec.Backoff.JitterRatio = 0.2
	keys := make([]child.Key, benchChildren)
	for i := range keys {
		id := child.ID(fmt.Sprintf("folder%d/worker%d", i%100, i))
		keys[i] = child.Key{ID: id, Incarnation: uint64(i + 1)}
		t.Step(0, epochWall, Command{Verb: Add, Child: id, Spec: spec, Cause: child.Cause{RequestedBy: "bench", Reason: "bench"}})
		t.Step(0, epochWall, Started{Process{Key: keys[i], PID: 2 + i, StartedAt: epochWall}})
	}
	t.Ready()
	return t, keys
}

// BenchmarkStep is one whole restart among 10,000 children: exit, the end of the
// rest, start; each with its Ready. An op is three steps.
func BenchmarkStep(b *testing.B) {
	t, keys := benchTree(b)
	benchRestarts(b, t, keys)
}

func benchRestarts(b *testing.B, t *Tree, keys []child.Key) {
	code := 1
	var now Instant
	var wall time.Time
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		key := &keys[i%benchChildren]
		now += Instant(time.Second)
		wall = epochWall.Add(time.Duration(now))
		t.Step(now, wall, Exited{Key: *key, Code: &code, StartedAt: epochWall, FinishedAt: wall})
		t.Ready()
		now += Instant(time.Second)
		t.Step(now, wall, Ticked{})
		t.Ready()
		key.Generation++
		t.Step(now, wall, Started{Process{Key: *key, PID: 2 + i, StartedAt: wall}})
		t.Ready()
	}
	b.ReportMetric(3*float64(b.N)/b.Elapsed().Seconds(), "steps/s")
}

// BenchmarkTickInVain is a Ticked that nothing waits for.
func BenchmarkTickInVain(b *testing.B) {
	t, _ := benchTree(b)
	for b.Loop() {
		t.Step(1, epochWall, Ticked{})
		t.Ready()
	}
}

// BenchmarkAdopt is a reconnection with 10,000 live processes.
func BenchmarkAdopt(b *testing.B) {
	t, keys := benchTree(b)
	var ev Adopted
	for i, k := range keys {
		ev.Processes = append(ev.Processes, Process{Key: k, PID: 2 + i, StartedAt: epochWall})
	}
	for b.Loop() {
		t.Step(1, epochWall, Detached{})
		t.Step(1, epochWall, ev)
		t.Ready()
	}
}

// BenchmarkShutdown takes 10,000 independent children down.
func BenchmarkShutdown(b *testing.B) {
	code := 0
	for b.Loop() {
		b.StopTimer()
		t, keys := benchTree(b)
		b.StartTimer()
		t.Step(1, epochWall, Command{Verb: ShutdownTree, Cause: child.Cause{RequestedBy: "bench", Reason: "bench"}})
		for _, k := range keys {
			t.Step(1, epochWall, Exited{Key: k, Code: &code})
		}
		if !t.Done() {
			b.Fatal("not done")
		}
		t.Ready()
	}
}

// BenchmarkMemory is what one child costs.
func BenchmarkMemory(b *testing.B) {
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		t, keys := benchTree(b)
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/benchChildren, "B/child")
		runtime.KeepAlive(t)
		runtime.KeepAlive(keys)
	}
}
