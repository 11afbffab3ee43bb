package metrics

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

const many = 10_000

func crowd() *world {
	w := newWorld()
	for i := range many {
		w.children = append(w.children, worker(child.ID(fmt.Sprintf("folder/child-%d", i)), child.Running))
		w.metrics.Observe([]machine.Fact{{Kind: machine.ChildAdded, Child: w.children[i].ID}}, noon)
	}
	return w
}

func ask(handler http.Handler) time.Duration {
	begun := time.Now()
	handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/metrics", nil))
	return time.Since(begun)
}

// BenchmarkScrape compares a scrape of 10,000 children, read from snapshots, with
// one of as many series that the library keeps by itself.
func BenchmarkScrape(b *testing.B) {
	w := crowd()
	kept := prometheus.NewRegistry()
	for _, name := range []string{"a", "b", "c", "d"} {
		series := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: name}, []string{"child"})
		for _, c := range w.children {
			series.WithLabelValues(string(c.ID)).Set(1)
		}
		kept.MustRegister(series)
	}
	ours, theirs := w.metrics.Handler(), promhttp.HandlerFor(kept, promhttp.HandlerOpts{})
	var mine, peer time.Duration
	for b.Loop() {
		mine += ask(ours)
		peer += ask(theirs)
	}
	b.ReportMetric(mine.Seconds()/peer.Seconds(), "x-library")
	b.ReportMetric(mine.Seconds()/float64(b.N)*1000, "ms/scrape")
}

// BenchmarkObserve compares the counting of a crash and its restart with what is
// the least that any counter of many children does: one entry of a map.
func BenchmarkObserve(b *testing.B) {
	w := crowd()
	bare := map[child.ID]*uint64{}
	facts := make([][]machine.Fact, many)
	for i, c := range w.children {
		bare[c.ID] = new(uint64)
		exit := &child.Exit{Kind: child.FailedExit}
		facts[i] = []machine.Fact{{Kind: machine.ChildExited, Child: c.ID, Exit: exit}, {Kind: machine.BackoffScheduled, Child: c.ID},
			{Kind: machine.ChildStarting, Child: c.ID, Attempt: 2}, {Kind: machine.ChildRunning, Child: c.ID}, {Kind: machine.ChildReady, Child: c.ID}}
	}
	var mine, peer time.Duration
	for b.Loop() {
		begun := time.Now()
		for i := range facts {
			w.metrics.Observe(facts[i], noon)
		}
		mine += time.Since(begun)
		begun = time.Now()
		for i := range facts {
			for j := range facts[i] {
				*bare[facts[i][j].Child]++
			}
		}
		peer += time.Since(begun)
	}
	perFact := float64(b.N * many * 5)
	b.ReportMetric(mine.Seconds()/peer.Seconds(), "x-map")
	b.ReportMetric(mine.Seconds()/perFact*1e9, "ns/fact")
}

// BenchmarkMemory is what is kept for a child to which nothing has happened.
func BenchmarkMemory(b *testing.B) {
	for b.Loop() {
		w := newWorld()
		ids := make([]child.ID, many)
		for i := range ids {
			ids[i] = child.ID(fmt.Sprintf("folder/child-%d", i))
		}
		before := heap()
		for _, id := range ids {
			w.metrics.Observe([]machine.Fact{{Kind: machine.ChildAdded, Child: id}}, noon)
		}
		b.ReportMetric(float64(heap()-before)/many, "B/child")
		runtime.KeepAlive(w)
		runtime.KeepAlive(ids)
	}
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
