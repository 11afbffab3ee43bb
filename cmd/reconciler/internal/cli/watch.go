package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/status"
)

// watchEvery is how often a watch reads the status files. The reconciler writes
// the file of a restless child ten times a second at most; people read slower.
const watchEvery = 500 * time.Millisecond

// removedPhase is shown once for a child whose status file went away.
const removedPhase child.Phase = "Removed"

// watch prints the children, and then each one that changes, until ctx ends. A
// name that nobody bears yet is waited for.
func (a *app) watch(ctx context.Context, names []string, f getFlags, p *childPrinter) error {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	seen := map[child.ID]seenChild{}
	for {
		children, _, err := a.selectChildren(names, f)
		if err != nil {
			return err
		}
		for _, c := range changed(seen, children) {
			if err := p.printChange(c); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// seenChild is a child as it was printed last.
type seenChild struct {
	status *status.Child
	text   []byte
}

// changed are the children that are not as they were seen, then those that are
// gone; it remembers both.
func changed(seen map[child.ID]seenChild, now []*status.Child) []*status.Child {
	var out []*status.Child
	there := map[child.ID]bool{}
	for _, c := range now {
		there[c.ID] = true
		text, err := json.Marshal(c)
		if err != nil || bytes.Equal(seen[c.ID].text, text) {
			continue
		}
		seen[c.ID] = seenChild{c, text}
		out = append(out, c)
	}
	for id, was := range seen {
		if !there[id] {
			delete(seen, id)
			last := *was.status
			last.Phase, last.PID, last.Conditions = removedPhase, nil, nil
			out = append(out, &last)
		}
	}
	return out
}
