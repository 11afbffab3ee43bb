package reconcile

import (
	"maps"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// Hold leaves one child to the caller, who changes what is desired of it and commands
// the runtime himself: a pass in between would see one of the two only, and undo the
// other. The returned function gives it back, once Current is as it should be.
func (l *Loop) Hold(id child.ID) (release func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held[id] = true
	return func() {
		l.mu.Lock()
		delete(l.held, id)
		l.mu.Unlock()
		signal(l.released)
	}
}

// heldNow is asked before a pass looks at anything: who is held then is left alone by
// all of it, because it may see the child as it was and the desired state as it is.
func (l *Loop) heldNow() map[child.ID]bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.held)
}

func (l *Loop) isHeld(id child.ID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.held[id]
}
