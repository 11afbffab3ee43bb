package machine

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// TestTenThousandRestartsNeverStartBesideALiveAttempt: restarts come faster than
// processes start and end, in any order.
func TestTenThousandRestartsNeverStartBesideALiveAttempt(t *testing.T) {
	const restarts = 10_000
	w := newWorld(t, "connect")
	rng := rand.New(rand.NewPCG(1, 2))
	var asked, live, dying []child.Key
	step := func(line string) {
		for _, e := range w.do(line).Effects {
			switch e := e.(type) {
			case Start:
				if len(asked)+len(live)+len(dying) > 0 {
					t.Fatalf("start of %s beside %v, %v and %v", e.Key, asked, live, dying)
				}
				asked = append(asked, e.Key)
			case Signal:
				if len(live) != 1 || live[0] != e.Key {
					t.Fatalf("%s for %s; alive: %v", e.Signal, e.Key, live)
				}
				live, dying = nil, live
			}
		}
	}
	step("add a")
	decisions := map[string]int{}

	for done := 0; done < restarts; {
		switch {
		case rng.IntN(4) > 0:
			step("restart a")
			decisions[w.answer()]++
			done++
		case len(asked) > 0:
			asked, live = nil, asked
			step("started a")
		case len(dying) > 0:
			dying = nil
			step("exit a SIGTERM")
		}
	}

	if decisions["already_pending"] == 0 || decisions["queued_after_stop"] < 100 || len(decisions) != 2 {
		t.Errorf("the restarts were answered %v", decisions)
	}
}

func TestTenThousandAddsAndRemovesLeaveNothing(t *testing.T) {
	const n = 10_000
	w := newWorld(t, "connect")
	commands := 0

	for i := range n {
		id := fmt.Sprintf("c%d", i%7)
		for _, line := range []string{"add " + id, "started " + id, "remove " + id, "exit " + id + " 0"} {
			for _, f := range w.do(line).Facts {
				if f.Kind == CommandAccepted {
					commands++
				}
			}
		}
		w.records = nil
	}

	tree := w.tree
	if len(tree.children)+len(tree.alarms)+len(tree.dependants)+len(tree.strays)+len(tree.slots.queue)+tree.slots.used != 0 {
		t.Errorf("left: children %v, %d alarms, dependants %v, strays %v, queue %v, %d slots",
			tree.IDs(), len(tree.alarms), tree.dependants, tree.strays, tree.slots.queue, tree.slots.used)
	}
	if tree.incarnation != n || commands != 2*n {
		t.Errorf("%d incarnations and %d commands told, want %d and %d", tree.incarnation, commands, n, 2*n)
	}
}

func TestAShutdownOfManyStubbornChildrenTakesOneGrace(t *testing.T) {
	w := newWorld(t, "slots 100", "connect")
	const n = 50
	for i := range n {
		w.do(fmt.Sprintf("add c%d", i), fmt.Sprintf("started c%d", i))
	}
	w.do("shutdown", "advance 4999ms")
	if w.tree.shutdown.left != n {
		t.Fatalf("%d children are left before their grace is over, want all %d", w.tree.shutdown.left, n)
	}

	w.do("advance 1ms")
	for i := range n {
		w.do(fmt.Sprintf("exit c%d SIGKILL", i))
	}

	report := w.tree.shutdown.report
	if report == nil || report.CompletedAt.Sub(report.StartedAt) != 5*time.Second || len(report.Outcomes) != n {
		t.Errorf("report %+v; want all %d after one grace of 5 s", report, n)
	}
}
