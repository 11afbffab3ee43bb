package cli

import (
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/reconciler-dev/reconciler/cmd/reconciler/internal/importer"
	"github.com/reconciler-dev/reconciler/internal/harmless"
)

const importExamples = `  # What would become of these programs?
  reconciler import supervisord /etc/supervisor/conf.d/*.conf

  # Write manifests, then look at them and start
  reconciler import compose docker-compose.yml --output manifests
  reconciler validate
  reconciler run

  # Units that need each other are imported together
  reconciler import systemd /etc/systemd/system/app-*.service --output manifests

  # Layers of Pebble, in their order
  reconciler import pebble layers/001-base.yaml layers/002-local.yaml`

func (a *app) importCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "import FORMAT FILE...",
		Short: "Make manifests of what another supervisor reads",
		Long: `Make manifests of what another supervisor reads: ` + strings.Join(importer.Formats(), ", ") + `.

What cannot be carried over is told, with the reason, on standard error and as a
comment at the top of each manifest: read it before you start anything. The manifests
always pass validate. Nothing is started or changed but the files below --output, and
none is overwritten. Values of environment files are never copied.`,
		Example: importExamples,
		Args:    args(cobra.MinimumNArgs(2)),
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 0 {
				return importer.Formats(), cobra.ShellCompDirectiveNoFileComp
			}
			return nil, cobra.ShellCompDirectiveDefault
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := oneOf("format", args[0], importer.Formats()...); err != nil {
				return withCode(Usage, "import %q: there is no such format; want %s", args[0], strings.Join(importer.Formats(), ", "))
			}
			return runImport(args[0], args[1:], output, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().StringVar(&output, "output", "", "write a file for each manifest below this `DIR`; without it all are printed")
	if err := cmd.MarkFlagDirname("output"); err != nil {
		panic("cli: the flag was just defined: " + err.Error())
	}
	return cmd
}

func runImport(format string, names []string, output string, out, messages io.Writer) error {
	var files []importer.File
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		files = append(files, importer.File{Name: name, Text: text})
	}
	r, err := importer.Import(format, files)
	if err != nil {
		return err
	}
	if output != "" {
		err = r.WriteTo(output)
	} else {
		err = printManifests(r.Manifests, out)
	}
	if err != nil {
		return err
	}
	return reportImport(r, output, messages)
}

// printManifests prints them as documents of one stream, each below its file.
func printManifests(all []*importer.Manifest, out io.Writer) error {
	for i, m := range all {
		text, err := m.Render()
		if err != nil {
			return err
		}
		between := "---\n"
		if i == 0 {
			between = ""
		}
		if err := write(out, between+"# "+harmless.Text(m.File())+"\n"+string(text)); err != nil {
			return err
		}
	}
	return nil
}

// reportImport lists what was not carried over. An import that made nothing failed.
func reportImport(r *importer.Result, output string, messages io.Writer) error {
	n := len(r.Notes)
	for _, m := range r.Manifests {
		for _, note := range m.Notes {
			note.Where = m.ID()
			tell(messages, "%s", note)
		}
		n += len(m.Notes)
	}
	for _, note := range r.Notes {
		tell(messages, "%s", note)
	}
	where := ""
	if output != "" {
		where = " written below " + output
	}
	tell(messages, "%s%s, %s", count(len(r.Manifests), "manifest"), where, count(n, "note"))
	if len(r.Manifests) == 0 {
		return silently(Failed)
	}
	return nil
}
