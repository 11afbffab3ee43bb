package reconcile

import (
	"slices"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/reconciler-dev/reconciler/pkg/desired"
	"github.com/reconciler-dev/reconciler/pkg/runtime"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

func TestChildrenOfAnEarlierRunAreLetGoOnceTheSourceCanSayWhatTheyAre(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		same := entryOf("same", specOf(t, `{}`))
		held := entryOf("held", specOf(t, `{}`))
		src, rt := newFakeSource(), newFakeRuntime(same, held, entryOf("refused", specOf(t, `{}`)))
		rt.refuse["refused"] = &runtime.CommandError{Code: machine.ErrInvalid, Message: "no such user"}
		changed := entryOf("refused", specOf(t, `{"tags":["changed"]}`))
		src.put(same, held, changed)
		src.set.Stalls = []desired.Stall{{Reason: desired.StallTooManyRemovals, Held: []child.ID{"held"}}}
		inLoop(t, src, rt, func(t *testing.T, _ *Loop) {
			close(rt.adopted)
			wantSeen(t, rt, "same")

			rt.mu.Lock()
			rt.refuse = nil
			rt.mu.Unlock()
			src.put(same, held, changed)
			signal(src.changes)
			wantSeen(t, rt, "held", "same")
		})
	})
}

func wantSeen(t *testing.T, rt *fakeRuntime, want ...child.ID) {
	t.Helper()
	synctest.Wait()
	rt.mu.Lock()
	defer rt.mu.Unlock()
	if diff := cmp.Diff(want, slices.Sorted(slices.Values(rt.seen))); diff != "" {
		t.Errorf("children that were let go (-want +got):\n%s", diff)
	}
}
