package runtime

import (
	"fmt"
	"testing"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// BenchmarkCurrentState reads all children as a client does, while the loop may
// go on, beside the least that it could cost: copying as many pointers.
func BenchmarkCurrentState(b *testing.B) {
	for _, n := range []int{1000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			board := newBoard()
			ids := make([]child.ID, n)
			for i := range ids {
				ids[i] = child.ID(fmt.Sprintf("folder%d/child%d", i%100, i))
			}
			board.publish(ids, func(id child.ID) (*child.Snapshot, bool) { return &child.Snapshot{ID: id}, true })
			h := &Handle{r: &Runtime{board: board}}
			one := h.Children()

			for b.Loop() {
				if len(h.Children()) != n {
					b.Fatal("children are missing")
				}
			}

			perRead := b.Elapsed() / time.Duration(b.N)
			begun := time.Now()
			for range b.N {
				sink = append([]*child.Snapshot(nil), one...)
			}
			b.ReportMetric(float64(perRead)/float64(time.Since(begun)/time.Duration(b.N)), "x-copy")
		})
	}
}

var sink []*child.Snapshot
