package reconcile

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

// TestAnObserverCanCountTries: every pass is told once, and what waits after a
// refusal is told apart from what was tried.
func TestAnObserverCanCountTries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, rt := newFakeSource(), newFakeRuntime()
		rt.refuse["bad"] = &runtime.CommandError{Code: machine.ErrInvalid, Message: "no such user"}
		close(rt.adopted)
		src.put(entryOf("bad", specOf(t, `{}`)))
		passes, tries := 0, 0
		l := NewLoop(Options{Source: src, Supervisor: rt, Subscription: rt, Resync: time.Hour, Observe: func(r *Report) {
			passes++
			for _, a := range r.Actions {
				if !a.Waits {
					tries++
				}
			}
		}})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- l.Run(ctx) }()
		synctest.Wait()

		src.put(entryOf("bad", specOf(t, `{}`)), entryOf("good", specOf(t, `{}`))) // a pass in which bad waits
		synctest.Wait()
		cancel()
		<-ended

		if passes < 2 || tries != 2 {
			t.Errorf("%d passes and %d tries were observed; want 2 or more, and 2 (bad, good)", passes, tries)
		}
	})
}
