package runtime

import (
	"context"
	"sync"

	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

// Prober looks at children from outside. Probe, Cancel and CancelAll do not wait.
// Every Probe is answered in Results once, unless it was cancelled or replaced by
// a newer one of the same child and role. The runtime calls Run; package probe has
// the real one.
type Prober interface {
	Run(context.Context) error
	Probe(machine.Probe)
	Cancel(machine.CancelProbe)
	CancelAll()
	Results() <-chan machine.Probed
}

// startProber runs the prober until the function that it returns is called, which
// waits for its end.
func (r *Runtime) startProber(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { _ = r.cfg.Prober.Run(ctx) }) // it ends with ctx, for no other reason
	return func() {
		cancel()
		running.Wait()
	}
}
