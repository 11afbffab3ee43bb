package runtime

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

// probes are the probes under way that are commands. The tree knows nothing of
// their processes: who waits for one gets its end. Those of an earlier run, for
// which nobody waits, are killed.
type probes struct {
	mu   sync.Mutex
	last uint64 // the newest Run
	runs map[child.Key]*probeRun
}

type probeRun struct {
	end  chan probeEnd // has room for the one answer
	void bool          // its time is over: it is killed once it runs
}

type probeEnd struct {
	machine.Exited
	err  error
	busy bool // an earlier one of its role was still there: it did not start
}

// busyRetry is how long a probe waits for the one before it, which was killed and
// is not gone yet.
const busyRetry = 20 * time.Millisecond

var errProbeLost = errors.New("the connection to the shim was lost")

// Exec runs a command beside an attempt, in the context of the child, and returns
// how it ended, with its last lines of output. s.Key has the role of a probe; its
// Run is chosen here. When ctx ends the whole process tree is killed, and the
// error is ctx's cause. One runs at a time for each role of a child: it waits until
// one before it, which was killed, is gone. An error says that there is no exit
// code, for people.
func (p *ShimProcesses) Exec(ctx context.Context, s machine.Start) (machine.Exited, error) {
	if !s.Key.Role.IsProbe() {
		return machine.Exited{}, fmt.Errorf("runtime: %q is not the role of a probe", s.Key.Role)
	}
	for {
		end := p.execOnce(ctx, s)
		if !end.busy {
			return end.Exited, end.err
		}
		select {
		case <-time.After(busyRetry):
		case <-ctx.Done():
			return machine.Exited{}, context.Cause(ctx)
		}
	}
}

func (p *ShimProcesses) execOnce(ctx context.Context, s machine.Start) probeEnd {
	s, run := p.probes.begin(s)
	p.Start(s)
	select {
	case end := <-run.end:
		return end
	case <-ctx.Done():
	}
	p.probes.cancel(s.Key)
	p.client.Signal(s.Key, "SIGKILL", true)
	return probeEnd{err: context.Cause(ctx)}
}

// begin enters a probe under a key of its own. Keys of two lives of this process
// differ too: the first one is the time.
func (b *probes) begin(s machine.Start) (machine.Start, *probeRun) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.runs == nil {
		b.last, b.runs = uint64(time.Now().UnixMicro()), map[child.Key]*probeRun{}
	}
	b.last++
	s.Key.Run = b.last
	run := &probeRun{end: make(chan probeEnd, 1)}
	b.runs[s.Key] = run
	return s, run
}

func (b *probes) cancel(key child.Key) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if run := b.runs[key]; run != nil {
		run.void = true
	}
}

// finish answers who waits for a probe.
func (b *probes) finish(key child.Key, end probeEnd) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if run := b.runs[key]; run != nil {
		run.end <- end
		delete(b.runs, key)
	}
}

// wanted reports whether somebody waits for a probe that runs now.
func (b *probes) wanted(key child.Key) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	run := b.runs[key]
	return run != nil && !run.void
}

// lose answers everybody: what is under way is unknown.
func (b *probes) lose() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for key, run := range b.runs {
		run.end <- probeEnd{err: errProbeLost}
		delete(b.runs, key)
	}
}

// withoutProbes takes what concerns probes out of an event; nil: that was all.
func (p *ShimProcesses) withoutProbes(ev machine.Event) machine.Event {
	switch ev := ev.(type) {
	case machine.Detached:
		p.probes.lose()
	case machine.Adopted:
		ev.Processes = slices.DeleteFunc(ev.Processes, func(r machine.Process) bool { return p.probeRuns(r.Key) })
		ev.Exits = slices.DeleteFunc(ev.Exits, func(e machine.Exited) bool { return p.probeEnded(e) })
		return ev
	case machine.Started:
		if p.probeRuns(ev.Key) {
			return nil
		}
	case machine.StartFailed:
		if ev.Key.Role.IsProbe() {
			p.probes.finish(ev.Key, probeEnd{err: errors.New(ev.Reason), busy: ev.Busy})
			return nil
		}
	case machine.Exited:
		if p.probeEnded(ev) {
			return nil
		}
	}
	return ev
}

// probeRuns kills a probe for which nobody waits. It reports whether it is one.
func (p *ShimProcesses) probeRuns(key child.Key) bool {
	if key.Role.IsProbe() && !p.probes.wanted(key) {
		p.client.Signal(key, "SIGKILL", true)
	}
	return key.Role.IsProbe()
}

func (p *ShimProcesses) probeEnded(e machine.Exited) bool {
	if e.Key.Role.IsProbe() {
		p.client.Ack(e.Key)
		p.probes.finish(e.Key, probeEnd{Exited: e})
	}
	return e.Key.Role.IsProbe()
}
