package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
)

// confirmFile in the state directory tells the daemon, at its next SIGHUP, that
// the removals it holds are meant. The daemon takes the file away.
const confirmFile = "confirm-removals"

const reconcileExamples = `  # Look at the manifests now and wait for the result
  reconciler reconcile

  # Yes, these many manifests were meant to go
  reconciler reconcile --confirm-removals`

func (a *app) reconcileCommand() *cobra.Command {
	var confirm bool
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "reconcile",
		Short: "Make the running reconciler look at the manifests now",
		Long: `Make the running reconciler look at the manifests now, and wait for the result of
that pass.

When more manifests vanish at once than --max-removals of run allows, their children
are kept until somebody says that it was meant: that is --confirm-removals.`,
		Example: reconcileExamples,
		Args:    args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
			defer cancel()
			return a.reconcile(ctx, confirm, cmd.OutOrStdout())
		},
	}
	cmd.Flags().BoolVar(&confirm, "confirm-removals", false, "carry out the removals that are held back")
	cmd.Flags().DurationVar(&timeout, "timeout", 30*time.Second, "wait this long for the result")
	return cmd
}

func (a *app) reconcile(ctx context.Context, confirm bool, out io.Writer) error {
	if _, err := a.holderPID(); err != nil {
		return err
	}
	if confirm {
		if err := os.WriteFile(filepath.Join(a.State, confirmFile), nil, 0o600); err != nil {
			return fmt.Errorf("confirm the removals: %w", err)
		}
	}
	asked := a.Now()
	if _, err := a.hangUp(); err != nil {
		return err
	}
	last, err := a.awaitPass(ctx, asked)
	if err != nil {
		return err
	}
	return printPass(last, out)
}
