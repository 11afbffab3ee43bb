package cli

import "github.com/spf13/cobra"

func (a *app) quarantineCommand() *cobra.Command {
	return a.command(commandVerb{
		name:  "quarantine",
		short: "Stop children until somebody looks after them",
		long: `Stop each child and block automatic restarts until resume, restart or a changed
manifest: unlike a pause it ends when somebody mends the manifest.`,
		examples: `  # It does harm: stop it until its manifest is mended
  reconciler quarantine payments/worker --reason "sends mail twice"`,
		done: "quarantined", already: "quarantined already",
		send: commandOf("quarantine"),
	})
}
