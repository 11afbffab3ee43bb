package daemon

import (
	"context"

	"github.com/reconciler-dev/reconciler/pkg/desired"
	"github.com/reconciler-dev/reconciler/pkg/reconcile"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/status"
)

// pass makes one pass over everything that was done to the directory before the call.
func (d *daemon) pass(ctx context.Context) (*reconcile.Report, error) {
	if err := d.source.Settle(ctx); err != nil {
		return nil, err
	}
	return d.loop.Pass(ctx)
}

// confirm is pass that carries out the removals that are held back, in the name of
// who wants them, and says which those were.
func (d *daemon) confirm(ctx context.Context, cause child.Cause) (*reconcile.Report, []child.ID, error) {
	if err := d.source.Settle(ctx); err != nil {
		return nil, nil, err
	}
	commanded := d.loop.Confirm(heldOf(d.source.Current()), cause)
	defer commanded()
	d.source.ConfirmRemovals()
	report, err := d.pass(ctx)
	if err != nil {
		return nil, nil, err
	}
	return report, commanded(), nil
}

// heldOf are the children whose removal waits for a confirmation.
func heldOf(set *desired.Set) (held []child.ID) {
	for _, s := range set.Stalls {
		if s.Reason != desired.StallUnreadable {
			held = append(held, s.Held...)
		}
	}
	return held
}

// reconcile is pass, or confirm, for the control socket.
func (d *daemon) reconcile(ctx context.Context, confirm *child.Cause) (pass *status.Reconcile, removed []child.ID, err error) {
	var report *reconcile.Report
	if confirm == nil {
		report, err = d.pass(ctx)
	} else {
		report, removed, err = d.confirm(ctx, *confirm)
	}
	if err != nil {
		return nil, nil, err
	}
	return passOf(report), removed, nil
}
