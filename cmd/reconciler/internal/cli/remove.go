package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/reconciler-dev/reconciler/pkg/control"
	"github.com/reconciler-dev/reconciler/pkg/control/client"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

func (a *app) removeCommand() *cobra.Command {
	return a.command(commandVerb{
		name:  "remove",
		short: "Stop and forget children that no manifest declares",
		long: `Stop each child and forget it. It is for children that no manifest declares now: one
that says protect: true and whose manifest is gone, or one that was put through the
control socket. A child that has a manifest goes when the manifest does.`,
		examples: `  # The manifest is gone, but it said protect: true
  reconciler remove payments/db --reason "moved to the other host"`,
		done: "removed", already: "being removed already",
		send: func(ctx context.Context, c *client.Client, id child.ID, body control.Command) (control.Outcome, error) {
			return c.Delete(ctx, id, body)
		},
	})
}
