package cli

import "github.com/spf13/cobra"

func (a *app) resumeCommand() *cobra.Command {
	return a.command(commandVerb{
		name:  "resume",
		short: "Start children again that were paused or quarantined",
		long:  `End the pause or the quarantine of each child and start it.`,
		examples: `  # Go on
  reconciler resume payments/worker

  # Everything that a tag has paused
  reconciler resume -l mail`,
		done: "resumed", already: "not paused",
		send: commandOf("resume"),
	})
}
