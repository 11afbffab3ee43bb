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

// What ends the context of the run.
var (
	errTold   = errors.New("told to end by a signal")
	errHungUp = errors.New("the terminal was closed")
)

const hurryTime = 5 * time.Second

// secondAfter is how long after the first a signal counts as a second one. GNU
// timeout signals its child and then its group, wrappers pass on what the terminal
// gave to all of them: those are one wish, told twice within microseconds. Nobody
// presses ^C for a second time, having seen the first do nothing, within a second.
const secondAfter = time.Second

// signalHandler owns the goroutine that listens for signals.
type signalHandler struct {
	signals chan os.Signal
	looks   chan struct{} // one slot: SIGHUP came
	cancel  context.CancelFunc
	done    sync.WaitGroup
}

// signals ends the returned context at the first SIGTERM or SIGINT, and when the
// terminal is closed; a second signal cuts the grace of the shutdown to zero. SIGHUP
// that comes of no terminal: look at the directory now.
func (d *daemon) signals(ctx context.Context) (context.Context, *signalHandler) {
	ctx, cancel := context.WithCancelCause(ctx)
	listen, cancelAll := context.WithCancel(context.WithoutCancel(ctx))
	h := &signalHandler{signals: make(chan os.Signal, 8), looks: make(chan struct{}, 1), cancel: cancelAll}
	tty := ownTerminal() // before Notify, which undoes what nohup did
	signal.Notify(h.signals, unix.SIGTERM, unix.SIGINT, unix.SIGHUP)
	h.done.Go(func() { d.listen(listen, h, tty, cancel) })
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

// outliveOutput makes a write to a pipe that nobody reads any more (run | head) an
// error instead of the end, as it is for every other file. To ignore the signal would
// do too, and be inherited by whatever is started.
func outliveOutput() { signal.Notify(make(chan os.Signal, 1), unix.SIGPIPE) }

// listen never waits for what a signal asks for: the next one may be urgent.
func (d *daemon) listen(ctx context.Context, h *signalHandler, tty terminal, end context.CancelCauseFunc) {
	defer end(nil)
	looks := time.NewTicker(terminalLook)
	defer looks.Stop()
	if !tty.there {
		looks.Stop()
	}
	var told wish
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-looks.C:
			if tty.look(now) {
				d.hungUp(&told, now, end)
			}
			if !tty.there {
				looks.Stop()
			}
		case s := <-h.signals:
			now := time.Now()
			switch {
			case s != unix.SIGHUP:
				d.obey(&told, s, now, end)
			case tty.hangUp(now):
				d.hungUp(&told, now, end)
			default:
				select {
				case h.looks <- struct{}{}:
				default: // the look that waits sees what this one would
				}
			}
		}
	}
}

// wish is that of ending, and when it was told first.
type wish struct{ first time.Time }

// answer is what a signal to end does.
type answer int

const (
	begins  answer = iota // it is the first
	repeats               // it is the first once more
	hurries
)

func (w *wish) tell(now time.Time) answer {
	switch {
	case w.first.IsZero():
		w.first = now
		return begins
	case now.Sub(w.first) < secondAfter:
		return repeats
	}
	return hurries
}

func (d *daemon) obey(told *wish, s os.Signal, now time.Time, end context.CancelCauseFunc) {
	switch told.tell(now) {
	case begins:
		d.log.Info("ending; a second signal, a second from now or later, kills what still runs", "signal", s.String())
		end(errTold)
	case repeats:
		d.log.Info("ending already; a signal within a second of the first is taken for the same", "signal", s.String(), "after", now.Sub(told.first).String())
	case hurries:
		d.hurry(s)
	}
}

// hungUp ends the run; a terminal that is closed never hurries, since the kernel and
// the shell both tell of it.
func (d *daemon) hungUp(told *wish, now time.Time, end context.CancelCauseFunc) {
	if told.tell(now) == begins {
		d.log.Info("ending, because the terminal was closed")
		end(errHungUp)
	}
}

func (h *signalHandler) stop() {
	signal.Stop(h.signals)
	h.cancel()
	h.done.Wait()
}

// hurry runs beside the shutdown: the handler must not wait.
func (d *daemon) hurry(s os.Signal) {
	d.log.Info("killing what still runs, because of a second signal", "signal", s.String())
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
