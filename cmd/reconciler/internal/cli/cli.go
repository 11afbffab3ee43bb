package cli

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
)

// Options are what the program brings to its command line.
type Options struct {
	// Version is what `version` prints; "" means BuildVersion.
	Version string

	// Run is the daemon. It returns when it has shut down.
	Run func(context.Context, RunConfig) error

	// Shim owns the processes of one state directory until nothing is left to own.
	Shim func(ctx context.Context, stateDir string) error

	// Now is the clock; nil is the system's.
	Now func() time.Time
}

// Dirs are the three directories that every verb knows.
type Dirs struct {
	Manifests string
	Status    string
	State     string
}

// app is what the verbs share.
type app struct {
	Options
	Dirs
	color string
}

const longAbout = `reconciler keeps the processes running that a directory of manifests declares.

Drop a YAML file into the directory and the process starts, edit it and it is
updated, delete it and it stops. Each child has a status file. The reconciler may
be killed or upgraded at any time: the children run on and are adopted again.`

const aboutExamples = `  # Keep the children of ./manifests running
  reconciler run

  # What runs?
  reconciler get

  # What would an edit do?
  reconciler diff`

// New is the command tree. Its errors carry their exit code, see Code.
func New(o Options) *cobra.Command {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Version == "" {
		o.Version = BuildVersion()
	}
	a := &app{Options: o}
	root := &cobra.Command{
		Use:           "reconciler",
		Short:         "Keeps running what a directory of manifests declares",
		Long:          longAbout,
		Example:       aboutExamples,
		Version:       a.Version,
		Args:          noSuchVerb,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetVersionTemplate("reconciler {{.Version}}\n")
	root.Flags().Bool("version", false, "print the version")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &exitError{code: Usage, err: err} })
	a.addDirs(root)
	a.addColor(root)
	root.PersistentPreRunE = func(*cobra.Command, []string) error {
		if err := a.checkNamed(); err != nil {
			return err
		}
		return oneOf("color", a.color, colorAuto, colorAlways, colorNever)
	}
	addGroup(root, "Look:",
		a.getCommand(), a.describeCommand(), a.whyCommand(), a.treeCommand(), a.topCommand(),
		a.logsCommand(), a.eventsCommand(), a.healthCommand(), a.waitCommand())
	addGroup(root, "Act:",
		a.restartCommand(), a.pauseCommand(), a.resumeCommand(), a.quarantineCommand(), a.signalCommand(), a.removeCommand())
	addGroup(root, "The reconciler itself:",
		a.runCommand(), a.reconcileCommand(), a.shutdownCommand())
	addGroup(root, "Manifests, also without a reconciler:",
		a.validateCommand(), a.diffCommand(), a.importCommand(), a.schemaCommand())
	root.AddCommand(a.versionCommand(), a.docsCommand(), a.shimCommand())
	return root
}

// addGroup adds verbs under a title of the help.
func addGroup(root *cobra.Command, title string, verbs ...*cobra.Command) {
	root.AddGroup(&cobra.Group{ID: title, Title: title})
	for _, v := range verbs {
		v.GroupID = title
	}
	root.AddCommand(verbs...)
}

// addDirs gives every verb the three directories.
func (a *app) addDirs(root *cobra.Command) {
	for _, d := range []struct {
		value                      *string
		flag, env, otherwise, what string
	}{
		{&a.Manifests, "manifests", "RECONCILER_MANIFESTS", "manifests", "`DIR` of manifests"},
		{&a.Status, "status", "RECONCILER_STATUS", "status", "`DIR` of status files"},
		{&a.State, "state", "RECONCILER_STATE", ".reconciler", "`DIR` of locks, logs and records"},
	} {
		if fromEnv := os.Getenv(d.env); fromEnv != "" {
			d.otherwise = fromEnv
		}
		root.PersistentFlags().StringVar(d.value, d.flag, d.otherwise, d.what+" ($"+d.env+")")
		if err := root.MarkPersistentFlagDirname(d.flag); err != nil {
			panic("cli: the flag was just defined: " + err.Error())
		}
	}
}

// checkNamed refuses a directory without a name, as a script with an empty variable
// gives it.
func (a *app) checkNamed() error {
	for _, d := range []struct{ flag, dir string }{{"manifests", a.Manifests}, {"status", a.Status}, {"state", a.State}} {
		if d.dir == "" {
			return &exitError{code: Usage, err: fmt.Errorf("--%s is empty: want the path of a directory", d.flag)}
		}
	}
	return nil
}
