package machine

import (
	"strings"
	"testing"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// logs tells what becomes of the output of a child.
func (w *world) logs(id string, l child.LogState) {
	w.step(LogChanged{Key: w.key(id), Log: l})
}

func logCondition(s *child.Snapshot) *child.ConditionState {
	return find(s.Conditions, child.ConditionLogWritable)
}

func TestAChildWhoseLogCannotBeWrittenSaysSoUntilItCan(t *testing.T) {
	w := newWorld(t, "connect", "add a", "started a")

	w.logs("a", child.LogState{Blocked: "no space left on device"})
	held := w.snapshot("a")
	w.logs("a", child.LogState{})

	c := logCondition(held)
	if c == nil || c.Status != "False" || c.Reason != "OutputBlocked" || !strings.Contains(c.Message, "no space left on device") {
		t.Errorf("the condition is %+v, want False, OutputBlocked and why", c)
	}
	if held.Phase != child.Running || !held.Log.HoldsUp() {
		t.Errorf("it is %s and held up: %v; want Running and true", held.Phase, held.Log.HoldsUp())
	}
	if c := logCondition(w.snapshot("a")); c != nil {
		t.Errorf("the condition is still %+v", c)
	}
}

func TestOutputThatIsDroppedHoldsNobodyUpAndIsCounted(t *testing.T) {
	w := newWorld(t, "connect", "add a", "started a")

	w.logs("a", child.LogState{Blocked: "no space left on device", Drops: true, Dropped: 4096})

	s := w.snapshot("a")
	if c := logCondition(s); c == nil || c.Reason != "OutputDropped" || !strings.Contains(c.Message, "4096 bytes") {
		t.Errorf("the condition is %+v, want OutputDropped and how much", c)
	}
	if s.Log.HoldsUp() {
		t.Error("it is held up")
	}
}

func TestTheLogOfAnAttemptIsForgottenWithIt(t *testing.T) {
	w := newWorld(t, "connect", "add a", "started a")
	old := w.key("a")
	w.logs("a", child.LogState{Blocked: "no space left on device"})

	w.do("exit a 1", "advance 1s", "started a")
	w.step(LogChanged{Key: old, Log: child.LogState{Blocked: "late news of the old one"}})

	if s := w.snapshot("a"); s.Log != (child.LogState{}) || logCondition(s) != nil {
		t.Errorf("the next attempt begins with %+v", s.Log)
	}
}
