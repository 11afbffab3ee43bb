package handletest

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/journal"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

const (
	// patient is how long a test waits for what must happen; once one has waited in
	// vain, the others are impatient: the run is red, and should say so soon.
	patient   = 30 * time.Second
	impatient = time.Second

	// long is for what must not end by itself while a test looks.
	long = time.Hour
)

// stage is a runtime whose world is played.
type stage struct {
	t       *testing.T
	door    Door
	control Control
	handle  *runtime.Handle
	world   *world
	spec    *child.Spec   // of the child a, once there is one
	stop    func()        // ends the runtime as the death of its program would
	down    chan struct{} // closed when the shutdown that the stage began was answered
	report  *machine.ShutdownReport
}

var errProgram = errors.New("the program ends")

// newStage sets up a runtime that runs, of which nobody has said what lives.
func newStage(t *testing.T, d Door) *stage {
	t.Helper()
	dir := t.TempDir()
	w := newWorld()
	facts, err := journal.OpenFacts(filepath.Join(dir, "journal"))
	must(t, err)
	r, err := runtime.New(runtime.Config{Processes: w, Records: w, Journal: facts, StartSlots: 4})
	must(t, err)
	s := &stage{t: t, door: d, handle: r.Handle(), world: w}
	ctx, cancel := context.WithCancelCause(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = r.Run(ctx) }()
	s.stop = func() { cancel(errProgram); <-ended }
	t.Cleanup(func() { s.stop(); must(t, facts.Close()) })
	s.control = d.Open(t, Stage{Handle: s.handle, Dir: dir, JournalDir: filepath.Join(dir, "journal")})
	return s
}

// connected is a stage whose runtime knows that nothing lives.
func connected(t *testing.T, d Door) *stage {
	t.Helper()
	s := newStage(t, d)
	s.connect()
	return s
}

func (s *stage) connect() {
	s.world.tell(machine.Adopted{Processes: s.world.alive()})
	s.until("connected", func() bool { return s.handle.Health().Connected })
}

// until waits for something that the runtime comes to.
func (s *stage) until(what string, ok func() bool) {
	s.t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for began := time.Now(); !ok(); <-tick.C {
		if waited := time.Since(began); waited > patient || waited > impatient && s.door.vain.Load() {
			s.door.vain.Store(true)
			now, _ := s.handle.Child("a")
			s.t.Fatalf("after %v it is not %s: %+v", waited, what, now)
		}
	}
}

// a is what the control says of the child a, in the words of the page.
func (s *stage) a() string {
	s.t.Helper()
	state, err := s.control.Child(s.t.Context(), "a")
	switch {
	case errors.Is(err, runtime.ErrChildNotFound):
		return "no such child"
	case err != nil:
		return "error: " + err.Error()
	}
	return state.String()
}

// journal is what the control says was recorded.
func (s *stage) journal() []journal.Entry {
	s.t.Helper()
	all, err := s.control.Journal(s.t.Context())
	must(s.t, err)
	return all
}

// world is the outside of a runtime: processes that start when they are asked to and
// end when they are told to, unless it is frozen, and a store of records.
type world struct {
	events chan machine.Event

	mu      sync.Mutex
	frozen  bool
	broken  bool // the store panics
	held    []machine.Event
	living  map[child.Key]machine.Process
	effects []string // what was asked of it, but for acknowledgements
}

func newWorld() *world {
	return &world{events: make(chan machine.Event, 1000), living: map[child.Key]machine.Process{}}
}

func (w *world) Start(s machine.Start) {
	p := machine.Process{Key: s.Key, Attempt: s.Attempt, PID: 1000 + int(s.Attempt), StartedAt: time.Now()}
	w.asked("start "+s.Key.String(), machine.Started{Process: p})
}

func (w *world) Signal(g machine.Signal) {
	if g.Signal == "SIGHUP" {
		w.asked(g.Signal+" "+g.Key.String(), nil)
		return
	}
	w.asked(g.Signal+" "+g.Key.String(), machine.Exited{Key: g.Key, Signal: g.Signal, FinishedAt: time.Now()})
}

func (w *world) Acknowledge(child.Key)        {}
func (w *world) Events() <-chan machine.Event { return w.events }

func (w *world) Append([]machine.Record) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.broken {
		panic("the store of the test is broken")
	}
	return nil
}

func (w *world) asked(effect string, answer machine.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.effects = append(w.effects, effect)
	switch {
	case answer == nil:
	case w.frozen:
		w.held = append(w.held, answer)
	default:
		w.happen(answer)
	}
}

// happen is called with the lock held.
func (w *world) happen(ev machine.Event) {
	switch ev := ev.(type) {
	case machine.Started:
		w.living[ev.Key] = ev.Process
	case machine.Exited:
		delete(w.living, ev.Key)
	}
	w.events <- ev
}

func (w *world) tell(ev machine.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.happen(ev)
}

// freeze lets nothing happen any more that is asked for.
func (w *world) freeze() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.frozen = true
}

// thaw lets everything happen that was asked for since.
func (w *world) thaw() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.frozen = false
	for _, ev := range w.held {
		w.happen(ev)
	}
	w.held = nil
}

func (w *world) breakStore() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.broken = true
}

func (w *world) alive() (all []machine.Process) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.living {
		all = append(all, p)
	}
	return all
}

func (w *world) soFar() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.effects)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
