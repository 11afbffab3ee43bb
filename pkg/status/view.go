package status

import (
	"sync"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/desired"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// view is what other goroutines may know of Run's work: since when things are as
// they are.
type view struct {
	mu        sync.Mutex
	valid     map[child.ID]Validity
	conds     []child.ConditionState // of the runtime
	unwritten error
}

func (v *view) note(id child.ID, valid Validity) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.valid == nil {
		v.valid = map[child.ID]Validity{}
	}
	v.valid[id] = valid
}

func (v *view) forget(id child.ID) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.valid, id)
}

func (v *view) of(id child.ID) Validity {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.valid[id]
}

func (v *view) noteRuntime(conds []child.ConditionState, unwritten error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.conds, v.unwritten = conds, unwritten
}

func (v *view) runtime() ([]child.ConditionState, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.conds, v.unwritten
}

// Child is what the file of a child would hold if it were written now. It may be
// called from any goroutine, before and during Run.
func (w *Writer) Child(s *child.Snapshot) Child {
	return NewChild(s, declare(w.o.Desired(), s, w.view.of(s.ID), time.Now()))
}

// Runtime is what reconciler.json would hold if it were written now. It may be
// called from any goroutine, before and during Run.
func (w *Writer) Runtime() Runtime {
	now := time.Now()
	since, unwritten := w.view.runtime()
	r := newRuntime(w.o.Info(), w.o.Desired(), w.o.Children.Children(), unwritten)
	r.Conditions = settleTimes(r.Conditions, since, now)
	r.ObservedAt, r.ValidUntil = now.UTC(), now.Add(validFor).UTC()
	return r
}

// declare judges the manifest of a child, of which last is known. Before the first
// whole look at the manifests that holds.
func declare(set *desired.Set, s *child.Snapshot, last Validity, now time.Time) Declaration {
	if set == nil || !set.Complete {
		if last.Status == "" {
			return Declaration{Valid: Validity{Status: isUnknown, Reason: "NotRead", Message: "the manifests are not read yet", Since: now}}
		}
		return Declaration{Valid: last}
	}
	d := Declaration{}
	if e, ok := set.Get(s.ID); ok {
		d.Entry = &e
	}
	d.Valid = validity(d.Entry)
	if s.Origin.ByRequest && (d.Entry == nil || len(d.Entry.Problems) == 0) {
		d.Valid = Validity{Status: isTrue, Reason: "DeclaredByRequest", Message: "it was put through the control socket; no file declares it"}
	}
	d.Valid.Since = now
	if d.Valid.Status == last.Status {
		d.Valid.Since = last.Since
	}
	return d
}
