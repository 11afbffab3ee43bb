package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/reconciler-dev/reconciler/pkg/control"
	"github.com/reconciler-dev/reconciler/pkg/control/client"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

func (a *app) signalCommand() *cobra.Command {
	var signal string
	v := commandVerb{
		name:  "signal",
		short: "Send a signal to the main process of children",
		long: `Send a signal to the main process of each child. What the process does is its own
affair: one that ends by it has ended by itself, and its restart policy decides.`,
		examples: `  # Make a worker read its configuration again
  reconciler signal payments/worker --signal HUP

  # All children with a tag
  reconciler signal -l mail --signal SIGUSR1 --reason "rotate the logs"`,
		done: "signalled", already: "signalled",
		send: func(ctx context.Context, c *client.Client, id child.ID, body control.Command) (control.Outcome, error) {
			body.Signal = signal
			return c.Command(ctx, "signal", id, body)
		},
	}
	cmd := a.command(v)
	cmd.PreRunE = func(*cobra.Command, []string) error {
		if signal == "" {
			return withCode(Usage, "--signal is missing: name one, such as --signal HUP")
		}
		name := "SIG" + strings.TrimPrefix(strings.ToUpper(signal), "SIG")
		if err := child.CheckSignal(name); err != nil {
			return &exitError{code: Usage, err: err}
		}
		return nil
	}
	cmd.Flags().StringVarP(&signal, "signal", "s", "", "which `SIGNAL`, with or without SIG; it must be given")
	completeValues(cmd, "signal", child.SignalNames()...)
	return cmd
}
