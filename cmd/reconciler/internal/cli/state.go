package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/reconciler-dev/reconciler/pkg/desired"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/journal"
)

// wanted is what a directory of manifests declares, as the running reconciler
// would see it that has these children.
func wanted(dir string, f SourceFlags, have []*child.Snapshot) (*desired.Set, error) {
	return look(desired.Options{Root: dir, MaxRemovals: f.MaxRemovals, AllowEmpty: f.AllowEmpty, Owners: f.Owners}, have)
}

// look looks at a directory as a reconciler does that has these children.
func look(o desired.Options, have []*child.Snapshot) (*desired.Set, error) {
	running := map[child.ID]bool{}
	var requests []desired.Request // they stay as they are, and others may name them
	for _, s := range have {
		running[s.ID] = s.Phase.HasProcess()
		if s.Origin.ByRequest && s.Operation != child.Removed {
			requests = append(requests, desired.Request{ID: s.ID})
		}
	}
	o.Requests = func() []desired.Request { return requests }
	o.Last = asDesired(have)
	o.Running = func(id child.ID) bool { return running[id] }
	return desired.Look(o)
}

// asRunning are the children as they are when all that set declares runs.
func asRunning(set *desired.Set) []*child.Snapshot {
	var have []*child.Snapshot
	for _, e := range set.Entries {
		have = append(have, &child.Snapshot{
			ID: e.ID, Spec: e.Spec, Origin: e.Origin, Observed: e.Origin.Generation,
			Phase: child.Running, Operation: child.Active,
		})
	}
	return have
}

// currentState is what the state directory holds, sorted by id: the children as
// the runtime recorded them last. There are none where there is no directory.
func (a *app) currentState() ([]*child.Snapshot, error) {
	records, err := journal.ReadRecords(filepath.Join(a.State, "records"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("what runs cannot be known: %w", err)
	}
	var have []*child.Snapshot
	for _, r := range records {
		if r.Gone || r.Spec == nil {
			continue
		}
		have = append(have, &child.Snapshot{
			ID: r.ID, Incarnation: r.Incarnation, Spec: r.Spec, Origin: r.Origin, Observed: r.Observed,
			Phase: r.Phase, Operation: r.Operation, Hold: r.Hold, Generation: r.Generation, Attempt: r.Attempt,
		})
	}
	slices.SortFunc(have, func(x, y *child.Snapshot) int { return strings.Compare(string(x.ID), string(y.ID)) })
	return have, nil
}

// asDesired is the desired state that led to have: what a look falls back on for
// a file that is broken now.
func asDesired(have []*child.Snapshot) *desired.Set {
	set := &desired.Set{Complete: true}
	for _, s := range have {
		if s.Operation != child.Removed {
			set.Entries = append(set.Entries, desired.Entry{ID: s.ID, Spec: s.Spec, Origin: s.Origin})
		}
	}
	return set
}

// countChildren is how many children a desired state declares, without folders.
func countChildren(set *desired.Set) (n int) {
	for _, e := range set.Entries {
		if e.Spec.Kind != child.Supervisor {
			n++
		}
	}
	return n
}
