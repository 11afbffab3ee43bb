package status

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// tenThousand are as many children in a hundred folders.
func tenThousand() []*child.Snapshot {
	all := make([]*child.Snapshot, 10_000)
	for i := range all {
		s := *workerSnapshot()
		s.ID = child.ID(fmt.Sprintf("f%02d/c%05d", i%100, i))
		all[i] = &s
	}
	return all
}

func BenchmarkEncode(b *testing.B) {
	s := workerSnapshot()
	d := declared(s)
	b.ReportAllocs()
	for b.Loop() {
		b.SetBytes(int64(len(Encode(s, d))))
	}
}

// BenchmarkBurst writes 10,000 changed children, and the same bytes with a plain
// os.WriteFile in place, which readers see half of: ratio is the price of whole
// files, of encoding, and of the bookkeeping, together.
func BenchmarkBurst(b *testing.B) {
	d, err := openDirectory(b.TempDir(), nil)
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	board, plain := newBoard(), b.TempDir()
	all := tenThousand()
	board.put(all...)
	w := newWriter(d, board.options())
	w.adopted, w.timer = true, time.NewTimer(time.Hour)
	for i := range 100 {
		if err := os.Mkdir(filepath.Join(plain, fmt.Sprintf("f%02d", i)), 0o700); err != nil {
			b.Fatal(err)
		}
	}
	now := noon
	w.turn(now, false, true)
	var ours, theirs time.Duration
	for b.Loop() {
		for i, s := range all {
			next := *s
			next.RestartCount++
			all[i] = &next
		}
		board.put(all...)
		now = now.Add(time.Second)
		begun := time.Now()
		w.turn(now, false, false)
		w.turn(now.Add(quiet), false, false)
		if len(w.waiting) > 0 {
			b.Fatalf("%d files wait; all must be written", len(w.waiting))
		}
		ours += time.Since(begun)

		begun = time.Now()
		for _, s := range all {
			if err := os.WriteFile(filepath.Join(plain, fileName(s.ID)), Encode(s, Declaration{}), 0o644); err != nil {
				b.Fatal(err)
			}
		}
		theirs += time.Since(begun)
	}
	if err := w.trouble.err(); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(b.N)*float64(len(all))/ours.Seconds(), "files/s")
	b.ReportMetric(ours.Seconds()/theirs.Seconds(), "ratio-to-plain")
}

// BenchmarkCount is one look for reconciler.json at 10,000 children.
func BenchmarkCount(b *testing.B) {
	all := tenThousand()
	for b.Loop() {
		newRuntime(Info{}, nil, all, nil)
	}
}

// BenchmarkReadAll is what the command line does for a table of 10,000.
func BenchmarkReadAll(b *testing.B) {
	path := b.TempDir()
	d, err := openDirectory(path, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	for _, s := range tenThousand() {
		if err := d.Replace(fileName(s.ID), Encode(s, Declaration{})); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		if all, err := ReadAll(path); err != nil || len(all) != 10_000 {
			b.Fatalf("ReadAll() = %d children, %v", len(all), err)
		}
	}
}
