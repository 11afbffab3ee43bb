package reconcile

import (
	"context"

	"github.com/reconciler-dev/reconciler/pkg/desired"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// tellSeen lets the children start that the runtime knows of an earlier run, as soon
// as they are what is declared now: those of which the source can say so, and for
// which nothing is left to do. It reports false when no command is taken any more.
func (l *Loop) tellSeen(ctx context.Context, want *desired.Set, have []*child.Snapshot, r *Report) bool {
	if l.unseen == nil {
		l.unseen = make(map[child.ID]bool, len(have))
		for _, s := range have {
			l.unseen[s.ID] = true
		}
	}
	if len(l.unseen) == 0 {
		return true
	}
	doubtful := want.Unseen()
	if doubtful == nil {
		doubtful = map[child.ID]bool{}
	}
	for _, a := range r.Actions {
		if a.Error != "" || a.Waits || a.Deferred {
			doubtful[a.Action.ID] = true
		}
	}
	var ids []child.ID
	for _, s := range have {
		if l.unseen[s.ID] && !doubtful[s.ID] {
			ids = append(ids, s.ID)
		}
	}
	if len(ids) == 0 {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	if err := l.o.Supervisor.Seen(ctx, ids); err != nil {
		return !isEnd(err) // else a later pass tells it again
	}
	for _, id := range ids {
		delete(l.unseen, id)
	}
	return true
}
