package cli

import (
	"context"
	"path/filepath"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/control/client"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/journal"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
	"github.com/reconciler-dev/reconciler/pkg/status"
)

// askFor is how long a verb that could do without waits for the reconciler.
const askFor = 3 * time.Second

// whole are the children with what they, their hooks and their probes printed, which
// status files that everybody may read do not hold: the reconciler is asked for it,
// and where none answers the state directory. Whose state that is not gets the files,
// in which captured is "withheld".
func (a *app) whole(ctx context.Context, children []*status.Child) []*status.Child {
	if !anyWithheld(children) {
		return children
	}
	if asked := a.asked(ctx); asked != nil {
		return replaced(children, asked)
	}
	records, err := journal.ReadRecords(filepath.Join(a.State, "records"))
	if err != nil {
		return children
	}
	recorded := map[child.ID]machine.Record{}
	for _, r := range records {
		recorded[r.ID] = r
	}
	known := map[child.ID]*status.Child{}
	for _, c := range children {
		if r, ok := recorded[c.ID]; ok {
			known[c.ID] = withRecord(*c, r)
		}
	}
	return replaced(children, known)
}

// asked are the children as the reconciler knows them; nil if it does not say.
func (a *app) asked(ctx context.Context) map[child.ID]*status.Child {
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	c := client.New(a.State)
	defer c.Close()
	all, err := c.Children(ctx, client.Filter{})
	if err != nil {
		return nil
	}
	known := make(map[child.ID]*status.Child, len(all))
	for i := range all {
		known[all[i].ID] = &all[i]
	}
	return known
}

func anyWithheld(children []*status.Child) bool {
	for _, c := range children {
		if c.Captured == status.Withheld {
			return true
		}
	}
	return false
}

func replaced(children []*status.Child, by map[child.ID]*status.Child) []*status.Child {
	all := make([]*status.Child, 0, len(children))
	for _, c := range children {
		if known := by[c.ID]; known != nil {
			c = known
		}
		all = append(all, c)
	}
	return all
}

// withRecord is a status with the captured output that the record of the child has.
func withRecord(c status.Child, r machine.Record) *status.Child {
	type attempt struct {
		generation child.Generation
		attempt    child.Attempt
	}
	recorded := map[attempt]*child.Exit{}
	for _, e := range r.Exits {
		recorded[attempt{e.Generation, e.Attempt}] = e
	}
	add := func(e status.Exit) status.Exit {
		if had := recorded[attempt{e.Generation, e.Attempt}]; had != nil && had.Reason == e.Reason {
			e.LogTail, e.Words = append(child.Output{}, had.LogTail...), had.Words
		}
		return e
	}
	exits := make([]status.Exit, 0, len(c.Exits))
	for _, e := range c.Exits {
		exits = append(exits, add(e))
	}
	c.Exits = exits
	if c.LastExit != nil {
		last := add(*c.LastExit)
		c.LastExit = &last
	}
	for probe, had := range map[*status.Probe]*child.ProbeState{&c.Health.Readiness: r.Readiness, &c.Health.Liveness: r.Liveness} {
		if had != nil && had.Message == probe.Message {
			probe.Words = had.Words
		}
	}
	c.Captured = status.Complete
	return &c
}

// withheldNotice is said where captured output would be shown and may not.
const withheldNotice = "What children, their hooks and probes printed is not shown: who may use the control socket sees it, and the group of run --status-group."

// isSilenced reports whether a child may have words that its status withholds.
func isSilenced(c *status.Child) bool {
	return c.Captured == status.Withheld &&
		(c.LastExit != nil || c.Said != nil || c.Health.Liveness.Message != "" || c.Health.Readiness.Message != "")
}
