package cli

import "github.com/spf13/cobra"

func (a *app) pauseCommand() *cobra.Command {
	return a.command(commandVerb{
		name:  "pause",
		short: "Stop children and keep them stopped",
		long: `Stop each child and keep it stopped, over restarts of the reconciler too, until
resume or restart. It stays declared; a changed manifest does not start it.`,
		examples: `  # Stop a worker while its database is moved
  reconciler pause payments/worker --reason "moving the database"

  # Start it again
  reconciler resume payments/worker`,
		done: "paused", already: "paused already",
		send: commandOf("pause"),
	})
}
