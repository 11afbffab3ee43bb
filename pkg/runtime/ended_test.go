package runtime

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

// played runs a runtime in w and returns what Run returned; script commands it.
func played(t *testing.T, w *world, exitOnCritical bool, script func(*Handle)) (*Handle, error) {
	t.Helper()
	r, err := New(Config{Processes: w, Records: w, StartSlots: 4, ExitOnCritical: exitOnCritical})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	w.events <- machine.Adopted{}
	<-r.Handle().Adopted()
	script(r.Handle())
	return r.Handle(), <-ended
}

func added(t *testing.T, h *Handle, id child.ID, change func(*child.Spec)) child.Key {
	t.Helper()
	s := spec()
	change(s)
	if _, err := h.Add(t.Context(), id, s, child.Origin{}, cause); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	snap, _ := h.Child(id)
	return child.Key{ID: id, Incarnation: snap.Incarnation}
}

func TestTheFailureOfTheTopSupervisorEndsTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, code := newWorld(), 3

		h, err := played(t, w, false, func(h *Handle) {
			added(t, h, child.RootSupervisor, func(s *child.Spec) {
				s.Kind, s.RestartLimit = child.Supervisor, &child.RestartLimit{Window: child.Seconds(time.Minute)}
			})
			mustAdd(t, h, "other")
			w.events <- machine.Exited{Key: added(t, h, "a", func(*child.Spec) {}), Code: &code}
		})

		var failed *FailedError
		if !errors.As(err, &failed) || failed.Error() != "supervisor root failed: 1st restart within 60 s; the last was a: exit code 3" {
			t.Errorf("Run returned %v", err)
		}
		rep, _ := h.Join(t.Context())
		if rep.State != StateFailed || rep.Phase != "restart_limit" || !rep.Recoverable || rep.Reason != failed.Error() || len(rep.Children) != 3 {
			t.Errorf("exit report %+v", rep)
		}
		if !slices.Contains(w.noted(), "signal other SIGTERM") {
			t.Errorf("trace %v: the others were not stopped", w.noted())
		}
	})
}

func TestTheEndOfACriticalChildEndsTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, code := newWorld(), 7

		h, err := played(t, w, true, func(h *Handle) {
			mustAdd(t, h, "other")
			w.events <- machine.Exited{Code: &code, Key: added(t, h, "main", func(s *child.Spec) {
				s.Criticality, s.RestartPolicy = child.Critical, child.Temporary
			})}
		})

		var ended *CriticalEndError
		if !errors.As(err, &ended) || ended.Child != "main" || ended.Exit == nil || *ended.Exit.Code != 7 || ended.Error() != "critical child main ended: exit code 7" {
			t.Fatalf("Run returned %v", err)
		}
		if rep, _ := h.Join(t.Context()); rep.State != StateCompleted || rep.Phase != "critical_child_ended" {
			t.Errorf("exit report %+v", rep)
		}
		if health := h.Health(); !health.Degraded || !slices.Equal(health.Unwell, []child.ID{"main"}) {
			t.Errorf("health %+v; want main to be unwell", health)
		}
	})
}

func TestHealthNamesTheCriticalChildrenThatCannotRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		h := launched(t, w)
		w.events <- machine.Adopted{}
		<-h.Adopted()
		for _, id := range []child.ID{"b", "a"} {
			added(t, h, id, func(s *child.Spec) { s.Criticality = child.Critical })
		}
		mustAdd(t, h, "optional")

		well := h.Health()
		for _, id := range []child.ID{"b", "a", "optional"} {
			if _, err := h.Quarantine(t.Context(), id, cause); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		unwell := h.Health()
		for _, id := range []child.ID{"a", "b"} {
			if _, err := h.Resume(t.Context(), id, cause); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()

		if well.Degraded || len(well.Unwell) > 0 || h.Health().Degraded {
			t.Errorf("before %+v, after %+v; want neither degraded", well, h.Health())
		}
		if !unwell.Degraded || !slices.Equal(unwell.Unwell, []child.ID{"a", "b"}) {
			t.Errorf("health %+v; want a and b to be unwell", unwell)
		}
	})
}
