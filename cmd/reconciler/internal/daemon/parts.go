package daemon

import (
	"context"
	"errors"
	"fmt"
)

// part is one piece of the daemon.
type part struct {
	name string

	// run works until its context ends and returns when its goroutines have. To
	// return nil before is to say: I am done, and the daemon with me.
	run func(context.Context) error

	// stop, where it is not nil, is the orderly way to end run; it is called
	// before the context of run is cancelled and may take its time.
	stop func()
}

// ending is how one part ended.
type ending struct {
	index int
	err   error
}

// runParts starts parts in order, waits until ctx ends or one of them does, and
// stops them in reverse order. The error is the first that ended the run.
func runParts(ctx context.Context, parts []part) error {
	ended := make(chan ending, len(parts))
	done := make([]chan struct{}, len(parts))
	cancels := make([]context.CancelFunc, len(parts))
	for i, p := range parts {
		partCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
		cancels[i], done[i] = cancel, make(chan struct{})
		go func() {
			defer close(done[i])
			ended <- ending{i, p.run(partCtx)}
		}()
	}
	var first error
	select {
	case <-ctx.Done():
	case e := <-ended:
		if e.err != nil {
			first = fmt.Errorf("%s: %w", parts[e.index].name, e.err)
		}
	}
	for i := len(parts) - 1; i >= 0; i-- {
		if parts[i].stop != nil {
			parts[i].stop()
		}
		cancels[i]()
		<-done[i]
	}
	close(ended)
	for e := range ended {
		if e.err != nil && !errors.Is(e.err, context.Canceled) && first == nil {
			first = fmt.Errorf("%s: %w", parts[e.index].name, e.err)
		}
	}
	return first
}
