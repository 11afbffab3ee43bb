package machine

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// FuzzTree reads events from bytes, plausible and implausible ones, and tests
// every invariant after each step. In the end it shuts the tree down, which must
// end whatever came before.
func FuzzTree(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("a\x00b\x01c\x02d\x03e\x04f\x05g\x06h\x07"))
	for seed := range 8 {
		data := make([]byte, 300)
		for i := range data {
			data[i] = byte((i*i + 31*i*(seed+1)) >> (seed % 4))
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) { runFuzzWorld(t, data) })
}

// TestRandomEventsKeepEveryInvariant is the same without the fuzzer: fast, and
// the same events each time.
func TestRandomEventsKeepEveryInvariant(t *testing.T) {
	const worlds = 3000
	accepted := map[Verb]int{}
	rng := rand.New(rand.NewPCG(1, 2))
	for range worlds {
		data := make([]byte, 100+rng.IntN(1500))
		for i := range data {
			data[i] = byte(rng.Uint32())
		}
		for verb, n := range runFuzzWorld(t, data).accepted {
			accepted[verb] += n
		}
	}
	for _, verb := range []Verb{Add, Update, Replace, Remove, Restart, Pause, Resume, Quarantine, SendSignal, ShutdownTree, HurryUp, Leave} {
		if accepted[verb] < 20 {
			t.Errorf("%s was accepted %d times; the test hardly goes there: %v", verb, accepted[verb], accepted)
		}
	}
}

func runFuzzWorld(t *testing.T, data []byte) *fuzzWorld {
	w := &fuzzWorld{t: t, data: data, highest: map[child.Key]child.Key{}, accepted: map[Verb]int{}}
	w.cfg = Config{StartSlots: 2, Seed: 1, Next: eachMinute, ExitOnCritical: w.byte()%8 == 1}
	w.tree = New(w.cfg)
	for len(w.data) > 0 {
		w.step(w.event())
		if w.byte()%64 == 0 {
			w.restart()
		}
	}
	w.goDown()
	return w
}

// fuzzWorld makes events of bytes and remembers what it saw.
type fuzzWorld struct {
	t       *testing.T
	cfg     Config
	tree    *Tree
	data    []byte
	now     Instant
	keys    []child.Key // that were ever named in a Start
	records []Record
	highest map[child.Key]child.Key // the newest key that was started, by ID and role
	command int

	accepted map[Verb]int
}

var fuzzIDs = []child.ID{"a", "b", "c", "f", "f/d", "f/e", "f/g", "f/g/h", "root"}

// fuzzFolders are mostly supervisors.
var fuzzFolders = map[child.ID]bool{"f": true, "f/g": true, "root": true}

func (w *fuzzWorld) byte() byte {
	if len(w.data) == 0 {
		return 0
	}
	b := w.data[0]
	w.data = w.data[1:]
	return b
}

func (w *fuzzWorld) id() CommandID {
	w.command++
	return CommandID(fmt.Sprint("cmd-", w.command))
}

func (w *fuzzWorld) wall() time.Time { return epochWall.Add(time.Duration(w.now)) }

func (w *fuzzWorld) step(ev Event) {
	w.t.Helper()
	before, told := phasesOf(w.tree), len(w.tree.out.facts)
	w.tree.Step(w.now, w.wall(), ev)
	checkFacts(w.t, before, phasesOf(w.tree), w.tree.out.facts[told:])
	for _, f := range w.tree.out.facts[told:] {
		if f.Kind == CommandAccepted {
			w.accepted[f.Command.Verb]++
		}
	}
	if err := w.tree.Check(); err != nil {
		w.t.Fatalf("after %T %+v: %v", ev, ev, err)
	}
	if w.byte()%3 == 0 {
		return // the shell takes several events together
	}
	w.take()
}

func (w *fuzzWorld) take() {
	r := w.tree.Ready()
	if !slices.IsSorted(r.Changed) || len(slices.Compact(slices.Clone(r.Changed))) != len(r.Changed) {
		w.t.Fatalf("Changed is not sorted and unique: %v", r.Changed)
	}
	recorded := map[child.ID]Record{}
	for _, rec := range r.Records {
		if _, twice := recorded[rec.ID]; twice {
			w.t.Fatalf("two records of %s in one Ready", rec.ID)
		}
		recorded[rec.ID] = rec
	}
	w.records = append(w.records, r.Records...)
	for _, e := range r.Effects {
		if start, ok := e.(Start); ok {
			w.started(start)
		}
	}
}

func (w *fuzzWorld) started(s Start) {
	place := child.Key{ID: s.Key.ID, Role: s.Key.Role}
	if last, ok := w.highest[place]; ok && s.Key.OlderThan(last) {
		w.t.Fatalf("start of %s after %s", s.Key, last)
	}
	w.highest[place] = s.Key
	w.keys = append(w.keys, s.Key)
}

// restart replaces the tree by one restored from its records.
func (w *fuzzWorld) restart() {
	w.take()
	w.tree = Restore(w.cfg, w.now, w.wall(), w.records)
	if err := w.tree.Check(); err != nil {
		w.t.Fatalf("after Restore: %v", err)
	}
}

func (w *fuzzWorld) key() child.Key {
	b := w.byte()
	id := fuzzIDs[int(b)%len(fuzzIDs)]
	if s := w.tree.children[id]; s != nil && s.hook.on() && b < 100 {
		return s.hookKey()
	}
	if s, ok := w.tree.Snapshot(id); ok && b < 200 {
		return child.Key{ID: id, Incarnation: s.Incarnation, Generation: s.Generation}
	}
	if len(w.keys) > 0 && b < 240 {
		return w.keys[int(b)%len(w.keys)]
	}
	return child.Key{ID: id, Incarnation: uint64(b % 5), Generation: child.Generation(b % 7)}
}

func (w *fuzzWorld) event() Event {
	switch w.byte() % 12 {
	case 0, 1, 2:
		return w.commandEvent()
	case 3:
		return Started{w.process()}
	case 4:
		return StartFailed{Key: w.key(), Reason: "no", Busy: w.byte()%2 == 0, At: w.wall()}
	case 5, 6:
		return w.exit()
	case 7:
		return w.connection()
	case 10:
		return w.probed()
	case 11:
		return w.notified()
	case 8:
		w.now += Instant(w.byte()) * Instant(20*time.Millisecond)
	case 9:
		if next, ok := w.tree.Next(); ok {
			w.now = max(w.now, next)
		}
	}
	return Ticked{}
}

func (w *fuzzWorld) connection() Event {
	b := w.byte()
	if b%3 == 0 {
		return Detached{Reason: "gone"}
	}
	var ev Adopted
	for range b % 4 {
		ev.Processes = append(ev.Processes, w.process())
	}
	for range b / 100 {
		ev.Starting = append(ev.Starting, w.key())
	}
	for range b / 64 {
		ev.Exits = append(ev.Exits, w.exit())
	}
	return ev
}

func (w *fuzzWorld) process() Process {
	return Process{Key: w.key(), PID: 100 + int(w.byte()), StartedAt: w.wall(), WeakKill: w.byte()%5 == 0}
}

func (w *fuzzWorld) exit() Exited {
	ev := Exited{Key: w.key(), FinishedAt: w.wall()}
	switch b := w.byte(); b % 6 {
	case 0:
		ev.Lost = true
	case 1:
		ev.Signal, ev.CoreDumped, ev.OOMKilled = "SIGKILL", b > 128, b > 200
	case 2:
	default:
		code := int(b % 6 / 4)
		ev.Code = &code
	}
	return ev
}

// probed is mostly the answer to the newest probe of a child.
func (w *fuzzWorld) probed() Event {
	b := w.byte()
	ev := Probed{Key: w.key(), Role: roles[b%2], OK: b%3 > 0, Unknown: b%7 == 0, Message: "no", Number: uint64(b)}
	if s := w.tree.children[ev.Key.ID]; s != nil && b < 240 {
		ev.Number = s.probing(ev.Role).number
	}
	return ev
}

func (w *fuzzWorld) notified() Event {
	b := w.byte()
	ev := Notified{Key: w.key(), Heartbeat: b%3 == 0, Broken: b%32 == 1}
	if ready := b%4 > 0; b > 100 {
		ev.Ready = &ready
	}
	if b%8 == 0 {
		ev.Every = time.Duration(b) * 50 * time.Millisecond
	}
	return ev
}

// probes gives a spec some.
func (w *fuzzWorld) probes(s *child.Spec) {
	handlers := []string{"http", "tcp", "notify", "log_match", "none", "off", "off", "off"}
	if h := handlers[w.byte()%8]; h != "off" {
		s.Readiness = &child.Readiness{
			CheckInterval: child.Seconds(w.byte()) * child.Seconds(20*time.Millisecond), InitialDelay: child.Seconds(w.byte()%3) * child.Seconds(time.Second),
			Deadline: child.Seconds(w.byte()%4) * child.Seconds(time.Second), SuccessThreshold: int(w.byte() % 3), FailureThreshold: int(w.byte() % 3), Probe: handlerOf(h),
		}
	}
	handlers[2], handlers[3], handlers[4] = "heartbeat", "heartbeat", "http"
	if h := handlers[w.byte()%8]; h != "off" {
		s.HealthCheck = &child.HealthCheck{
			CheckInterval: child.Seconds(time.Millisecond) + child.Seconds(w.byte())*child.Seconds(20*time.Millisecond), MaxRetries: int(w.byte() % 4), Probe: handlerOf(h),
		}
	}
}

func (w *fuzzWorld) commandEvent() Event {
	verbs := []Verb{Add, Add, Add, Update, Replace, Remove, Restart, Pause, Resume, Quarantine, SendSignal, "nonsense"}
	c := Command{
		ID: w.id(), Verb: verbs[int(w.byte())%len(verbs)], Child: fuzzIDs[int(w.byte())%len(fuzzIDs)],
		Cause: child.Cause{RequestedBy: "fuzz", Reason: "test"}, Signal: "SIGHUP",
	}
	switch w.byte() {
	case 77:
		c.Verb = ShutdownTree
	case 78:
		c.Verb = HurryUp
	case 79:
		c.Cause.Reason = " "
	case 80:
		c.Verb = Leave
	case 81:
		c.Signal = "SIGNONSENSE"
	}
	if c.Verb == Add || c.Verb == Update || c.Verb == Replace {
		c.Spec, c.Origin = w.spec(c.Child), child.Origin{Generation: uint64(w.byte() % 4)}
	}
	return c
}

func (w *fuzzWorld) spec(id child.ID) *child.Spec {
	b := w.byte()
	s := testSpec()
	if fuzzFolders[id] && b%8 > 0 {
		w.folder(s)
		return s
	}
	s.Tags = [][]string{nil, {"mail"}, {"web"}, {"mail", "web"}}[b/64]
	if b%16 == 9 {
		s.Criticality = child.Critical
	}
	if b%16 == 11 {
		s.SidecarOf = fuzzIDs[int(b/16)%len(fuzzIDs)]
	}
	s.RestartPolicy = []child.RestartPolicy{child.Permanent, child.Permanent, child.Transient, child.Temporary}[b%4]
	s.Suspend = b%16 == 5
	if b%32 == 7 {
		s.Kind = child.Supervisor
	}
	switch b := w.byte(); b % 5 {
	case 0:
		s.RestartLimit = &child.RestartLimit{MaxRestarts: int(b % 3), Window: child.Seconds(time.Duration(b) * time.Second)}
	case 1:
		on := fuzzIDs[int(b)%len(fuzzIDs)]
		conditions := []child.Condition{child.WhenReady, child.WhenStarted, child.WhenCompleted}
		s.Dependencies = []child.Dependency{{ID: on, Condition: conditions[int(b/8)%3], Restart: b%3 == 0}, {ID: "nowhere", Condition: child.WhenReady}}[:1+b/128]
	case 2:
		s.Backoff = child.Backoff{}
	case 3:
		s.Shutdown = child.Shutdown{}
	}
	w.probes(s)
	b = w.byte()
	if b%5 == 0 {
		overlaps := []child.Overlap{child.OverlapSkip, child.OverlapQueue, child.OverlapReplace}
		s.Schedule = &child.Schedule{Cron: "each second", Overlap: overlaps[b%3], Missed: []child.Missed{child.MissedSkip, child.MissedRunOnce}[b%2]}
	}
	if b%4 == 0 {
		s.Deadline = child.Seconds(time.Duration(b) * 20 * time.Millisecond)
	}
	if b%3 == 0 {
		list := func(n byte) [][]string { return [][]string{{"one"}, {"two"}}[:n%3%2+n%2] }
		s.Hooks = &child.Hooks{
			PreStart: list(b / 3), PostStart: list(b / 6), PreStop: list(b / 12), PostStop: list(b / 24),
			Timeout: child.Seconds(time.Duration(b) * 10 * time.Millisecond),
		}
	}
	return s
}

func (w *fuzzWorld) folder(s *child.Spec) {
	b := w.byte()
	s.Kind = child.Supervisor
	s.Strategy = []child.Strategy{child.OneForOne, child.OneForAll, child.RestForOne, child.OneForAll}[b%4]
	if b/4%4 == 0 {
		s.RestartLimit = &child.RestartLimit{MaxRestarts: int(b / 64), Window: child.Seconds(time.Duration(b) * time.Second)}
	}
	if b/16%4 == 0 {
		s.FailureGroups = []child.FailureGroup{{Tag: "mail", RestartLimit: child.RestartLimit{MaxRestarts: int(b % 3), Window: child.Seconds(time.Minute)}}}
	}
	if b%32 == 3 {
		s.Backoff = child.Backoff{}
	}
}

// goDown shuts down whatever is there; answers stay out, and it ends all the same.
func (w *fuzzWorld) goDown() {
	w.step(Command{ID: w.id(), Verb: ShutdownTree, Cause: child.Cause{RequestedBy: "fuzz", Reason: "end"}})
	for i := 0; !w.tree.Done(); i++ {
		next, ok := w.tree.Next()
		if !ok || i > 500 { // four children in a row, each with a few stages, and hooks whose turn does not come
			w.t.Fatalf("the shutdown does not end (Next: %v, after %d ticks): %s", ok, i, w.describe())
		}
		w.now = max(w.now, next)
		w.step(Ticked{})
	}
}

func (w *fuzzWorld) describe() (text string) {
	for _, id := range w.tree.IDs() {
		s, _ := w.tree.Snapshot(id)
		text += fmt.Sprintf("%s %s %s; ", id, s.Phase, s.StopState)
	}
	return text
}
