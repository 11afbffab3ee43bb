package runtimetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// TestAChainOfTenComesUpAndGoesDownInOrder: each child begins only when the one
// that it depends on is ready, and in the shutdown is told to stop only when the
// one that depends on it is gone, however long each of them takes, and though the
// reconciler is killed on the way up.
func TestAChainOfTenComesUpAndGoesDownInOrder(t *testing.T) {
	for seed := range uint64(100) {
		s := chain(seed, 10)

		what := func() (what string) {
			defer func() {
				if p, ok := recover().(broke); ok {
					what = p.what
				}
			}()
			if kill := s.rng.IntN(400); seed%2 == 1 {
				for range kill {
					_ = s.workOnce() || s.advance()
				}
				if s.brain != nil {
					s.crashBrain()
				}
			}
			s.settle()
			s.checkRest()
			s.cameUpInOrder()
			s.shutdown()
			s.wentDownInOrder()
			return ""
		}()

		if what != "" {
			t.Fatalf("seed %d, step %d: %s", seed, s.count.Steps, what)
		}
	}
}

// chain is a calm schedule with n children, each depending on the one before it.
func chain(seed uint64, n int) *sim {
	s := newSim(Options{Seed: seed})
	s.operator = newOperator(s)
	s.operator.ids, s.operator.desired = nil, map[child.ID]*wish{}
	s.calm, s.thorough, s.lag = true, true, 3*time.Second
	for i := range n {
		spec := &child.Spec{
			Kind: child.AsyncWorker, Command: []string{"run", "1"}, RestartPolicy: child.Permanent,
			Shutdown: child.Shutdown{Signal: "SIGTERM", GracefulTimeout: child.Seconds(time.Minute), AbortWait: child.Seconds(time.Second)},
			Readiness: &child.Readiness{
				CheckInterval: child.Seconds(200 * time.Millisecond), Timeout: child.Seconds(time.Second),
				SuccessThreshold: 1, FailureThreshold: 1, Probe: child.Probe{TCP: &child.TCPProbe{Port: 1}},
			},
		}
		if i > 0 {
			spec.Dependencies = []child.Dependency{{ID: nth(i - 1), Condition: child.WhenReady, Restart: i%2 == 0}}
		}
		id := nth(i)
		s.operator.ids = append(s.operator.ids, id)
		s.operator.desired[id] = &wish{spec, child.Origin{File: string(id) + ".yaml", Document: 1, Hash: "1", Generation: 1}}
	}
	return s
}

func nth(i int) child.ID { return child.ID(fmt.Sprintf("c%d", i)) }

// cameUpInOrder looks at the processes: each was made after the one before it
// answered its probe.
func (s *sim) cameUpInOrder() {
	for i := 1; i < len(s.operator.ids); i++ {
		on, p := s.first(i-1), s.first(i)
		if ready := on.made + on.habit.readyAfter; p.made < ready {
			s.failf("%s began at %v, %s was ready at %v", p.key, p.made, on.key, ready)
		}
	}
}

func (s *sim) first(i int) *process {
	p := s.kernel.mainOf(child.Key{ID: nth(i), Incarnation: s.brain.board[nth(i)].Incarnation})
	if p == nil {
		s.failf("%s does not run with its first attempt", nth(i))
	}
	return p
}

// wentDownInOrder compares when each was told to stop with when its dependant ended.
func (s *sim) wentDownInOrder() {
	for i := 1; i < len(s.operator.ids); i++ {
		on, f := s.truth.of(s.truth.newest[place{id: nth(i - 1)}]), s.truth.of(s.truth.newest[place{id: nth(i)}])
		if !f.over || on.termAt == never || on.termAt < f.overAt {
			s.failf("%s was told to stop at %v, %s ended at %v", on.key, on.termAt, f.key, f.overAt)
		}
	}
}
