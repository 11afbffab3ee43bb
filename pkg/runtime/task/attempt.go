package task

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

const (
	maxSignals = 8  // that wait for a task
	maxStack   = 32 // lines of a panic's stack in its report
)

// attempt is one run of a task.
type attempt struct {
	registry *Registry
	start    machine.Start
	args     []string
	signals  chan string
	cancel   context.CancelCauseFunc
	begun    time.Time
	done     chan struct{} // closed when the goroutine has returned

	// What it says about itself is kept by what it says, not by how often, so that
	// it cannot say too much. The registry's lock guards it.
	ready  *bool // the newest word; nil: none
	news   bool  // it was not told yet
	beat   bool  // neither was a heartbeat
	queued bool  // there is an item for it
}

// run is the goroutine of an attempt.
func (a *attempt) run(ctx context.Context, f Func) {
	end := machine.Exited{
		Key: a.start.Key, Attempt: a.start.Attempt, PID: os.Getpid(), StartedAt: a.begun,
		Kind: child.FailedExit, Reason: "the task ended its goroutine by runtime.Goexit",
	}
	defer close(a.done)
	defer func() {
		if p := recover(); p != nil {
			end.Reason, end.LogTail = "the task panicked", stackOfPanic(debug.Stack())
			end.Words = child.Words(oneLine(fmt.Sprintf("panic: %v", p)))
		}
		end.FinishedAt = time.Now()
		a.cancel(nil)
		a.registry.ended(a, end)
	}()
	if err := f(ctx, Context{a}); err != nil {
		end.Reason, end.Words = "the task returned an error", child.Words(oneLine(err.Error()))
		return
	}
	end.Kind, end.Reason = child.Succeeded, "the task returned"
}

// say takes note of a word of an attempt that lives.
func (a *attempt) say(ready *bool, beat bool) {
	r := a.registry
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.live[a.start.Key.ID] != a {
		return
	}
	if ready != nil {
		a.ready, a.news = ready, true
	}
	a.beat = a.beat || beat
	r.tell(a)
}

// told is what the attempt said since it was told last.
func (a *attempt) told() machine.Notified {
	n := machine.Notified{Key: a.start.Key, Heartbeat: a.beat}
	if a.news {
		n.Ready = a.ready
	}
	a.news, a.beat, a.queued = false, false, false
	return n
}

// signal is what a signal means to a task.
func (a *attempt) signal(name string) {
	switch name {
	case "SIGKILL", "SIGTERM", "SIGINT", "SIGQUIT", a.start.Spec.Shutdown.Signal:
		a.cancel(fmt.Errorf("%w by %s", ErrStopped, name))
	default:
		select {
		case a.signals <- name:
		default:
		}
	}
}

// process is the attempt as one of the things that live.
func (a *attempt) process() machine.Process {
	return machine.Process{Key: a.start.Key, Attempt: a.start.Attempt, PID: os.Getpid(), StartedAt: a.begun, Task: true}
}

func oneLine(text string) string {
	const most = 1000
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' }), "; ")
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + " …"
	}
	return text
}

// stackOfPanic are the lines of a stack that was taken while a panic was
// recovered, from the function that panicked on.
func stackOfPanic(stack []byte) []string {
	lines := strings.Split(strings.TrimSpace(string(stack)), "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, "panic(") && i+2 < len(lines) {
			lines = lines[i+2:]
			break
		}
	}
	return lines[:min(len(lines), maxStack)]
}
