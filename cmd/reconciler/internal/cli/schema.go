package cli

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/spf13/cobra"

	"github.com/reconciler-dev/reconciler/pkg/desired"
	"github.com/reconciler-dev/reconciler/pkg/status"
)

const schemaExamples = `  # Let an editor complete manifests and point at mistakes
  reconciler schema > manifest.schema.json
  # then, as the first line of a manifest:
  #   # yaml-language-server: $schema=../manifest.schema.json

  # What stands in a status file? And in reconciler.json?
  reconciler schema status
  reconciler schema runtime`

func (a *app) schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema [manifest|status|runtime]",
		Short: "Print the JSON Schema of the manifest or of a status file",
		Long: `Print the JSON Schema of the manifest, with "status" that of a child's status file,
or with "runtime" that of reconciler.json.`,
		Example:   schemaExamples,
		Args:      args(cobra.MatchAll(cobra.MaximumNArgs(1), cobra.OnlyValidArgs)),
		ValidArgs: []string{"manifest", "status", "runtime"},
		RunE: func(cmd *cobra.Command, args []string) error {
			of := map[string]func() ([]byte, error){"status": status.Schema, "runtime": status.RuntimeSchema}[strings.Join(args, "")]
			if of == nil {
				of = desired.Schema
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
			return write(cmd.OutOrStdout(), b.String())
		},
	}
}
