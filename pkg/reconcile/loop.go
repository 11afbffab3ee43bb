package reconcile

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"

	"github.com/reconciler-dev/reconciler/pkg/desired"
	"github.com/reconciler-dev/reconciler/pkg/runtime"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

// RequestedBy is who the loop says it is, in the cause of every command.
const RequestedBy = "manifest"

const (
	// answerTime bounds the wait for one answer. The runtime answers within
	// microseconds; after this long it is stuck, and others must have their turn.
	answerTime = 10 * time.Second

	// breath is the rest between two passes that the runtime caused. Together
	// with a pass of about 1 ms over 10,000 children it keeps a runtime that
	// changes all the time under one twentieth of a core.
	breath = 20 * time.Millisecond
)

// Source is the desired state as the loop needs it. Changes receives when
// Current may be another one.
type Source interface {
	Current() *desired.Set
	Changes() <-chan struct{}
}

// Supervisor is the runtime as the loop needs it; *runtime.Handle is one.
type Supervisor interface {
	Children() []*child.Snapshot
	Child(child.ID) (*child.Snapshot, bool)
	Adopted() <-chan struct{}
	Add(context.Context, child.ID, *child.Spec, child.Origin, child.Cause) (runtime.Outcome, error)
	Update(context.Context, child.ID, *child.Spec, child.Origin, child.Cause) (runtime.Outcome, error)
	Replace(context.Context, child.ID, *child.Spec, child.Origin, child.Cause) (runtime.Outcome, error)
	Remove(context.Context, child.ID, child.Cause) (runtime.Outcome, error)
	Seen(context.Context, []child.ID) error
}

// Subscription says which children changed since the last Take;
// *runtime.Subscription is one.
type Subscription interface {
	Wake() <-chan struct{}
	Take() []child.ID
	Close()
}

// Options are what a Loop works on. Resync, Observe and Log may be left out.
type Options struct {
	Source       Source
	Supervisor   Supervisor
	Subscription Subscription  // closed by Run
	Resync       time.Duration // between two passes without a reason, spread by a tenth; 30 s if 0
	Observe      func(*Report) // is told each pass, from Run's goroutine; must not wait
	Log          logr.Logger
}

// Loop keeps the runtime as the manifests want it. Its methods may be called
// from any goroutine.
type Loop struct {
	o        Options
	kick     chan struct{}
	changes  chan struct{}
	released chan struct{} // of what was held
	last     atomic.Pointer[Report]
	asked    atomic.Pointer[Report] // the last that Kick or Pass led to
	ended    chan struct{}          // closed when there are no more passes
	end      func()                 // closes it, once

	mu        sync.Mutex
	waiting   []chan *Report             // of Pass; each has room
	held      map[child.ID]bool          // see Hold
	confirmed map[child.ID]*confirmation // removals that somebody said are meant

	// Owned by Run.
	refused map[child.ID]*refusal
	leave   map[child.ID]bool // those that were held when the pass began
	passed  time.Time         // when the last pass ended
	unseen  map[child.ID]bool // see tellSeen; nil before the first pass
}

// NewLoop makes a loop; it does nothing before Run.
func NewLoop(o Options) *Loop {
	if o.Resync <= 0 {
		o.Resync = 30 * time.Second
	}
	l := &Loop{o: o, kick: make(chan struct{}, 1), changes: make(chan struct{}, 1), ended: make(chan struct{}), refused: map[child.ID]*refusal{}, confirmed: map[child.ID]*confirmation{}, held: map[child.ID]bool{}, released: make(chan struct{}, 1)}
	l.end = sync.OnceFunc(func() { close(l.ended) })
	return l
}

// Kick asks for a pass now, also of the actions that wait after a refusal. It
// never waits for it.
func (l *Loop) Kick() { signal(l.kick) }

// ErrEnded says that no pass is made any more: the runtime shuts down, or has ended.
var ErrEnded = errors.New("no pass is made any more: the runtime shuts down")

// Pass is Kick, and waits for the report of a pass that began after the call.
func (l *Loop) Pass(ctx context.Context) (*Report, error) {
	done := make(chan *Report, 1)
	l.mu.Lock()
	l.waiting = append(l.waiting, done)
	l.mu.Unlock()
	l.Kick()
	select {
	case r := <-done:
		return r, nil
	case <-l.ended:
		return nil, ErrEnded
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// askers are the callers of Pass so far. What was refused is tried again for them.
func (l *Loop) askers() []chan *Report {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := l.waiting
	l.waiting = nil
	if len(all) > 0 {
		l.tryAgain()
	}
	return all
}

func (l *Loop) tryAgain() {
	for _, r := range l.refused {
		r.retryAt = time.Time{}
	}
}

// Last is the report of the last pass, immutable; nil before the first.
func (l *Loop) Last() *Report { return l.last.Load() }

// LastAsked is the last pass that Kick or Pass led to; nil before the first.
func (l *Loop) LastAsked() *Report { return l.asked.Load() }

// Changes receives when Last is a new one. It has one slot, for one reader.
func (l *Loop) Changes() <-chan struct{} { return l.changes }

// Problems are what the last pass could not bring about, for the list of all
// problems; nil if there are none. The slice is the caller's own.
func (l *Loop) Problems() []desired.Problem {
	if r := l.Last(); r != nil {
		return r.problems()
	}
	return nil
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Run works until ctx ends; it returns after the action in hand. When the
// runtime shuts down or has ended, nothing is commanded any more.
func (l *Loop) Run(ctx context.Context) error {
	defer l.o.Subscription.Close()
	defer l.end()
	select {
	case <-l.o.Supervisor.Adopted():
	case <-ctx.Done():
		return nil
	}
	resync := time.NewTimer(l.resync())
	defer resync.Stop()
	retry := time.NewTimer(0) // also the first pass
	defer retry.Stop()
	trigger := TriggerStart
	for l.pass(ctx, trigger) {
		if trigger == TriggerResync {
			resync.Reset(l.resync())
		}
		if at := l.nextTry(); !at.IsZero() {
			retry.Reset(time.Until(at))
		} else {
			retry.Stop()
		}
		if trigger = l.await(ctx, resync, retry); trigger == "" {
			return nil
		}
	}
	l.end()
	<-ctx.Done()
	return nil
}

// await returns the reason for the next pass, or "" when ctx ends.
func (l *Loop) await(ctx context.Context, resync, retry *time.Timer) Trigger {
	var rest <-chan time.Time // set while the runtime has changed and breath is not over
	for {
		wake := l.o.Subscription.Wake()
		if rest != nil {
			wake = nil
		}
		select {
		case <-ctx.Done():
			return ""
		case <-l.kick:
			l.tryAgain()
			return TriggerRequest
		case <-l.o.Source.Changes():
			return TriggerManifests
		case <-retry.C:
			return TriggerRetry
		case <-l.released:
			return TriggerRetry
		case <-resync.C:
			return TriggerResync
		case <-rest:
			return TriggerRuntime
		case <-wake:
			if l.concerned() {
				rest = time.After(time.Until(l.passed.Add(breath)))
			}
		}
	}
}

// concerned reports whether a plan would act on a child that changed. Nearly all
// changes are of phases, and no plan looks at those.
func (l *Loop) concerned() bool {
	want := l.o.Source.Current()
	return slices.ContainsFunc(l.o.Subscription.Take(), func(id child.ID) bool {
		s, _ := l.o.Supervisor.Child(id)
		return !settled(want, id, s)
	})
}

// resync is spread by a tenth to both sides, so that many daemons do not look at
// one file server at the same moment.
func (l *Loop) resync() time.Duration {
	return time.Duration((0.9 + 0.2*rand.Float64()) * float64(l.o.Resync))
}

// pass looks at both sides and does what must be done. It reports false when
// there is nothing left to command, because the runtime ends.
func (l *Loop) pass(ctx context.Context, trigger Trigger) bool {
	want := l.o.Source.Current()
	if want == nil || !want.Complete {
		clear(l.refused)
		return true
	}
	askers := l.askers()
	l.leave = l.heldNow()
	begun := time.Now()
	want = l.o.Source.Current()
	have := l.o.Supervisor.Children()
	plan := Plan(want, have)
	l.forget(plan)
	r := &Report{At: begun, Trigger: trigger, Revision: want.Revision, Kept: Protected(want, have)}
	for _, a := range plan {
		result, ends := l.try(ctx, a)
		if ends {
			return false
		}
		r.Actions = append(r.Actions, result)
	}
	if !l.tellSeen(ctx, want, have, r) {
		return false
	}
	l.passed = time.Now()
	r.Duration = l.passed.Sub(begun)
	l.last.Store(r)
	if trigger == TriggerRequest || len(askers) > 0 {
		l.asked.Store(r)
	}
	if l.o.Observe != nil {
		l.o.Observe(r)
	}
	for _, done := range askers {
		done <- r
	}
	signal(l.changes)
	l.log(r)
	return true
}

// try carries out one action, unless it was refused and must wait. It reports
// true when no command is taken any more.
func (l *Loop) try(ctx context.Context, a Action) (Result, bool) {
	if l.leave[a.ID] || l.isHeld(a.ID) {
		return Result{Action: a, Deferred: true}, false
	}
	if r := l.refused[a.ID]; r != nil && time.Now().Before(r.retryAt) {
		waits := r.result(a)
		waits.Waits = true
		return waits, false
	}
	outcome, err := l.command(ctx, a)
	switch {
	case err == nil:
		delete(l.refused, a.ID)
		l.carriedOut(a)
		return Result{Action: a, Command: outcome.CommandID, Decision: outcome.Decision}, false
	case ctx.Err() != nil || isEnd(err):
		return Result{}, true
	case isRace(err):
		return Result{Action: a, Deferred: true}, false
	}
	return l.refuse(a, err).result(a), false
}

func (l *Loop) command(ctx context.Context, a Action) (runtime.Outcome, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, answerTime, errors.New("the runtime does not answer"))
	defer cancel()
	cause := l.causeOf(a)
	switch a.Verb {
	case Add:
		return l.o.Supervisor.Add(ctx, a.ID, a.Spec, a.Origin, cause)
	case Update:
		return l.o.Supervisor.Update(ctx, a.ID, a.Spec, a.Origin, cause)
	case Replace:
		return l.o.Supervisor.Replace(ctx, a.ID, a.Spec, a.Origin, cause)
	}
	return l.o.Supervisor.Remove(ctx, a.ID, cause)
}

// isEnd reports whether err says that the runtime takes no more commands.
func isEnd(err error) bool {
	var ended *runtime.EndedError
	return errors.As(err, &ended) || codeOf(err) == machine.ErrShuttingDown
}

// isRace reports whether err says that the child was another one than the plan
// saw. That child's change leads to the next pass.
func isRace(err error) bool {
	switch codeOf(err) {
	case machine.ErrStillStopping, machine.ErrChildExists, machine.ErrChildNotFound:
		return true
	}
	return false
}

func codeOf(err error) machine.ErrorCode {
	var refused *runtime.CommandError
	if errors.As(err, &refused) {
		return refused.Code
	}
	return ""
}
