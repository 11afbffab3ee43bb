package cli

import (
	"bytes"
	"encoding/json"

	"github.com/spf13/cobra"

	"github.com/reconciler-dev/reconciler/pkg/desired"
)

const schemaExamples = `  # Let an editor complete manifests and point at mistakes
  reconciler schema > manifest.schema.json
  # then, as the first line of a manifest:
  #   # yaml-language-server: $schema=../manifest.schema.json

  # What stands in a status file?
  reconciler schema status`

func (a *app) schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:       "schema [manifest|status]",
		Short:     "Print the JSON Schema of the manifest or of the status file",
		Long:      "Print the JSON Schema of the manifest, or with \"status\" that of a child's status file.",
		Example:   schemaExamples,
		Args:      args(cobra.MatchAll(cobra.MaximumNArgs(1), cobra.OnlyValidArgs)),
		ValidArgs: []string{"manifest", "status"},
		RunE: func(cmd *cobra.Command, args []string) error {
			of := desired.Schema
			if len(args) == 1 && args[0] == "status" {
				of = statusSchema
			}
			text, err := of()
			if err != nil {
				return err
			}
			var b bytes.Buffer
			if err := json.Indent(&b, bytes.TrimSpace(text), "", "  "); err != nil {
				return err
			}
			b.WriteByte('\n')
			_, err = b.WriteTo(cmd.OutOrStdout())
			return err
		},
	}
}
