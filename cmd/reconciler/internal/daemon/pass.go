package daemon

import (
	"context"

	"github.com/reconciler-dev/reconciler/pkg/reconcile"
	"github.com/reconciler-dev/reconciler/pkg/status"
)

// pass makes one pass over everything that was done to the directory before the
// call. With confirm, the removals that are held back are carried out.
func (d *daemon) pass(ctx context.Context, confirm bool) (*reconcile.Report, error) {
	if err := d.source.Settle(ctx); err != nil {
		return nil, err
	}
	if confirm {
		d.log.Info("held removals were confirmed")
		d.source.ConfirmRemovals()
		if err := d.source.Settle(ctx); err != nil {
			return nil, err
		}
	}
	return d.loop.Pass(ctx)
}

// reconcile is pass for the control socket.
func (d *daemon) reconcile(ctx context.Context, confirm bool) (*status.Reconcile, error) {
	report, err := d.pass(ctx, confirm)
	if err != nil {
		return nil, err
	}
	return passOf(report), nil
}
