package cli

import (
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Example: "  reconciler version",
		Args:    args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), a.version())
			return err
		},
	}
}

// version is what the program brought, else what the build knows.
func (a *app) version() string {
	if a.Version != "" {
		return "reconciler " + a.Version
	}
	return BuildVersion()
}

// BuildVersion is "reconciler", the version and, where the build knows it, the
// revision and the Go that it was built with.
func BuildVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "reconciler (unknown version)"
	}
	revision, modified := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = ", revision " + s.Value[:min(12, len(s.Value))]
		case s.Key == "vcs.modified" && s.Value == "true":
			modified = "+changes"
		}
	}
	return fmt.Sprintf("reconciler %s (%s%s%s)", info.Main.Version, info.GoVersion, revision, modified)
}
