package machine

import (
	"fmt"
	"testing"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

const benchFolders = 100

// benchFolded is benchTree with its folders declared: each has a limit.
func benchFolded(b *testing.B, strategy child.Strategy) (*Tree, []child.Key) {
	t, keys := benchTree(b)
	for i := range benchFolders {
		spec := testSpec()
		spec.Kind, spec.Strategy = child.Supervisor, strategy
		spec.RestartLimit = &child.RestartLimit{MaxRestarts: 1000, Window: child.Seconds(time.Minute)}
		t.Step(0, epochWall, Command{Verb: Add, Child: child.ID(fmt.Sprintf("folder%d", i)), Spec: spec, Cause: child.Cause{RequestedBy: "bench", Reason: "bench"}})
	}
	t.Ready()
	return t, keys
}

// BenchmarkStepInAFolder is BenchmarkStep where each restart counts against the
// limit of a folder too.
func BenchmarkStepInAFolder(b *testing.B) {
	t, keys := benchFolded(b, child.OneForOne)
	benchRestarts(b, t, keys)
}

// BenchmarkGroupRestart is the restart of a whole one_for_all folder of 100 among
// 10,000 children: an exit, 99 stops, the end of the rest, 100 starts.
func BenchmarkGroupRestart(b *testing.B) {
	t, keys := benchFolded(b, child.OneForAll)
	code := 1
	var now Instant
	steps := 0
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		folder := i % benchFolders
		for member := range benchChildren / benchFolders {
			key := keys[folder+member*benchFolders]
			wall := epochWall.Add(time.Duration(now))
			t.Step(now, wall, Exited{Key: key, Code: &code, StartedAt: epochWall, FinishedAt: wall})
			t.Ready()
			steps++
		}
		now += Instant(time.Minute)
		t.Step(now, epochWall.Add(time.Duration(now)), Ticked{})
		t.Ready()
		for member := range benchChildren / benchFolders {
			key := &keys[folder+member*benchFolders]
			key.Generation++
			t.Step(now, epochWall.Add(time.Duration(now)), Started{Process{Key: *key, PID: 2 + i, StartedAt: epochWall.Add(time.Duration(now))}})
			t.Ready()
			steps++
		}
		steps++
	}
	if s, ok := t.Snapshot(keys[0].ID); !ok || s.Phase != child.Running || s.Generation == 0 {
		b.Fatalf("%+v", s)
	}
	b.ReportMetric(float64(steps)/b.Elapsed().Seconds(), "steps/s")
}
