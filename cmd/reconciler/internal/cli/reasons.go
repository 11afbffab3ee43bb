package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/desired"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/status"
)

// reason is why one child is as it is, and the other children that it is so
// because of.
type reason struct {
	ID      child.ID    `json:"child_id"`
	Phase   child.Phase `json:"phase"` // "": there is no such child
	Ready   bool        `json:"ready"`
	Why     []string    `json:"why"`
	LogTail []string    `json:"log_tail,omitempty"` // last lines of the attempt that failed
	Because []*reason   `json:"because,omitempty"`
}

// explainer finds reasons in status files that were read at one moment.
type explainer struct {
	byID    map[child.ID]*status.Child
	runtime *status.Runtime
	now     time.Time
	told    map[child.ID]bool // a child is explained once

	// silenced says that a child was explained whose words are withheld.
	silenced bool
}

func newExplainer(all []*status.Child, r *status.Runtime, now time.Time) *explainer {
	x := &explainer{byID: map[child.ID]*status.Child{}, runtime: r, now: now, told: map[child.ID]bool{}}
	for _, c := range all {
		x.byID[c.ID] = c
	}
	return x
}

// explain is the chain of reasons that begins with one child.
func (x *explainer) explain(id child.ID) *reason {
	c, known := x.byID[id]
	if !known {
		return &reason{ID: id, Why: x.whyMissing(id)}
	}
	r := &reason{ID: id, Phase: c.Phase, Ready: c.Ready(), Why: why(c, x.runtime.State, x.now)}
	if shim := x.runtime.Shim; len(x.told) == 0 && x.runtime.State == status.Alive && !shim.Connected && shim.Reason != "" {
		r.Why = append([]string{"this may be old: " + shim.Reason}, r.Why...)
	}
	if x.told[id] {
		r.Why = []string{"see above"}
		return r
	}
	x.told[id], x.silenced = true, x.silenced || isSilenced(c) && !r.Ready
	if e := c.LastExit; e != nil && e.Kind.IsFailure() && !c.Phase.HasProcess() {
		r.LogTail = e.LogTail
	}
	for _, other := range x.causes(c) {
		r.Because = append(r.Because, x.explain(other))
	}
	return r
}

// causes are the children that c waits for, and those of a folder that keep it from
// being ready or are in trouble themselves.
func (x *explainer) causes(c *status.Child) []child.ID {
	var ids []child.ID
	for _, wait := range c.WaitsFor {
		name, more, _ := strings.Cut(wait, " (")
		if strings.HasPrefix(name, "the group restart of ") {
			name, _, _ = strings.Cut(more, " ") // "payments/db ended: …"
		}
		if id, err := child.ParseID(name); err == nil {
			ids = append(ids, id)
		}
	}
	if c.Kind == child.Supervisor && !failedUpward(c) {
		for id, other := range x.byID {
			if folderOf(id) == c.ID && !other.Ready() && !(c.Ready() && isAtRest(other)) {
				ids = append(ids, id)
			}
		}
		slices.Sort(ids)
	}
	return ids
}

// isAtRest reports whether a child is not ready because that is wanted, or because it
// is done: nothing is wrong with a folder on its account.
func isAtRest(c *status.Child) bool {
	return c.Phase == child.Stopped || c.Phase == child.Completed
}

// whyMissing says what is known of a child that is not there: its manifest may be
// broken and never have been valid.
func (x *explainer) whyMissing(id child.ID) []string {
	reasons := []string{"no manifest declares it"}
	if broken := x.brokenManifests(id); len(broken) > 0 {
		reasons = []string{"its manifest is broken, and no earlier one was valid"}
		for _, p := range broken {
			reasons = append(reasons, p.String())
		}
	}
	return reasons
}

// brokenManifests are the problems that name a child, or a file that is called
// like it.
func (x *explainer) brokenManifests(id child.ID) []desired.Problem {
	var found []desired.Problem
	for _, p := range x.runtime.Problems {
		base, _, _ := strings.Cut(p.File, ".")
		if p.Child == id || p.Child == "" && base == string(id) {
			found = append(found, p)
		}
	}
	return found
}

// folderOf is the supervisor of a child.
func folderOf(id child.ID) child.ID {
	if folder := id.Folder(); folder != "" || id == child.RootSupervisor {
		return folder
	}
	return child.RootSupervisor
}

// state is one line: what it is, before why.
func (r *reason) state() string {
	switch {
	case r.Phase == "":
		return fmt.Sprintf("there is no child %s", r.ID)
	case r.Ready:
		return fmt.Sprintf("%s is %s and ready", r.ID, r.Phase)
	case r.Phase.HasProcess():
		return fmt.Sprintf("%s is %s, not ready", r.ID, r.Phase)
	}
	return fmt.Sprintf("%s is %s", r.ID, r.Phase)
}
