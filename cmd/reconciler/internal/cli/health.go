package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/reconciler-dev/reconciler/pkg/control"
	"github.com/reconciler-dev/reconciler/pkg/control/client"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

const healthExamples = `  # Is all well?
  reconciler health

  # In a Dockerfile
  HEALTHCHECK CMD reconciler health --quiet`

func (a *app) healthCommand() *cobra.Command {
	var output string
	var quiet bool
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "health",
		Short: "Tell whether the reconciler and its critical children are well",
		Long: `Tell whether the reconciler is alive and every critical child can run. The exit code
is 0 if so, 1 if not, 3 if no reconciler answers and 124 if it takes too long: for
HEALTHCHECK and monitors.`,
		Example: healthExamples,
		Args:    args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := oneOf("output", output, "text", "json"); err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
			defer cancel()
			return a.ask(func(c *client.Client) error {
				h, err := c.Health(ctx)
				if err != nil {
					return err
				}
				return printHealth(h, output, quiet, cmd.OutOrStdout())
			})
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	cmd.Flags().BoolVarP(&quiet, "quiet", "q", false, "print nothing when all is well")
	cmd.Flags().DurationVar(&timeout, "timeout", 5*time.Second, "wait this long for the answer")
	completeValues(cmd, "output", "text", "json")
	return cmd
}

func printHealth(h control.Health, output string, quiet bool, out io.Writer) error {
	ill := illness(h)
	switch {
	case output == "json":
		if err := writeJSON(out, h); err != nil || h.Healthy {
			return err
		}
		return silently(Failed)
	case !h.Healthy:
		return errors.New("not well: " + strings.Join(ill, "; "))
	case quiet:
		return nil
	}
	return tell(out, "%s", strings.Join(append([]string{"well"}, ill...), "; "))
}

func reasonOf(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}

func listOf(ids []child.ID) string {
	var names []string
	for _, id := range ids {
		names = append(names, string(id))
	}
	return strings.Join(names, ", ")
}

// illness says, a phrase each, what is not as it should be. Not all of it makes a
// reconciler unhealthy.
func illness(h control.Health) []string {
	var ill []string
	if h.State != "alive" {
		ill = append(ill, "the reconciler is "+strings.ReplaceAll(string(h.State), "_", " "))
	}
	for _, s := range h.Stalls {
		ill = append(ill, fmt.Sprintf("the manifests are not followed to the letter (%s): %s", s.Reason, s.Message))
	}
	if len(h.Unwell) > 0 {
		ill = append(ill, "critical children that cannot run: "+listOf(h.Unwell))
	}
	if len(h.OutputBlocked) > 0 {
		ill = append(ill, "children that a log holds up which cannot be written: "+listOf(h.OutputBlocked)+" (see reconciler why)")
	}
	if !h.Shim && h.State == "alive" {
		ill = append(ill, "the shim cannot be reached"+reasonOf(h.ShimReason)+"; children run on")
	}
	for _, lack := range h.ShimLacks {
		ill = append(ill, "the running shim is of an older version: it "+lack)
	}
	if h.StateLost != "" {
		ill = append(ill, h.StateLost)
	}
	if h.RecordsError != "" {
		ill = append(ill, "changes cannot be recorded: "+h.RecordsError)
	}
	return ill
}
