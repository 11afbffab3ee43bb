package reconcile

import (
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

func TestAConfirmedRemovalSaysWhoConfirmedIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, rt := newFakeSource(), newFakeRuntime(entryOf("a", specOf(t, `{}`)), entryOf("b", specOf(t, `{}`)), entryOf("c", specOf(t, `{}`)))
		close(rt.adopted)
		src.put(entryOf("a", specOf(t, `{}`)), entryOf("b", specOf(t, `{}`)), entryOf("c", specOf(t, `{}`)))
		inLoop(t, src, rt, func(t *testing.T, l *Loop) {
			commanded := l.Confirm([]child.ID{"a", "b"}, child.Cause{RequestedBy: "root(0)", Reason: "meant"})
			src.put(entryOf("b", specOf(t, `{}`)))
			wantCommands(t, rt,
				"0s remove a by root(0): manifest a.yaml is gone; its removal was confirmed: meant",
				"0s remove c by manifest: manifest c.yaml is gone")

			if diff := cmp.Diff([]child.ID{"a"}, commanded()); diff != "" {
				t.Errorf("commanded (-want +got):\n%s", diff)
			}

			src.put()
			wantCommands(t, rt, "0s remove b by manifest: manifest b.yaml is gone")
		})
	})
}
