package runtime

import (
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

// newestOnly keeps the last record of each child, so that waiting records are
// bounded by the number of children.
func newestOnly(recs []machine.Record) []machine.Record {
	last := make(map[child.ID]int, len(recs))
	for i, rec := range recs {
		last[rec.ID] = i
	}
	kept := make([]machine.Record, 0, len(last))
	for i, rec := range recs {
		if last[rec.ID] == i {
			kept = append(kept, rec)
		}
	}
	return kept
}

// place is a child's main process, or a hook beside it.
type place struct {
	id   child.ID
	role child.Role
}

// acknowledge lets the shim forget an end that is recorded. While nothing can be
// recorded the shim keeps the first end of each child, which is that of the attempt
// the last record knows: should we die now, the next run hears how it ended.
func (r *Runtime) acknowledge(key child.Key) {
	if len(r.unwritten) > 0 {
		at := place{key.ID, key.Role}
		if first, ok := r.owed[at]; !ok || first == key { // after a reconnection it is told again
			r.owed[at] = key
			return
		}
	}
	r.cfg.Processes.Acknowledge(key)
}

func (r *Runtime) payOwed() {
	for _, key := range r.owed {
		r.cfg.Processes.Acknowledge(key)
	}
	clear(r.owed)
}
