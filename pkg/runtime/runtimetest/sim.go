package runtimetest

import (
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"strings"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

// Options choose one schedule.
type Options struct {
	// Seed is the schedule: everything random comes from it.
	Seed uint64

	// Break switches rules of the models off; see the constants.
	Break Break
}

// Count is what a schedule went through, so that tests can see that a simulation
// went where it should.
type Count struct {
	Steps      int // of the scheduler
	Starts     int // processes made
	Hooks      int // of them, beside a main process
	Exits      int // seen by a shim
	Lost       int // ended while nobody could see
	Removals   int
	Kills      int // trees killed at the end of their grace
	Busy       int // starts refused because something still lived
	Leftovers  int // exits reported while something of the tree lived
	Shutdowns  int
	BrainKills int
	ShimKills  int
	Cuts       int // of the connection
	Adoptions  int // processes found by a later shim
	Probes     int // results that the tree was told of
	Unwell     int // attempts ended because a probe failed or was late

	GroupRestarts      int // restarts of several children together, carried through
	SupervisorFailures int
	GroupQuarantines   int // of failure groups
	SelfShutdowns      int // the top supervisor failed
	Together           int // starts after which nobody of the folder may be older

	Edits   int // of what is declared while no brain lives
	Looks   int // children of which a brain was told that they are as declared
	TooLate int // children that started though nobody had looked
	Hanging int // starts under way when a new brain was told what lives
}

// Add sums two counts.
func (c Count) Add(d Count) Count {
	return Count{
		c.Steps + d.Steps, c.Starts + d.Starts, c.Hooks + d.Hooks, c.Exits + d.Exits, c.Lost + d.Lost, c.Removals + d.Removals,
		c.Kills + d.Kills, c.Busy + d.Busy, c.Leftovers + d.Leftovers, c.Shutdowns + d.Shutdowns,
		c.BrainKills + d.BrainKills, c.ShimKills + d.ShimKills, c.Cuts + d.Cuts, c.Adoptions + d.Adoptions, c.Probes + d.Probes, c.Unwell + d.Unwell,
		c.GroupRestarts + d.GroupRestarts, c.SupervisorFailures + d.SupervisorFailures, c.GroupQuarantines + d.GroupQuarantines,
		c.SelfShutdowns + d.SelfShutdowns, c.Together + d.Together, c.Edits + d.Edits, c.Looks + d.Looks, c.TooLate + d.TooLate, c.Hanging + d.Hanging,
	}
}

// Failure is a broken guarantee: what, and the schedule that leads there.
type Failure struct {
	Seed  uint64
	Step  int
	What  string
	Trace []string // all of it, oldest first
}

// traceTail is how many lines of the trace a message shows.
const traceTail = 60

// Error shows the seed and the end of the trace.
func (f *Failure) Error() string {
	tail := f.Trace[max(0, len(f.Trace)-traceTail):]
	return fmt.Sprintf("seed %d, step %d: %s\n%s", f.Seed, f.Step, f.What, strings.Join(tail, "\n"))
}

// Run plays one schedule and returns what it went through. The error is a
// *Failure; a failed schedule is played twice, the second time with its trace.
func Run(o Options) (Count, error) {
	s := newSim(o)
	what := s.play()
	if what == "" {
		return s.count, nil
	}
	again := newSim(o)
	again.tracing = true
	if got := again.play(); got != what {
		what += "\n(played again, it ended otherwise: " + got + ")"
	}
	return s.count, &Failure{Seed: o.Seed, Step: again.count.Steps, What: what, Trace: again.trace}
}

// sim is one schedule being played.
type sim struct {
	opt      Options
	rng      *rand.Rand
	now      time.Duration
	changed  time.Duration // when a tree last left anything to do but probes
	skew     time.Duration // of the wall clock
	fault    faults
	habits   habits
	calm     bool          // new processes behave
	hooked   int           // percent of specs with hooks
	weak     bool          // this host has no cgroups
	thorough bool          // look at what is slow to look at
	exitInfo bool          // this kernel tells the exit status of a process that another started
	lag      time.Duration // up to this they take to become ready and to stop; 0: as their habits say

	kernel   *kernel
	table    table
	shim     *shim // nil: dead
	store    map[child.ID]machine.Record
	brain    *brain // nil: dead
	links    int
	operator *operator
	truth    *truth

	count   Count
	tracing bool
	trace   []string
}

func newSim(o Options) *sim {
	s := &sim{
		opt: o, rng: rand.New(rand.NewPCG(o.Seed, 0x5eed)),
		store: map[child.ID]machine.Record{},
		table: table{last: map[place]child.Key{}},
	}
	s.fault, s.habits = drawFaults(s.rng), drawHabits(s.rng)
	s.hooked = percent(s.rng, 80)
	s.weak, s.exitInfo, s.thorough = s.chance(10), s.chance(50), s.chance(15)
	s.kernel = &kernel{s: s}
	s.truth = newTruth(s)
	return s
}

// epoch is the wall time at which every schedule begins.
var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func (s *sim) wall() time.Time { return epoch.Add(s.now + s.skew) }

// broke is how a failed check leaves the schedule.
type broke struct{ what string }

func (s *sim) failf(format string, args ...any) { panic(broke{fmt.Sprintf(format, args...)}) }

func (s *sim) logf(format string, args ...any) {
	if s.tracing {
		s.trace = append(s.trace, fmt.Sprintf("%6d %10v ", s.count.Steps, s.now)+fmt.Sprintf(format, args...))
	}
}

// play is the whole schedule: chaos, then calm until all is at rest, then the
// shutdown. It returns what broke, empty if nothing did.
func (s *sim) play() (what string) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case broke:
			what = p.what
		default:
			what = fmt.Sprintf("panic: %v\n%s", p, firstLines(debug.Stack(), 30))
		}
	}()
	s.operator = newOperator(s)
	s.chaos(200 + s.rng.IntN(800))
	if s.chance(75) { // else the shutdown comes in the middle of it all
		s.logf("the faults end")
		s.calm = true
		s.settle()
		s.checkRest()
	}
	s.shutdown()
	return ""
}

func firstLines(b []byte, n int) string {
	lines := strings.SplitN(string(b), "\n", n+1)
	return strings.Join(lines[:min(n, len(lines))], "\n")
}

// chaos lets the scheduler choose freely.
func (s *sim) chaos(steps int) {
	for range steps {
		s.count.Steps++
		total := 0
		var weights [len(moves)]int
		for i, m := range moves {
			weights[i] = m.weight(s)
			total += weights[i]
		}
		pick := s.rng.IntN(total)
		for i, w := range weights {
			if pick -= w; pick < 0 {
				moves[i].do(s)
				break
			}
		}
		s.endBrain()
	}
}

// endBrain lets a brain whose tree is down leave.
func (s *sim) endBrain() {
	if b := s.brain; b != nil && b.tree.Done() && len(b.todo) == 0 {
		s.logf("the brain leaves: the tree is down")
		s.killBrain()
	}
}

// atMost bounds the steps in which a schedule without faults must come to rest.
const atMost = 50_000

// quiet is how long nothing but probes may happen before that is rest: longer
// than anything that a schedule waits for.
const quiet = 15 * time.Second

// settle is a fair scheduler without faults, until nothing is left to do.
func (s *sim) settle() {
	s.changed = s.now
	for range atMost {
		if !s.workOnce() && (s.now-s.changed > quiet || !s.advance()) {
			return
		}
		s.endBrain()
	}
	s.failf("it does not come to rest")
}

// workOnce makes each move that is work once, if it can be made.
func (s *sim) workOnce() bool {
	worked := false
	for _, m := range moves[:works] {
		if m.weight(s) > 0 {
			s.count.Steps++
			m.do(s)
			worked = true
		}
	}
	return worked
}

// shutdown ends the tree, and checks the report and what is left.
func (s *sim) shutdown() {
	if s.brain == nil {
		s.startBrain()
	}
	b, asked := s.brain, false
	for range atMost {
		if !asked && b.told > 0 || !asked && s.chance(1) {
			asked = true
			s.operator.shutdown()
		}
		if s.brain.tree.Done() && len(s.brain.todo) == 0 {
			s.checkShutdown()
			return
		}
		if !s.workOnce() && !s.advance() && asked {
			s.failf("the shutdown does not end, and nothing is left to wait for")
		}
	}
	s.failf("the shutdown does not end")
}

// advance moves the time to the next moment at which something is due; false
// when there is none.
func (s *sim) advance() bool {
	at := s.nextTimer()
	if at == never {
		return false
	}
	s.now = max(s.now, at)
	return true
}

func (s *sim) nextTimer() time.Duration {
	at := min(s.kernel.next(), s.operator.nextTimer())
	if s.shim != nil {
		at = min(at, s.shim.nextTimer())
	}
	if s.brain != nil {
		if next, ok := s.brain.tree.Next(); ok {
			at = min(at, s.brain.begun+time.Duration(next))
		}
		for _, l := range s.brain.looks {
			at = min(at, l.at)
		}
	}
	return at
}
