package reconcile

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reconciler-dev/reconciler/pkg/desired"
	"github.com/reconciler-dev/reconciler/pkg/runtime"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

// fakeSource is a desired state that a test sets by hand.
type fakeSource struct {
	mu      sync.Mutex
	set     *desired.Set
	changes chan struct{}
}

func (s *fakeSource) Current() *desired.Set {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.set
}

func (s *fakeSource) Changes() <-chan struct{} { return s.changes }

func (s *fakeSource) put(entries ...desired.Entry) {
	s.mu.Lock()
	s.set = setOf(entries...)
	s.mu.Unlock()
	signal(s.changes)
}

// fakeRuntime carries out every command at once, except those that it is told to
// refuse, and notes all of them with the second in which they came.
type fakeRuntime struct {
	seen    []child.ID
	begun   time.Time
	adopted chan struct{}
	wake    chan struct{}

	mu      sync.Mutex
	m       model
	dirty   map[child.ID]bool
	refuse  map[child.ID]error
	hang    map[child.ID]bool
	linger  bool // removed children stay until gone is called
	journal []string
	reads   int // how often all children were read
	closed  bool
}

func newFakeRuntime(have ...desired.Entry) *fakeRuntime {
	r := &fakeRuntime{
		begun: time.Now(), adopted: make(chan struct{}), wake: make(chan struct{}, 1),
		m: model{}, dirty: map[child.ID]bool{}, refuse: map[child.ID]error{}, hang: map[child.ID]bool{},
	}
	for _, e := range have {
		r.m[e.ID] = running(e)
	}
	return r
}

func (r *fakeRuntime) Adopted() <-chan struct{} { return r.adopted }
func (r *fakeRuntime) Wake() <-chan struct{}    { return r.wake }

func (r *fakeRuntime) Children() []*child.Snapshot {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reads++
	return r.m.children()
}

func (r *fakeRuntime) Child(id child.ID) (*child.Snapshot, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s, ok := r.m[id]
	return s, ok
}

func (r *fakeRuntime) Take() []child.ID {
	r.mu.Lock()
	defer r.mu.Unlock()
	var ids []child.ID
	for id := range r.dirty {
		ids = append(ids, id)
	}
	clear(r.dirty)
	return ids
}

func (r *fakeRuntime) Close() { r.closed = true }

// change is a change of a child that no plan cares for, such as of its phase.
func (r *fakeRuntime) change(id child.ID) {
	r.mu.Lock()
	r.dirty[id] = true
	r.mu.Unlock()
	signal(r.wake)
}

// gone is the end of a child that was being removed.
func (r *fakeRuntime) gone(id child.ID) {
	r.mu.Lock()
	delete(r.m, id)
	r.mu.Unlock()
	r.change(id)
}

func (r *fakeRuntime) Add(ctx context.Context, id child.ID, s *child.Spec, o child.Origin, c child.Cause) (runtime.Outcome, error) {
	return r.take(ctx, Action{Verb: Add, ID: id, Spec: s, Origin: o}, c)
}

func (r *fakeRuntime) Update(ctx context.Context, id child.ID, s *child.Spec, o child.Origin, c child.Cause) (runtime.Outcome, error) {
	return r.take(ctx, Action{Verb: Update, ID: id, Spec: s, Origin: o}, c)
}

func (r *fakeRuntime) Replace(ctx context.Context, id child.ID, s *child.Spec, o child.Origin, c child.Cause) (runtime.Outcome, error) {
	return r.take(ctx, Action{Verb: Replace, ID: id, Spec: s, Origin: o}, c)
}

func (r *fakeRuntime) Remove(ctx context.Context, id child.ID, c child.Cause) (runtime.Outcome, error) {
	return r.take(ctx, Action{Verb: Remove, ID: id}, c)
}

func (r *fakeRuntime) Seen(_ context.Context, ids []child.ID) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen = append(r.seen, ids...)
	return nil
}

func (r *fakeRuntime) take(ctx context.Context, a Action, c child.Cause) (runtime.Outcome, error) {
	r.mu.Lock()
	r.journal = append(r.journal, fmt.Sprintf("%.0fs %s %s by %s: %s", time.Since(r.begun).Seconds(), a.Verb, a.ID, c.RequestedBy, c.Reason))
	err, hang := r.refuse[a.ID], r.hang[a.ID]
	r.mu.Unlock()
	if hang {
		<-ctx.Done()
		return runtime.Outcome{}, context.Cause(ctx)
	}
	if err != nil {
		return runtime.Outcome{}, err
	}
	r.mu.Lock()
	if a.Verb == Remove && r.linger {
		s := *r.m[a.ID]
		s.Operation = child.Removed
		r.m[a.ID] = &s
	} else {
		r.m.apply([]Action{a})
	}
	r.mu.Unlock()
	r.change(a.ID)
	return runtime.Outcome{Decision: machine.Accepted}, nil
}

func (r *fakeRuntime) commands() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	got := r.journal
	r.journal = nil
	return got
}

func (r *fakeRuntime) looks() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.reads
}

// inLoop runs a loop in a bubble of fake time and ends it after the test.
func inLoop(t *testing.T, src *fakeSource, rt *fakeRuntime, test func(t *testing.T, l *Loop)) {
	t.Helper()
	l := NewLoop(Options{Source: src, Supervisor: rt, Subscription: rt, Resync: time.Hour})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	synctest.Wait()

	test(t, l)

	cancel()
	if err := <-ended; err != nil {
		t.Errorf("Run() = %v, want nil", err)
	}
	if !rt.closed {
		t.Error("the subscription is open after Run")
	}
}

func newFakeSource() *fakeSource { return &fakeSource{changes: make(chan struct{}, 1)} }

func wantCommands(t *testing.T, rt *fakeRuntime, want ...string) {
	t.Helper()
	synctest.Wait()
	if diff := cmp.Diff(want, rt.commands()); diff != "" {
		t.Errorf("commands (-want +got):\n%s", diff)
	}
}

func TestNothingIsCommandedBeforeAdoptionAndTheFirstWholeLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, rt := newFakeSource(), newFakeRuntime(entryOf("old", specOf(t, `{}`)))
		inLoop(t, src, rt, func(t *testing.T, l *Loop) {
			src.put(entryOf("web", specOf(t, `{}`)))
			wantCommands(t, rt)

			src.set = &desired.Set{}
			close(rt.adopted)
			wantCommands(t, rt)
			if l.Last() != nil {
				t.Error("a pass was reported before the first whole look")
			}

			src.put(entryOf("web", specOf(t, `{}`)))
			wantCommands(t, rt,
				"0s remove old by manifest: manifest old.yaml is gone",
				"0s add web by manifest: manifest web.yaml was added")
		})
	})
}

func TestARefusedActionIsTriedAgainAndDelaysNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, rt := newFakeSource(), newFakeRuntime()
		rt.refuse["bad"] = &runtime.CommandError{Code: machine.ErrInvalid, Message: "no such user"}
		close(rt.adopted)
		src.put(entryOf("bad", specOf(t, `{}`)), entryOf("good", specOf(t, `{}`)))
		inLoop(t, src, rt, func(t *testing.T, l *Loop) {
			wantCommands(t, rt, "0s add bad by manifest: manifest bad.yaml was added", "0s add good by manifest: manifest good.yaml was added")
			want := []desired.Problem{{
				File: "bad.yaml", Document: 1, Child: "bad", Reason: "add was refused: no such user",
				Hint: "it is tried again with growing pauses, and at once when the manifest changes",
			}}
			if diff := cmp.Diff(want, l.Problems()); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}

			src.put(entryOf("bad", specOf(t, `{}`)), entryOf("good", specOf(t, `{}`)), entryOf("third", specOf(t, `{}`)))
			wantCommands(t, rt, "0s add third by manifest: manifest third.yaml was added")

			time.Sleep(10 * time.Minute)
			synctest.Wait()
			if n := len(rt.commands()); n < 13 || n > 18 {
				t.Errorf("%d tries in ten minutes; want 1, 2, 4 … 60 s between them", n)
			}
			if r := l.Last().Refused(); len(r) != 1 || r[0].Tries < 13 {
				t.Errorf("refused = %+v, want the tries of one action", r)
			}

			src.put(entryOf("bad", specOf(t, `{"tags":["mended"]}`)), entryOf("good", specOf(t, `{}`)), entryOf("third", specOf(t, `{}`)))
			wantCommands(t, rt, "600s add bad by manifest: manifest bad.yaml was added")
			if tries := l.Last().Refused()[0].Tries; tries != 1 {
				t.Errorf("tries = %d after the manifest changed, want 1", tries)
			}

			delete(rt.refuse, "bad")
			l.Kick()
			wantCommands(t, rt, "600s add bad by manifest: manifest bad.yaml was added")
			if p := l.Problems(); p != nil {
				t.Errorf("problems = %v after the action was taken, want none", p)
			}
		})
	})
}

func TestAChildThatIsBeingRemovedIsAddedWhenItIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		web := entryOf("web", specOf(t, `{}`))
		src, rt := newFakeSource(), newFakeRuntime(web)
		rt.linger = true
		close(rt.adopted)
		src.put()
		inLoop(t, src, rt, func(t *testing.T, _ *Loop) {
			wantCommands(t, rt, "0s remove web by manifest: manifest web.yaml is gone")

			src.put(web)
			wantCommands(t, rt)

			rt.gone("web")
			time.Sleep(breath)
			wantCommands(t, rt, "0s add web by manifest: manifest web.yaml was added")
		})
	})
}

func TestChangesThatNoPlanCaresForCostNoPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		web := entryOf("web", specOf(t, `{}`))
		src, rt := newFakeSource(), newFakeRuntime(web)
		close(rt.adopted)
		src.put(web)
		inLoop(t, src, rt, func(t *testing.T, l *Loop) {
			time.Sleep(time.Second)
			synctest.Wait()
			before := rt.looks()

			for range 1000 {
				rt.change("web")
				synctest.Wait()
			}

			if n := rt.looks() - before; n != 0 {
				t.Errorf("passes = %d for 1000 changes of phases, want 0", n)
			}
		})
	})
}

func TestARuntimeThatUndoesEveryActionIsFollowedAtABoundedRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		web := entryOf("web", specOf(t, `{}`))
		src, rt := newFakeSource(), newFakeRuntime()
		close(rt.adopted)
		src.put(web)
		inLoop(t, src, rt, func(t *testing.T, l *Loop) {
			for range 1000 {
				rt.gone("web")
				time.Sleep(time.Millisecond)
			}
			synctest.Wait()

			if n := rt.looks(); n < 40 || n > 55 {
				t.Errorf("passes = %d in a second, want about 50", n)
			}
		})
	})
}

func TestARuntimeThatDoesNotAnswerDelaysOthersByOneTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, rt := newFakeSource(), newFakeRuntime()
		rt.hang["bad"] = true
		close(rt.adopted)
		src.put(entryOf("bad", specOf(t, `{}`)), entryOf("good", specOf(t, `{}`)))
		inLoop(t, src, rt, func(t *testing.T, l *Loop) {
			time.Sleep(answerTime)
			wantCommands(t, rt, "0s add bad by manifest: manifest bad.yaml was added", "10s add good by manifest: manifest good.yaml was added")
			if got := l.Last().Refused()[0].Error; got != "the runtime does not answer" {
				t.Errorf("error = %q", got)
			}
		})
	})
}

func TestNothingIsCommandedOnceTheRuntimeShutsDown(t *testing.T) {
	for name, end := range map[string]error{
		"shutting down": &runtime.CommandError{Code: machine.ErrShuttingDown, Message: "the tree is being shut down"},
		"ended":         &runtime.EndedError{},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				src, rt := newFakeSource(), newFakeRuntime()
				rt.refuse["a"] = end
				close(rt.adopted)
				src.put(entryOf("a", specOf(t, `{}`)), entryOf("b", specOf(t, `{}`)))
				inLoop(t, src, rt, func(t *testing.T, l *Loop) {
					wantCommands(t, rt, "0s add a by manifest: manifest a.yaml was added")

					l.Kick()
					src.put(entryOf("c", specOf(t, `{}`)))
					time.Sleep(24 * time.Hour)
					wantCommands(t, rt)
					if p := l.Problems(); p != nil {
						t.Errorf("problems = %v, want none", p)
					}
				})
			})
		})
	}
}

func TestAResyncMendsWhatNobodyReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		web := entryOf("web", specOf(t, `{}`))
		src, rt := newFakeSource(), newFakeRuntime(web)
		close(rt.adopted)
		src.put(web)
		inLoop(t, src, rt, func(t *testing.T, l *Loop) {
			rt.mu.Lock()
			delete(rt.m, "web") // and no wake-up
			rt.mu.Unlock()

			time.Sleep(time.Hour + 6*time.Minute)

			synctest.Wait()
			if n := len(rt.commands()); n != 1 {
				t.Errorf("commands = %d after a resync, want 1", n)
			}
			if got := l.Last().Trigger; got != TriggerResync {
				t.Errorf("trigger = %s, want %s", got, TriggerResync)
			}
		})
	})
}

func TestAKickIsAlwaysAnsweredByANewReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, rt := newFakeSource(), newFakeRuntime()
		close(rt.adopted)
		src.put()
		inLoop(t, src, rt, func(t *testing.T, l *Loop) {
			first := l.Last()
			<-l.Changes()
			if l.LastAsked() != nil {
				t.Error("a pass that nobody asked for counts as asked for")
			}

			l.Kick()
			<-l.Changes()

			if got := l.Last(); got == first || got.Trigger != TriggerRequest {
				t.Errorf("report = %+v, want a new one for the request", got)
			}
			if l.LastAsked() != l.Last() {
				t.Errorf("LastAsked() = %+v, want the last report", l.LastAsked())
			}
		})
	})
}

func TestARaceIsPlannedAnewWithoutAProblem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, rt := newFakeSource(), newFakeRuntime()
		rt.refuse["web"] = &runtime.CommandError{Code: machine.ErrStillStopping, Message: "web is being removed"}
		close(rt.adopted)
		src.set = setOf(entryOf("web", specOf(t, `{}`)))
		inLoop(t, src, rt, func(t *testing.T, l *Loop) {
			wantCommands(t, rt, "0s add web by manifest: manifest web.yaml was added")
			if p := l.Problems(); p != nil {
				t.Errorf("problems = %v, want none: it is on its way", p)
			}

			delete(rt.refuse, "web")
			rt.change("web")
			time.Sleep(breath)
			wantCommands(t, rt, "0s add web by manifest: manifest web.yaml was added")
		})
	})
}

func TestAProtectedChildIsReportedAsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, rt := newFakeSource(), newFakeRuntime(entryOf("db", specOf(t, `{"protect":true}`)))
		close(rt.adopted)
		src.put()
		inLoop(t, src, rt, func(t *testing.T, l *Loop) {
			wantCommands(t, rt)
			if p := l.Problems(); len(p) != 1 || p[0].Child != "db" {
				t.Errorf("problems = %v, want that db is kept", p)
			}
		})
	})
}

func TestPausesDoubleUpToAMinute(t *testing.T) {
	for n, want := range map[int]time.Duration{1: time.Second, 2: 2 * time.Second, 6: 32 * time.Second, 7: time.Minute, 100: time.Minute} {
		if got := pauseAfter(n, 0); got != want {
			t.Errorf("pauseAfter(%d, 0) = %v, want %v", n, got, want)
		}
		if got := pauseAfter(n, 1); got != want*9/10 {
			t.Errorf("pauseAfter(%d, 1) = %v, want %v", n, got, want*9/10)
		}
	}
}
