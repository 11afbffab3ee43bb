package cli

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/reconciler-dev/reconciler/internal/harmless"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/status"
)

const whyExamples = `  # Why does it not run?
  reconciler why payments/worker

  # What keeps a folder from being ready?
  reconciler why payments

  # For programs
  reconciler why payments/worker -o json | jq -r '.. | .why? // empty | .[]'`

func (a *app) whyCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "why CHILD",
		Short: "Tell why a child is as it is: the chain of reasons",
		Long: `Tell why a child is as it is: who stopped it, when and why; which exit it rests
after, until when, with the last lines of its output; what is wrong with its manifest;
what it waits for, and why that is not ready, down to the first cause.`,
		Example:           whyExamples,
		Args:              args(cobra.ExactArgs(1)),
		ValidArgsFunction: a.completeOneChild,
		RunE: func(cmd *cobra.Command, names []string) error {
			if err := oneOf("output", output, "text", "json"); err != nil {
				return err
			}
			r, err := a.warnIfDead(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			return a.why(cmd.Context(), names[0], r, output, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	completeValues(cmd, "output", "text", "json")
	return cmd
}

func (a *app) why(ctx context.Context, name string, runtime *status.Runtime, output string, out, messages io.Writer) error {
	all, err := status.ReadAll(a.Status)
	if err != nil {
		return err
	}
	x := newExplainer(a.whole(ctx, all), runtime, a.Now())
	id, err := child.ParseID(name)
	if _, known := x.byID[id]; err != nil || !known && len(x.brokenManifests(id)) == 0 {
		return a.noSuchChild(name)
	}
	r := x.explain(id)
	if output == "json" {
		return writeJSON(out, r)
	}
	if x.silenced {
		tell(messages, withheldNotice)
	}
	return write(out, chain(r))
}

// chain is a reason and those behind it as indented text: each line is the cause
// of the one above it.
func chain(r *reason) string {
	var b strings.Builder
	line := func(format string, args ...any) { b.WriteString(harmless.Text(fmt.Sprintf(format, args...)) + "\n") }
	var add func(r *reason, indent string)
	add = func(r *reason, indent string) {
		switch {
		case len(r.Why) == 1:
			line("%s%s: %s", indent, r.state(), r.Why[0])
		case len(r.Why) == 0 && len(r.Because) == 0 && r.Ready:
			line("%s%s: nothing is wrong", indent, r.state())
		default:
			line("%s%s", indent, r.state())
			for _, why := range r.Why {
				line("%s  - %s", indent, why)
			}
		}
		if len(r.LogTail) > 0 {
			line("%s  its last lines:", indent)
		}
		for _, text := range r.LogTail {
			line("%s    | %s", indent, text)
		}
		for _, next := range r.Because {
			add(next, indent+"  ")
		}
	}
	add(r, "")
	return b.String()
}
