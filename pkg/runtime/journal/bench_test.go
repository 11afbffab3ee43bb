package journal

import (
	"fmt"
	"testing"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

// BenchmarkAppend is in records a second: of 2 KB each, with and without
// durability over a loss of power, one by one and in batches.
func BenchmarkAppend(b *testing.B) {
	for _, sync := range []bool{false, true} {
		for _, batch := range []int{1, 10, 100} {
			b.Run(fmt.Sprintf("sync=%v/batch=%d", sync, batch), func(b *testing.B) {
				r, _ := store(b, b.TempDir())
				recs := make([]machine.Record, batch)
				for i := range recs {
					recs[i] = bigRecord(child.ID(fmt.Sprintf("child-%d", i)), 1)
					recs[i].Sync = sync
				}
				for b.Loop() {
					add(b, r, recs...)
				}
				b.ReportMetric(float64(batch*b.N)/b.Elapsed().Seconds(), "records/s")
			})
		}
	}
}

// BenchmarkOpen is a restart of the daemon: 10,000 children, a file at its longest.
func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	fillStore(b, dir, 4)
	b.ResetTimer()
	for b.Loop() {
		r, recs, err := OpenRecords(dir)
		if err != nil || len(recs) != 10_000 {
			b.Fatal(len(recs), err)
		}
		must(b, r.Close())
	}
}

// BenchmarkRenew is the longest that one Append can take: the file replaced.
func BenchmarkRenew(b *testing.B) {
	r := fillStore(b, b.TempDir(), 4)
	b.ResetTimer()
	for b.Loop() {
		must(b, r.renew())
	}
}

func fillStore(b *testing.B, dir string, rounds int) *Records {
	b.Helper()
	r, _ := store(b, dir)
	for n := range rounds {
		recs := make([]machine.Record, 10_000)
		for i := range recs {
			recs[i] = bigRecord(child.ID(fmt.Sprintf("child-%d", i)), n)
		}
		add(b, r, recs...)
	}
	return r
}

func BenchmarkFacts(b *testing.B) {
	for _, batch := range []int{1, 100} {
		b.Run(fmt.Sprintf("batch=%d", batch), func(b *testing.B) {
			f := diary(b, b.TempDir())
			facts := make([]machine.Fact, batch)
			for i := range facts {
				facts[i] = started("payments/worker")
			}
			for b.Loop() {
				must(b, f.Append(facts, noon))
			}
			b.ReportMetric(float64(batch*b.N)/b.Elapsed().Seconds(), "facts/s")
		})
	}
}
