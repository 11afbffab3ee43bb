package cli

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/reconciler-dev/reconciler/pkg/desired"
	"github.com/reconciler-dev/reconciler/pkg/reconcile"
)

// The exit codes of diff, which are those of diff(1) and kubectl diff.
const (
	diffSome  = 1
	diffError = 2
)

const diffExamples = `  # What would the next look at ./manifests do?
  reconciler diff

  # What would these manifests change on this machine?
  reconciler diff ~/src/manifests

  # In a script
  reconciler diff -o json | jq -r '.[] | select(.action == "replace") | .child_id'`

func (a *app) diffCommand() *cobra.Command {
	var output string
	var source SourceFlags
	cmd := &cobra.Command{
		Use:   "diff [DIR]",
		Short: "Show what a reconcile would do and why, field by field",
		Long: `Show what a reconcile would do and why, field by field: the manifests compared with
what the state directory holds. It changes nothing.

"replace" restarts a child, "update" does not. Values of environment variables are
not shown. The exit code is 0 when there is nothing to do, 1 when there is
something, 2 after an error.`,
		Example: diffExamples,
		Args:    args(cobra.MaximumNArgs(1)),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
		RunE: func(cmd *cobra.Command, dirs []string) error {
			dir := a.Manifests
			if len(dirs) == 1 {
				dir = dirs[0]
			}
			if err := oneOf("output", output, "text", "json"); err != nil {
				return err
			}
			return asDiffError(a.diff(dir, source, output, cmd.OutOrStdout(), cmd.ErrOrStderr()))
		},
	}
	source.add(cmd)
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	completeValues(cmd, "output", "text", "json")
	return cmd
}

// asDiffError gives an error that has no code of its own that of diff.
func asDiffError(err error) error {
	var coded *exitError
	if err == nil || errors.As(err, &coded) {
		return err
	}
	return &exitError{diffError, err}
}

func (a *app) diff(dir string, source SourceFlags, output string, out, messages io.Writer) error {
	have, err := a.currentState()
	if err != nil {
		return err
	}
	want, err := wanted(dir, source, have)
	if err != nil {
		return err
	}
	say(messages, dir, want)
	for _, id := range reconcile.Protected(want, have) {
		fmt.Fprintf(messages, "%s has no manifest any more and is kept: its last one said protect: true\n", id)
	}
	plan := reconcile.Plan(want, have)
	if err := printPlan(plan, output, out); err != nil {
		return err
	}
	if len(plan) > 0 {
		return silently(diffSome)
	}
	return nil
}

// say tells what keeps the directory from being followed to the letter.
func say(messages io.Writer, dir string, set *desired.Set) {
	for _, p := range located(dir, set.Problems) {
		fmt.Fprintln(messages, clean(p.String()))
	}
	for _, s := range set.Stalls {
		fmt.Fprintf(messages, "%s: %s\n", s.Reason, clean(s.Message))
	}
}

func printPlan(plan []reconcile.Action, output string, out io.Writer) error {
	if output == "json" {
		if plan == nil {
			plan = []reconcile.Action{}
		}
		return writeJSON(out, plan)
	}
	for _, action := range plan {
		if _, err := fmt.Fprintln(out, clean(action.String())); err != nil {
			return err
		}
		for _, d := range action.Why {
			if _, err := fmt.Fprintln(out, "    "+clean(d.String())); err != nil {
				return err
			}
		}
	}
	return nil
}
