package cli

import "github.com/spf13/cobra"

func (a *app) restartCommand() *cobra.Command {
	return a.command(commandVerb{
		name:  "restart",
		short: "Restart children",
		long: `Replace the running process of each child: stop it as its manifest says, then start
it again. A child that does not run is started; a pause and a quarantine end.`,
		examples: `  # One child, with a reason for the journal
  reconciler restart payments/worker --reason "new certificate"

  # All children with a tag, and wait until they are ready again
  reconciler restart -l mail && reconciler wait -l mail --for ready`,
		done: "restarts", already: "restarts already",
		send: commandOf("restart"),
	})
}
