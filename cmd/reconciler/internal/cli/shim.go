package cli

import "github.com/spf13/cobra"

func (a *app) shimCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "shim",
		Short:  "Own the processes of one state directory (started by run)",
		Hidden: true,
		Args:   args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.Shim(cmd.Context(), a.State)
		},
	}
}
