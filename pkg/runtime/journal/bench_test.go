package journal

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

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

// BenchmarkFacts is in facts a second: of what the runtime tells by itself, and of
// what an operator asked for, which survives a loss of power. Beside it, in the
// same run, the bare system calls with the same bytes: of-bare is our speed as a
// part of theirs.
func BenchmarkFacts(b *testing.B) {
	for _, who := range []string{"runtime", "root"} {
		for _, batch := range []int{1, 10, 100} {
			b.Run(fmt.Sprintf("by=%s/batch=%d", who, batch), func(b *testing.B) {
				dir := b.TempDir()
				f := diary(b, dir)
				facts := make([]machine.Fact, batch)
				for i := range facts {
					facts[i] = started("payments/worker")
					facts[i].Cause.RequestedBy = who
				}
				for b.Loop() {
					must(b, f.Append(facts, noon))
				}
				ours := b.Elapsed()

				bare := bareWrites(b, b.N, f.size*int64(batch)/int64(f.next-f.firstInFile(b)), byOperator(facts[0]))
				b.ReportMetric(float64(batch*b.N)/ours.Seconds(), "facts/s")
				b.ReportMetric(float64(bare)/float64(ours), "of-bare")
			})
		}
	}
}

// firstInFile is the number of the first entry of the newest file.
func (f *Facts) firstInFile(b *testing.B) uint64 {
	b.Helper()
	files, err := factFiles(f.dir)
	must(b, err)
	return files[len(files)-1]
}

// bareWrites is how long n writes of so many bytes take, each made durable if sync.
func bareWrites(b *testing.B, n int, length int64, sync bool) time.Duration {
	b.Helper()
	file, err := os.Create(filepath.Join(b.TempDir(), "bare"))
	must(b, err)
	defer file.Close()
	text := bytes.Repeat([]byte{'x'}, int(length))
	begun := time.Now()
	for range n {
		_, err := file.Write(text)
		must(b, err)
		if sync {
			must(b, fdatasync(file))
		}
	}
	return time.Since(begun)
}

// BenchmarkFollow is how fast a follower reads what is there.
func BenchmarkFollow(b *testing.B) {
	dir := b.TempDir()
	f := diary(b, dir)
	facts := make([]machine.Fact, 1000)
	for i := range facts {
		facts[i] = started("payments/worker")
	}
	for range 100 {
		must(b, f.Append(facts, noon))
	}
	n := 0
	for b.Loop() {
		for _, err := range Read(dir, Options{}) {
			must(b, err)
			n++
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "entries/s")
}

// BenchmarkWake is from the append of an entry to its reader.
func BenchmarkWake(b *testing.B) {
	dir := b.TempDir()
	f := diary(b, dir)
	ctx, cancel := context.WithCancel(b.Context())
	seen, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for _, err := range Follow(ctx, dir, Options{}) {
			if err != nil {
				b.Error(err)
				return
			}
			seen <- struct{}{}
		}
	}()
	note(b, f, "a")
	<-seen
	for b.Loop() {
		note(b, f, "a")
		<-seen
	}
	cancel()
	<-done
}

// BenchmarkStuckFollowers is the append of an entry while followers do not come
// to read; of-alone is that as a multiple of the same without them.
func BenchmarkStuckFollowers(b *testing.B) {
	for _, followers := range []int{10, 100} {
		b.Run(fmt.Sprintf("followers=%d", followers), func(b *testing.B) {
			dir := b.TempDir()
			f := diary(b, dir)
			note(b, f, "a")
			ctx, cancel := context.WithCancel(b.Context())
			var all, reading sync.WaitGroup
			for range followers {
				reading.Add(1)
				all.Go(func() {
					for range Follow(ctx, dir, Options{}) {
						reading.Done()
						<-ctx.Done()
						return
					}
				})
			}
			reading.Wait()

			for b.Loop() {
				note(b, f, "a")
			}
			with := b.Elapsed()
			cancel()
			all.Wait()

			alone := diary(b, b.TempDir())
			begun := time.Now()
			for range b.N {
				note(b, alone, "a")
			}
			b.ReportMetric(float64(with)/float64(time.Since(begun)), "of-alone")
		})
	}
}
