package task

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

// Start runs the task that a start names, or answers why it does not.
func (r *Registry) Start(s machine.Start) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped {
		return
	}
	if s.Key.Role != child.Main {
		r.put(machine.StartFailed{Key: s.Key, At: time.Now(), Reason: fmt.Sprintf("%s: a hook is a process, and this program runs nothing but tasks", s.Key.Role)})
		return
	}
	id := s.Key.ID
	if a := r.live[id]; a != nil && a.start.Key == s.Key {
		r.put(machine.Started{Process: a.process()})
		return
	} else if a != nil {
		r.put(machine.StartFailed{Key: s.Key, Busy: true, At: time.Now(), Reason: fmt.Sprintf(
			"the task of attempt %s has not returned, and a goroutine cannot be killed", a.start.Key)})
		return
	}
	if e, ok := r.exits[s.Key]; ok {
		r.put(e)
		return
	}
	if f, ok := r.fails[s.Key]; ok {
		r.put(f)
		return
	}
	if last, ok := r.last[id]; ok && !last.OlderThan(s.Key) {
		r.put(machine.StartFailed{Key: s.Key, At: time.Now(), Reason: fmt.Sprintf("refused: %s was tried already, and %s is not newer", last, s.Key)})
		return
	}
	r.begin(s)
}

func (r *Registry) begin(s machine.Start) {
	if last, ok := r.last[s.Key.ID]; ok {
		delete(r.fails, last)
	}
	if len(r.last) >= maxFences {
		r.forget()
	}
	r.last[s.Key.ID] = s.Key
	f, args, err := r.find(s)
	if err != nil {
		r.fails[s.Key] = machine.StartFailed{Key: s.Key, Reason: err.Error(), At: time.Now()}
		r.put(r.fails[s.Key])
		return
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	a := &attempt{
		registry: r, start: s, args: args, signals: make(chan string, maxSignals),
		cancel: cancel, begun: time.Now(), done: make(chan struct{}),
	}
	r.live[s.Key.ID] = a
	r.put(machine.Started{Process: a.process()})
	r.goroutines.Go(func() { a.run(ctx, f) })
}

// maxFences is how many children the registry remembers of which nothing is left
// but that their keys are used up: about 2 MB. The runtime gives no key twice;
// this is the second lock on that door.
const maxFences = 20_000

// forget removes what is remembered of children that neither live nor have an
// exit to tell.
func (r *Registry) forget() {
	kept := map[child.ID]child.Key{}
	for id, key := range r.last {
		if _, exited := r.exits[key]; exited || r.live[id] != nil {
			kept[id] = key
		} else {
			delete(r.fails, key)
		}
	}
	r.last = kept
}

// ended takes note that the goroutine of an attempt is about to return.
func (r *Registry) ended(a *attempt, e machine.Exited) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.live, e.Key.ID)
	r.exits[e.Key] = e
	r.put(e)
}

// Signal stops a task or passes the signal on to it, see Context.Signals.
func (r *Registry) Signal(s machine.Signal) {
	r.mu.Lock()
	a := r.live[s.Key.ID]
	r.mu.Unlock()
	if a != nil && a.start.Key == s.Key {
		a.signal(s.Signal)
	}
}

// Acknowledge forgets an exit.
func (r *Registry) Acknowledge(key child.Key) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.exits, key)
}

// Knows reports whether a key is that of a task that lives or whose exit is not
// acknowledged.
func (r *Registry) Knows(key child.Key) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ended := r.exits[key]
	a := r.live[key.ID]
	return ended || a != nil && a.start.Key == key
}

// Alive is the attempt of a child whose goroutine has not returned.
func (r *Registry) Alive(id child.ID) (child.Key, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	a := r.live[id]
	if a == nil {
		return child.Key{}, false
	}
	return a.start.Key, true
}

// put queues an event; r.mu is held.
func (r *Registry) put(ev machine.Event) { r.enqueue(item{event: ev}) }

// tell queues what an attempt has said; r.mu is held.
func (r *Registry) tell(a *attempt) {
	if !a.queued {
		a.queued = true
		r.enqueue(item{said: a})
	}
}

func (r *Registry) enqueue(i item) {
	r.queue = append(r.queue, i)
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Adopt is all that lives and all that is not acknowledged. What was queued
// before is part of it and forgotten; whether a task is ready is told again.
func (r *Registry) Adopt() machine.Adopted {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.queue, r.stopped = nil, false
	var all machine.Adopted
	for _, id := range slices.Sorted(maps.Keys(r.live)) {
		a := r.live[id]
		all.Processes = append(all.Processes, a.process())
		if a.queued = false; a.ready != nil {
			a.news = true
			r.tell(a)
		}
	}
	for _, e := range r.exits {
		all.Exits = append(all.Exits, e)
	}
	slices.SortFunc(all.Exits, func(a, b machine.Exited) int { return strings.Compare(a.Key.String(), b.Key.String()) })
	return all
}

// Pending receives when there is something to Take.
func (r *Registry) Pending() <-chan struct{} { return r.wake }

// Take is the next thing that happened; false if there is none.
func (r *Registry) Take() (machine.Event, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.queue) == 0 {
		r.queue = nil
		return nil, false
	}
	next := r.queue[0]
	r.queue = r.queue[1:]
	if next.said != nil {
		return next.said.told(), true
	}
	return next.event, true
}

// Events are the answers, and what happened by itself, while Run runs.
func (r *Registry) Events() <-chan machine.Event { return r.events }

// Run makes the registry the only Processes of a runtime: it tells what lives, and
// then what happens, until ctx ends; then it is Stop.
func (r *Registry) Run(ctx context.Context) error {
	for ev := machine.Event(r.Adopt()); ; {
		select {
		case r.events <- ev:
		case <-ctx.Done():
			return r.Stop()
		}
		for next := false; !next; {
			if ev, next = r.Take(); next {
				break
			}
			select {
			case <-r.wake:
			case <-ctx.Done():
				return r.Stop()
			}
		}
	}
}

// Stop ends the contexts of all tasks and waits until they have returned, each for
// the grace and the abort time of its child. From then on starts are dropped,
// until the next Adopt. It names those that did not: their
// goroutines live until the program ends.
func (r *Registry) Stop() error {
	r.mu.Lock()
	r.stopped = true
	live := slices.SortedFunc(maps.Values(r.live), func(a, b *attempt) int { return strings.Compare(string(a.start.Key.ID), string(b.start.Key.ID)) })
	r.mu.Unlock()
	begun := time.Now()
	for _, a := range live {
		a.cancel(fmt.Errorf("%w: the program ends", ErrStopped))
	}
	var stuck []string
	for _, a := range live {
		s := a.start.Spec.Shutdown
		patience := time.NewTimer(time.Until(begun.Add(s.GracefulTimeout.Duration() + s.AbortWait.Duration())))
		select {
		case <-a.done:
		case <-patience.C:
			stuck = append(stuck, a.start.Key.String())
		}
		patience.Stop()
	}
	if len(stuck) > 0 {
		return fmt.Errorf("stop tasks: they do not return, and a goroutine cannot be killed: %s", strings.Join(stuck, ", "))
	}
	r.goroutines.Wait()
	return nil
}
