package shim

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

const (
	// collectAfter is how much garbage is worth a collection, which takes a shim
	// with 1,000 children a few milliseconds.
	collectAfter = 2 << 20

	// memoryLimit is where a collection comes whatever happens.
	memoryLimit = 128 << 20
)

// collector collects garbage only while no start is under way. A thread that
// waits between fork and exec cannot be stopped by the Go runtime, so a
// collection waits for it, and everything else for the collection: one start that
// hangs, on a dead network disk or in a frozen cgroup, would stop the shim.
type collector struct {
	sample [1]metrics.Sample
	last   uint64 // bytes ever allocated, at the last collection
}

// newCollector takes the collecting over from the runtime until restore. There is
// a processor for each starter, and for others beside them, because a thread that
// waits so keeps its own.
func newCollector() (c *collector, restore func()) {
	c = &collector{}
	c.sample[0].Name = "/gc/heap/allocs:bytes"
	percent := debug.SetGCPercent(-1)
	limit := debug.SetMemoryLimit(memoryLimit)
	procs := runtime.GOMAXPROCS(max(runtime.NumCPU(), maxStarters+2))
	return c, func() {
		runtime.GOMAXPROCS(procs)
		debug.SetMemoryLimit(limit)
		debug.SetGCPercent(percent)
	}
}

// collect is called when no start is under way.
func (c *collector) collect() {
	metrics.Read(c.sample[:])
	if now := c.sample[0].Value.Uint64(); now-c.last > collectAfter {
		c.last = now
		runtime.GC()
	}
}
