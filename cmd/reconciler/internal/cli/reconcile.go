package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/reconciler-dev/reconciler/pkg/control"
	"github.com/reconciler-dev/reconciler/pkg/control/client"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

const reconcileExamples = `  # Look at the manifests now and wait for the result
  reconciler reconcile

  # Yes, these many manifests were meant to go
  reconciler reconcile --confirm-removals`

func (a *app) reconcileCommand() *cobra.Command {
	var confirm bool
	var reason string
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "reconcile",
		Short: "Make the running reconciler look at the manifests now",
		Long: `Make the running reconciler look at the manifests now, and wait for the result of
that pass.

When more manifests vanish at once than --max-removals of run allows, their children
are kept until somebody says that it was meant: that is --confirm-removals. The
removals are then on record as wanted by you, and listed.`,
		Example: reconcileExamples,
		Args:    args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
			defer cancel()
			return a.ask(func(c *client.Client) error {
				body := control.ReconcileRequest{ConfirmRemovals: confirm}
				if cmd.Flags().Changed("reason") {
					body.Reason = &reason
				}
				pass, err := c.Reconcile(ctx, body)
				if errors.Is(err, context.DeadlineExceeded) {
					return withCode(TimedOut, "the pass took longer than %s; it goes on", timeout)
				}
				if err != nil {
					return err
				}
				return printPass(pass, cmd.OutOrStdout())
			})
		},
	}
	cmd.Flags().BoolVar(&confirm, "confirm-removals", false, "carry out the removals that are held back")
	cmd.Flags().StringVar(&reason, "reason", "", "why, for the journal (default \"manual reconcile\", or \"manual confirm_removals\")")
	cmd.Flags().DurationVar(&timeout, "timeout", 30*time.Second, "wait this long for the result")
	return cmd
}

// printPass prints what a pass did. It is an error when something was refused or
// held back.
func printPass(p control.Pass, out io.Writer) error {
	var done []string
	for _, verb := range slices.Sorted(maps.Keys(p.Reconcile.Actions)) {
		if n := p.Reconcile.Actions[verb]; n > 0 {
			done = append(done, fmt.Sprintf("%s %d", verb, n))
		}
	}
	if len(done) == 0 {
		done = []string{"nothing to do"}
	}
	if err := tell(out, "%s", strings.Join(done, ", ")); err != nil {
		return err
	}
	if len(p.Removed) > 0 {
		if err := tell(out, "removed as confirmed: %s", strings.Join(idsOf(p.Removed), ", ")); err != nil {
			return err
		}
	}
	var wrong []error
	for _, e := range p.Reconcile.Errors {
		wrong = append(wrong, fmt.Errorf("%s %s: %s", e.Action, e.ID, e.Message))
	}
	for _, s := range p.Stalls {
		wrong = append(wrong, fmt.Errorf("%s: %s", s.Reason, s.Message))
	}
	if len(p.Problems) > 0 {
		wrong = append(wrong, fmt.Errorf("the manifests have %s: see reconciler validate", count(len(p.Problems), "problem")))
	}
	return errors.Join(wrong...)
}

func idsOf(ids []child.ID) (names []string) {
	for _, id := range ids {
		names = append(names, string(id))
	}
	return names
}
