package reconcile

import (
	"testing"
	"testing/synctest"
)

func TestAPassLeavesAChildThatIsHeldToItsHolder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, rt := newFakeSource(), newFakeRuntime(entryOf("a", specOf(t, `{}`)))
		close(rt.adopted)
		src.put(entryOf("a", specOf(t, `{}`)))
		inLoop(t, src, rt, func(t *testing.T, l *Loop) {
			release := l.Hold("a")
			src.put(entryOf("a", specOf(t, `{"Tags": ["new"]}`)), entryOf("b", specOf(t, `{}`)))
			wantCommands(t, rt, "0s add b by manifest: manifest b.yaml was added")

			release()

			wantCommands(t, rt, "0s update a by manifest: manifest a.yaml changed: tags")
		})
	})
}
