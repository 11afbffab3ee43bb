package reconcile

import (
	"slices"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// confirmation is who said that the removal of one child is meant.
type confirmation struct {
	by   child.Cause
	done bool // the removal was commanded
}

// Confirm says that cause's actor means the removals of ids, which are held back now.
// They are carried out in his name, by whichever pass comes to them first, until a
// manifest declares the child again. The returned function ends the wait for them and
// says which were commanded, sorted; it must be called.
func (l *Loop) Confirm(ids []child.ID, cause child.Cause) (commanded func() []child.ID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make(map[child.ID]*confirmation, len(ids))
	for _, id := range ids {
		all[id] = &confirmation{by: cause}
		l.confirmed[id] = all[id]
	}
	return func() (done []child.ID) {
		l.mu.Lock()
		defer l.mu.Unlock()
		for id, c := range all {
			if c.done {
				done = append(done, id)
			}
			if l.confirmed[id] == c {
				delete(l.confirmed, id)
			}
		}
		slices.Sort(done)
		return done
	}
}

// causeOf is who wants an action, and why.
func (l *Loop) causeOf(a Action) child.Cause {
	cause := child.Cause{RequestedBy: RequestedBy, Reason: a.Reason}
	if a.Verb != Remove {
		return cause
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if c := l.confirmed[a.ID]; c != nil {
		return child.Cause{RequestedBy: c.by.RequestedBy, Reason: a.Reason + "; its removal was confirmed: " + c.by.Reason}
	}
	return cause
}

func (l *Loop) carriedOut(a Action) {
	if a.Verb != Remove {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if c := l.confirmed[a.ID]; c != nil {
		c.done = true
	}
}
