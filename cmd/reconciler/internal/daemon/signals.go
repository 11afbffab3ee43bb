package daemon

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// errTold is the cause of the context that the first SIGTERM or SIGINT ends.
var errTold = errors.New("told to end by a signal")

const hurryTime = 5 * time.Second

// signalHandler owns the goroutine that listens for signals.
type signalHandler struct {
	signals chan os.Signal
	looks   chan struct{} // one slot: SIGHUP came
	cancel  context.CancelFunc
	done    sync.WaitGroup
}

// signals ends the returned context at the first SIGTERM or SIGINT; a second one
// cuts the grace of the shutdown to zero. SIGHUP: look at the directory now.
func (d *daemon) signals(ctx context.Context) (context.Context, *signalHandler) {
	ctx, cancel := context.WithCancelCause(ctx)
	listen, cancelAll := context.WithCancel(context.WithoutCancel(ctx))
	h := &signalHandler{signals: make(chan os.Signal, 8), looks: make(chan struct{}, 1), cancel: cancelAll}
	signal.Notify(h.signals, unix.SIGTERM, unix.SIGINT, unix.SIGHUP)
	h.done.Go(func() { d.listen(listen, h, cancel) })
	h.done.Go(func() {
		for {
			select {
			case <-listen.Done():
				return
			case <-h.looks:
				d.lookNow(listen)
			}
		}
	})
	return ctx, h
}

// listen never waits for what a signal asks for: the next one may be urgent.
func (d *daemon) listen(ctx context.Context, h *signalHandler, end context.CancelCauseFunc) {
	defer end(nil)
	told := false
	for {
		select {
		case <-ctx.Done():
			return
		case s := <-h.signals:
			switch {
			case s == unix.SIGHUP:
				select {
				case h.looks <- struct{}{}:
				default: // the look that waits sees what this one would
				}
			case told:
				d.hurry(s)
			default:
				told = true
				d.log.Info("ending; a second signal kills what still runs", "signal", s.String())
				end(errTold)
			}
		}
	}
}

func (h *signalHandler) stop() {
	signal.Stop(h.signals)
	h.cancel()
	h.done.Wait()
}

// hurry runs beside the shutdown: the handler must not wait.
func (d *daemon) hurry(s os.Signal) {
	d.log.Info("killing what still runs", "signal", s.String())
	ctx, cancel := context.WithTimeout(context.Background(), hurryTime)
	defer cancel()
	if err := d.handle.Hurry(ctx, child.Cause{RequestedBy: "signal", Reason: "told twice to end"}); err != nil {
		d.log.V(1).Info("there is nothing to hurry", "reason", err.Error())
	}
}

// lookNow is SIGHUP.
func (d *daemon) lookNow(ctx context.Context) {
	if _, err := d.pass(ctx); err != nil {
		d.log.V(1).Info("the pass that SIGHUP asked for was not made", "reason", err.Error())
	}
}
