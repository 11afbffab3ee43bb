package runtimetest

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// faults are the weights of what goes wrong, against the weights of the moves
// that are work. Each schedule draws its own, and leaves some out: schedules
// that differ in kind find more than many of one kind (swarm testing).
type faults struct {
	crashBrain, crashShim, crashBoth, cut int
	repeat                                int // percent of connections on which the shim says everything twice
	jump                                  int // of the wall clock
	spurious                              int // a tick that nobody asked for
	shutdown                              int
}

// habits are percentages: how likely a process behaves in each way.
type habits struct {
	instant, short, forever                   int // how long it lives; else some seconds
	fails, crashes                            int // how it ends by itself
	ignores, uninterruptible                  int
	forks, escapes, unstartable, unidentified int
	slow, sick, slowProbes                    int // to become ready, and after that; answers
	unresolvable                              int // starts that fail before the shim is asked
}

func percent(rng *rand.Rand, most int) int {
	if rng.IntN(3) == 0 {
		return 0
	}
	return rng.IntN(most + 1)
}

func drawFaults(rng *rand.Rand) faults {
	return faults{
		crashBrain: percent(rng, 12), crashShim: percent(rng, 8), crashBoth: percent(rng, 3), cut: percent(rng, 6),
		repeat: percent(rng, 50), jump: percent(rng, 2), spurious: percent(rng, 5), shutdown: percent(rng, 2),
	}
}

func drawHabits(rng *rand.Rand) habits {
	return habits{
		instant: percent(rng, 40), short: percent(rng, 50), forever: percent(rng, 80),
		fails: percent(rng, 100), crashes: percent(rng, 40),
		ignores: percent(rng, 40), uninterruptible: percent(rng, 40),
		forks: percent(rng, 60), escapes: 50, unstartable: percent(rng, 20), unidentified: 30, unresolvable: percent(rng, 10),
		slow: percent(rng, 60), sick: percent(rng, 40), slowProbes: percent(rng, 20),
	}
}

func (s *sim) chance(pct int) bool { return s.rng.IntN(100) < pct }

// upTo is a random time in [0, most].
func (s *sim) upTo(most time.Duration) time.Duration {
	return time.Duration(s.rng.Int64N(int64(most) + 1))
}

// habit is the behaviour of the next process of a child. In the calm at the end
// of a schedule every new process is well-behaved.
func (s *sim) habit(key child.Key) habit {
	h := habit{life: never, stops: ending{signal: "SIGTERM"}, forkLife: never, readyAfter: s.upTo(50 * time.Millisecond), sickAfter: never}
	if s.lag > 0 {
		h.readyAfter, h.onStop = s.upTo(s.lag), s.upTo(s.lag)
	}
	if s.calm {
		if key.Role != child.Main {
			h.life = s.upTo(50 * time.Millisecond)
		}
		return h
	}
	p := s.habits
	switch {
	case s.chance(p.instant):
		h.life = 0
	case s.chance(p.short):
		h.life = s.upTo(50 * time.Millisecond)
	case !s.chance(p.forever):
		h.life = s.upTo(5 * time.Second)
	}
	switch {
	case s.chance(p.crashes):
		h.ends = ending{signal: "SIGSEGV"}
	case s.chance(p.fails):
		h.ends = ending{code: 1 + s.rng.IntN(3)}
	}
	if s.chance(p.slow) {
		h.readyAfter = s.upTo(10 * time.Second)
	}
	if s.chance(p.sick) {
		h.sickAfter = s.upTo(5 * time.Second)
	}
	h.onStop = s.upTo(200 * time.Millisecond)
	switch {
	case s.chance(p.ignores):
		h.onStop = never
	case s.chance(40):
		h.stops = ending{code: s.rng.IntN(3)}
	}
	if s.chance(p.uninterruptible) {
		h.onKill = s.upTo(10 * time.Second)
	}
	h.unstartable, h.unidentified = s.chance(p.unstartable), s.chance(p.unidentified)
	if h.fork = s.chance(p.forks); h.fork {
		s.forks(&h)
	}
	return h
}

func (s *sim) forks(h *habit) {
	h.forkEscapes = s.chance(s.habits.escapes)
	if s.chance(50) {
		h.forkLife = s.upTo(5 * time.Second)
	}
	if s.chance(s.habits.ignores) {
		h.forkOnStop = never
	}
	if s.chance(s.habits.uninterruptible) {
		h.forkOnKill = s.upTo(10 * time.Second)
	}
}

var policies = []child.RestartPolicy{child.Permanent, child.Permanent, child.Permanent, child.Transient, child.Temporary}

var conditions = []child.Condition{child.WhenStarted, child.WhenReady, child.WhenCompleted}

// randomSpec may depend on the children before it only: there is no cycle.
func (s *sim) randomSpec(id child.ID, before []child.ID) *child.Spec {
	if isFolder(id) {
		return s.randomFolder()
	}
	spec := &child.Spec{
		Kind:             child.AsyncWorker,
		RestartPolicy:    policies[s.rng.IntN(len(policies))],
		SuccessExitCodes: []int{0},
		Suspend:          s.chance(5),
		Shutdown: child.Shutdown{
			Signal:          "SIGTERM",
			GracefulTimeout: child.Seconds(s.upTo(500 * time.Millisecond)),
			AbortWait:       child.Seconds(s.upTo(500 * time.Millisecond)),
		},
		Backoff: child.Backoff{
			InitialDelay: child.Millis(s.upTo(50 * time.Millisecond)),
			MaxDelay:     child.Millis(50*time.Millisecond + s.upTo(2*time.Second)),
			JitterRatio:  s.rng.Float64(),
			ResetAfter:   child.Seconds(s.upTo(3 * time.Second)),
		},
	}
	if s.chance(4) {
		spec.Kind = child.Supervisor
		return spec
	}
	s.randomProbes(spec)
	if s.chance(10) {
		spec.SuccessExitCodes = []int{0, 2}
	}
	if s.chance(25) {
		spec.RestartLimit = &child.RestartLimit{MaxRestarts: 1 + s.rng.IntN(4), Window: child.Seconds(time.Second + s.upTo(5*time.Second))}
	}
	if s.chance(s.hooked) {
		spec.Hooks = s.randomHooks()
	}
	for _, on := range before {
		if s.chance(25) && !slices.Contains(above(id), on) && on != child.RootSupervisor {
			spec.Dependencies = append(spec.Dependencies, child.Dependency{ID: on, Condition: conditions[s.rng.IntN(3)], Restart: s.chance(30)})
		}
	}
	s.randomTies(spec, before)
	return spec
}
