package runtime

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

var cause = child.Cause{RequestedBy: "test", Reason: "to see what happens"}

// world is the outside of a runtime: processes that start at once and end when
// they are told, and a store that can be full. It keeps one trace of both.
type world struct {
	mu     sync.Mutex
	trace  []string
	full   error
	events chan machine.Event
}

func newWorld() *world { return &world{events: make(chan machine.Event, 1000)} }

func (w *world) note(line string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.trace = append(w.trace, line)
}

func (w *world) noted() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.trace)
}

func (w *world) setFull(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.full = err
}

func (w *world) Append(recs []machine.Record) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.full != nil {
		return w.full
	}
	for _, r := range recs {
		w.trace = append(w.trace, "record "+string(r.ID)+" "+string(r.Phase))
	}
	return nil
}

func (w *world) Start(s machine.Start) {
	w.note("start " + string(s.Key.ID))
	w.events <- machine.Started{Process: machine.Process{Key: s.Key, Attempt: s.Attempt, PID: 100 + int(s.Attempt), StartedAt: time.Now()}}
}

func (w *world) Signal(s machine.Signal) {
	w.note("signal " + string(s.Key.ID) + " " + s.Signal)
	w.events <- machine.Exited{Key: s.Key, Signal: s.Signal, FinishedAt: time.Now()}
}

func (w *world) Acknowledge(k child.Key)      { w.note("acknowledge " + string(k.ID)) }
func (w *world) Events() <-chan machine.Event { return w.events }

// launched runs a runtime in w until the test ends.
func launched(t *testing.T, w *world) *Handle {
	t.Helper()
	return launchedWith(t, Config{Processes: w, Records: w, StartSlots: 4})
}

func launchedWith(t *testing.T, cfg Config) *Handle {
	t.Helper()
	r, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = r.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return r.Handle()
}

func spec() *child.Spec {
	return &child.Spec{
		Kind: child.AsyncWorker, Command: []string{"x"}, RestartPolicy: child.Permanent, SuccessExitCodes: []int{0},
		Shutdown: child.Shutdown{Signal: "SIGTERM", GracefulTimeout: child.Seconds(time.Second), AbortWait: child.Seconds(time.Second)},
	}
}

func mustAdd(t *testing.T, h *Handle, id child.ID) {
	t.Helper()
	if _, err := h.Add(t.Context(), id, spec(), child.Origin{}, cause); err != nil {
		t.Fatalf("add %s: %v", id, err)
	}
}

func TestNothingIsStartedBeforeAdoptionIsFinished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		h := launched(t, w)
		mustAdd(t, h, "a")
		synctest.Wait()
		if got := w.noted(); slices.Contains(got, "start a") {
			t.Fatalf("trace = %v: started without knowing what lives", got)
		}
		select {
		case <-h.Adopted():
			t.Fatal("Adopted is closed before anybody said what lives")
		default:
		}

		w.events <- machine.Adopted{}
		<-h.Adopted()
		synctest.Wait()

		if s, ok := h.Child("a"); !ok || s.Phase != child.Running || s.PID != 101 {
			t.Errorf("a = %+v, want it running as 101", s)
		}
	})
}

func TestEveryStartAndAcknowledgementIsRecordedFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		h := launched(t, w)
		w.events <- machine.Adopted{}
		mustAdd(t, h, "a")
		synctest.Wait()
		if _, err := h.Pause(t.Context(), "a", cause); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()

		trace := w.noted()
		for _, effect := range []string{"start a", "signal a SIGTERM", "acknowledge a"} {
			i := slices.Index(trace, effect)
			if i < 1 || trace[i-1] == effect || trace[i-1][:6] != "record" {
				t.Errorf("%q is not right behind its record in %v", effect, trace)
			}
		}
	})
}

// entries notes its entries in the trace of a world.
type entries struct{ *world }

func (d entries) Append(facts []machine.Fact, _ time.Time) error {
	for _, f := range facts {
		if f.IsCommand() {
			d.note(fmt.Sprintf("entry %s %s %s", f.Command.Verb, f.Child, f.Command.Decision))
		}
	}
	return nil
}

func TestNoCommandHasAnEffectBeforeItsEntry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		h := launchedWith(t, Config{Processes: w, Records: w, Journal: entries{w}, StartSlots: 4})
		w.events <- machine.Adopted{}
		mustAdd(t, h, "a")
		synctest.Wait()

		for _, command := range []func(context.Context, child.ID, child.Cause) (Outcome, error){h.Pause, h.Resume, h.Restart, h.Quarantine, h.Remove} {
			if _, err := command(t.Context(), "a", cause); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}

		trace := w.noted()
		for entry, effects := range map[string][]string{
			"entry add a accepted":               {"record a Starting", "start a"},
			"entry pause a accepted":             {"record a Stopping", "signal a SIGTERM"},
			"entry resume a started_immediately": {},
		} {
			at := slices.Index(trace, entry)
			for _, effect := range effects {
				if i := slices.Index(trace, effect); at < 0 || i < at {
					t.Errorf("%q is at %d and %q at %d of %v", entry, at, effect, i, trace)
				}
			}
		}
	})
}

func TestANotedRequestIsOnRecordWhenItIsAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		h := launchedWith(t, Config{Processes: w, Records: w, Journal: entries{w}, StartSlots: 4, Run: "run"})

		id, err := h.Note(t.Context(), machine.Noted{Verb: machine.Put, Child: "a", Cause: cause, Decision: machine.Rejected, Code: machine.ErrInvalid, Message: "no manifest"})

		if err != nil || id != "run-1" || !slices.Contains(w.noted(), "entry put a rejected") {
			t.Errorf("note = %q, %v; the trace is %v", id, err, w.noted())
		}
	})
}

func TestRefusalsCanBeTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := launched(t, newWorld())

		_, err := h.Restart(t.Context(), "ghost", cause)

		var refused *CommandError
		if !errors.Is(err, ErrChildNotFound) || !errors.As(err, &refused) || refused.Code != machine.ErrChildNotFound {
			t.Errorf("error = %v, want child_not_found", err)
		}
		if _, ok := h.Child("ghost"); ok {
			t.Error("the unknown child left a trace")
		}
	})
}

func TestShimKeepsAnEndThatCouldNotBeRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		h := launched(t, w)
		w.events <- machine.Adopted{}
		mustAdd(t, h, "a")
		synctest.Wait()
		w.setFull(errors.New("no space left on device"))
		if _, err := h.Pause(t.Context(), "a", cause); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()

		if got := w.noted(); slices.Contains(got, "acknowledge a") {
			t.Errorf("trace = %v: the shim may forget what no record knows", got)
		}

		w.setFull(nil)
		<-time.After(retryRecords + time.Millisecond) // the bubble's clock
		synctest.Wait()

		trace := w.noted()
		if i := slices.Index(trace, "acknowledge a"); i < 1 || trace[i-1] != "record a Stopped" {
			t.Errorf("trace = %v, want the end acknowledged behind its record when there is room", trace)
		}
	})
}

func TestFullDiskDelaysTheRecordAndNotTheChild(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.setFull(errors.New("no space left on device"))
		h := launched(t, w)
		w.events <- machine.Adopted{}
		mustAdd(t, h, "a")
		synctest.Wait()

		if s, _ := h.Child("a"); s == nil || s.Phase != child.Running {
			t.Errorf("a = %+v, want it running although the disk is full", s)
		}
		if h.Health().RecordsError == "" {
			t.Error("health does not say that nothing is recorded")
		}

		w.setFull(nil)
		<-time.After(retryRecords + time.Millisecond) // the bubble's clock
		synctest.Wait()

		if got := w.noted(); !slices.ContainsFunc(got, func(l string) bool { return l == "record a Starting" || l == "record a Running" }) {
			t.Errorf("trace = %v, want the record of a written when there is room", got)
		}
		if why := h.Health().RecordsError; why != "" {
			t.Errorf("health still says %q", why)
		}
	})
}

func TestEveryCallerOfShutdownAndJoinGetsTheSameReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		h := launched(t, w)
		w.events <- machine.Adopted{}
		mustAdd(t, h, "a")
		synctest.Wait()
		reports := make([]*machine.ShutdownReport, 3)
		var racing sync.WaitGroup
		for i := range 2 {
			racing.Go(func() { reports[i], _ = h.ShutdownTree(context.Background(), cause) })
		}
		racing.Wait()
		first, err := h.Join(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		reports[2], err = h.ShutdownTree(t.Context(), cause)
		if err != nil {
			t.Fatalf("shutdown after the end: %v", err)
		}

		for i, r := range reports {
			if r == nil || len(r.Outcomes) != 1 || r.Outcomes[0].Status != machine.Graceful {
				t.Errorf("report %d = %+v, want one graceful child", i, r)
			}
		}
		if first.State != StateCompleted || len(first.Children) != 1 {
			t.Errorf("exit report = %+v, want completed with one child", first)
		}
		var ended *EndedError
		if _, err := h.Restart(t.Context(), "a", cause); !errors.As(err, &ended) || ended.Report.State != StateCompleted {
			t.Errorf("restart after the end: %v, want an error with the report", err)
		}
	})
}

func TestCancelledLoopLeavesAReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		r, err := New(Config{Processes: w, Records: w, StartSlots: 1})
		if err != nil {
			t.Fatal(err)
		}
		why := errors.New("pulled the plug")
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(why)

		if err := r.Run(ctx); !errors.Is(err, why) {
			t.Errorf("Run = %v, want the cause", err)
		}
		if rep, err := r.Handle().Join(t.Context()); err != nil || rep.State != StateFailed || !rep.Recoverable || rep.Reason != why.Error() {
			t.Errorf("Join = %+v, %v; want failed, recoverable, for that reason", rep, err)
		}
	})
}

func TestReadsAnswerBeforeAdoptionAndAfterTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		h := launched(t, w)
		mustAdd(t, h, "a")
		look := func(when string, want child.Phase, state State) {
			t.Helper()
			all := h.Children()
			one, ok := h.Child("a")
			if len(all) != 1 || !ok || all[0] != one || one.Phase != want {
				t.Errorf("%s: children %v, a = %+v; want a %s", when, all, one, want)
			}
			if got := h.Health(); got.State != state || got.Alive != (state == StateAlive) {
				t.Errorf("%s: health %+v, want %s", when, got, state)
			}
			h.Subscribe().Close()
		}
		synctest.Wait()

		look("before anybody said what lives", child.Pending, StateStarting)
		w.events <- machine.Adopted{}
		synctest.Wait()
		look("while it runs", child.Running, StateAlive)
		if _, err := h.ShutdownTree(t.Context(), cause); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		look("after the end", child.Stopped, StateCompleted)
		var ended *EndedError
		for verb, command := range map[string]func(context.Context, child.ID, child.Cause) (Outcome, error){
			"remove": h.Remove, "restart": h.Restart, "pause": h.Pause, "resume": h.Resume, "quarantine": h.Quarantine,
		} {
			if _, err := command(t.Context(), "a", cause); !errors.As(err, &ended) || ended.Report.Phase != "shutdown" {
				t.Errorf("%s after the end: %v; want how it ended", verb, err)
			}
		}
	})
}

// brittle processes panic on their first start, as only a bug can.
type brittle struct{ *world }

func (brittle) Start(machine.Start) { panic("index out of range") }

func TestACrashOfTheLoopIsReportedToEverybody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		r, err := New(Config{Processes: brittle{w}, Records: w, StartSlots: 1})
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- r.Run(t.Context()) }()
		h := r.Handle()
		w.events <- machine.Adopted{}

		_, err = h.Add(t.Context(), "a", spec(), child.Origin{}, cause)

		var ended *EndedError
		for range 2 {
			if !errors.As(err, &ended) || ended.Report.Phase != "watchdog" || !strings.Contains(err.Error(), "index out of range") {
				t.Errorf("error = %v; want the phase and the reason of the end", err)
			}
			_, err = h.Restart(t.Context(), "a", cause)
		}
		got := h.Health()
		if got.Alive || got.State != StateFailed || got.Report == nil || !got.Report.Panic || !got.Report.Recoverable {
			t.Errorf("health = %+v, report %+v", got, got.Report)
		}
		if err := <-done; err == nil {
			t.Error("Run ended without an error")
		}
	})
}
