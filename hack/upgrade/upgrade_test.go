package upgrade

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/status"
)

// atRest are the children that are not to run, and why.
var atRest = map[string]child.Phase{
	"suspended": child.Stopped, "completed": child.Completed, "failed": child.FailedPhase, "resting": child.BackingOff,
	"scheduled": child.Pending,
}

// begun waits until all children are where they stay.
func (s *site) begun() map[string]life {
	s.Helper()
	if r, err := s.runtime(); err != nil || len(r.Problems) > 0 {
		s.Fatalf("problems %+v, %v", r.Problems, err)
	}
	s.until("all children are where they stay", func() string {
		all := s.lives()
		for _, id := range s.ids {
			want, rests := atRest[id]
			if !rests {
				want = child.Running
			}
			if l := all[id]; l.Phase != want || l.Ready == rests {
				return fmt.Sprintf("%s: %+v, want %s", id, l, want)
			}
		}
		return ""
	})
	return s.lives()
}

// finish lets a child that waits for its file end, and waits until it is gone.
func (s *site) finish(name string, pid int, code string) {
	s.Helper()
	if err := write(filepath.Join(s.root, name), code); err != nil {
		s.Fatal(err)
	}
	s.until(fmt.Sprintf("%d is gone", pid), func() string {
		if _, err := os.Stat(fmt.Sprintf("/proc/%d/exe", pid)); err == nil {
			return "it lives"
		}
		return ""
	})
}

func (s *site) shimIsCurrent() bool {
	s.Helper()
	r, err := s.runtime()
	if err != nil {
		s.Fatal(err)
	}
	_, lacks := r.Condition(status.ConditionShimCurrent)
	return !lacks
}

// unsaid is what the first release does not say when it steps in for a later one: it
// looked for it in the recorded spec, where it does not stand any more.
var unsaid = cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".NotEnforced" }, cmp.Ignore())

// TestUpgradeAndOneStepBackRestartNobody takes fifty children through each pair of
// versions that can meet.
func TestUpgradeAndOneStepBackRestartNobody(t *testing.T) {
	released, now := programs(t)
	s := newSite(t)
	t.Cleanup(func() { s.tearDown(now) })
	s.start(released, "leave")
	want := s.begun()
	if len(s.ids) < 50 {
		t.Errorf("there are %d children only", len(s.ids))
	}
	one, two, shim := want[lateOnOldShim].PID, want[lateOnNewShim].PID, s.shim()

	s.kill()
	s.finish("late-one", one, "7")
	s.start(now, "leave")

	s.ended(lateOnOldShim, 7, want)
	s.same("this version on the shim of the last release", want)
	s.heard("to the shim of the last release")
	if got := s.shim(); got != shim || s.shimIsCurrent() {
		t.Errorf("the shim is %d, was %d; and that it is older is told: %v", got, shim, !s.shimIsCurrent())
	}

	s.killShim()

	s.same("the shim of this version on what the last release wrote", want)
	s.heard("to the shim of this version")
	if !s.shimIsCurrent() {
		t.Error("the shim of this version lacks something")
	}

	shim = s.shim()
	s.kill()
	s.finish("late-two", two, "8")
	s.start(released, "leave")

	s.ended(lateOnNewShim, 8, want)
	s.same("one step back: the last release on the shim of this version", want, unsaid)
	if got := s.shim(); got != shim {
		t.Errorf("the shim is %d, was %d", got, shim)
	}

	s.killShim()

	s.same("the shim of the last release on what this version wrote", want, unsaid)
	s.heard("back again")

	s.end()
	s.start(now, "stop")

	s.same("an orderly upgrade", want)
	s.heard("to the end")

	s.end()

	for id, l := range maps.All(want) {
		if l.PID == 0 {
			continue
		}
		if _, err := os.Stat(fmt.Sprintf("/proc/%d/exe", l.PID)); err == nil {
			t.Errorf("%s, pid %d, is left", id, l.PID)
		}
	}
	s.checkLines()
}
