package cli

import (
	"errors"
	"io"

	"github.com/spf13/cobra"

	"github.com/reconciler-dev/reconciler/pkg/desired"
	"github.com/reconciler-dev/reconciler/pkg/reconcile"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// The exit codes of diff, which are those of diff(1) and kubectl diff.
const (
	diffSome  = 1
	diffError = 2
)

const diffExamples = `  # What would the next look at ./manifests do?
  reconciler diff

  # What would these manifests change on this machine?
  reconciler diff ~/src/manifests

  # In a pipeline: what does this commit do to what runs, as annotations of the files?
  git worktree add ../before origin/main
  reconciler diff --from ../before/manifests manifests -o github

  # In a script: what would be restarted?
  reconciler diff -o json | jq -r '.[] | select(.effect == "restart") | .child_id'`

// diffFlags are what diff was asked for.
type diffFlags struct {
	output   string
	from     string
	anyOwner bool
	source   SourceFlags
}

func (a *app) diffCommand() *cobra.Command {
	var f diffFlags
	cmd := &cobra.Command{
		Use:   "diff [DIR]",
		Short: "Show what a reconcile would do and why, field by field",
		Long: `Show what a reconcile would do and why, field by field: the manifests compared with
what the state directory holds, or with --from with those of another directory, as if
all of those ran. It changes nothing and needs no running reconciler.

"replace" restarts a child, "update" does not. Values of environment variables are
not shown. The exit code is 0 when there is nothing to do, 1 when there is
something, 2 after an error. With --from nothing is held back, however much vanishes.`,
		Example: diffExamples,
		Args:    args(cobra.MaximumNArgs(1)),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
		RunE: func(cmd *cobra.Command, dirs []string) error {
			dir := a.Manifests
			if len(dirs) == 1 {
				dir = dirs[0]
			}
			if err := oneOf("output", f.output, "text", "json", "github"); err != nil {
				return err
			}
			if len(dirs) == 1 && !f.source.AllowEmpty {
				if err := checkDirectory(dir); err != nil { // a slip of the pen is not "nothing to do"
					return asDiffError(err)
				}
			}
			return asDiffError(a.diff(dir, f, cmd.OutOrStdout(), cmd.ErrOrStderr()))
		},
	}
	f.source.add(cmd)
	cmd.Flags().StringVar(&f.from, "from", "", "compare with the manifests of this `DIR` instead of what runs")
	cmd.Flags().BoolVar(&f.anyOwner, "any-owner", false, "as root, accept manifests that others may write: for a checkout in a pipeline")
	cmd.Flags().StringVarP(&f.output, "output", "o", "text", "text, json, or github: annotations of a workflow")
	if err := cmd.MarkFlagDirname("from"); err != nil {
		panic("cli: the flag was just defined: " + err.Error())
	}
	completeValues(cmd, "output", "text", "json", "github")
	return cmd
}

// asDiffError gives an error that has no code of its own that of diff.
func asDiffError(err error) error {
	var coded *exitError
	if err == nil || errors.As(err, &coded) {
		return err
	}
	return &exitError{code: diffError, err: err, wellUsed: true}
}

func (a *app) diff(dir string, f diffFlags, out, messages io.Writer) error {
	have, err := a.before(f, messages)
	if err != nil {
		return err
	}
	o := desired.Options{Root: dir, MaxRemovals: f.source.MaxRemovals, AllowEmpty: f.source.AllowEmpty, Owners: f.source.Owners, AnyOwner: f.anyOwner}
	if f.from != "" {
		if err := checkDirectory(dir); err != nil {
			return err
		}
		o.AllowEmpty, o.MaxRemovals = true, nothingHeld
	}
	want, err := look(o, have)
	if err != nil {
		return err
	}
	say(messages, dir, want)
	for _, id := range reconcile.Protected(want, have) {
		tell(messages, "%s has no manifest any more and is kept: its last one said protect: true", id)
	}
	all := changes(want, have, dir)
	if err := printDiff(all, f.output, out); err != nil {
		return err
	}
	if len(all) > 0 {
		tell(messages, "%s: %s", count(len(all), "child", "children"), summary(all))
		return silently(diffSome)
	}
	return nil
}

// nothingHeld lets every removal through.
var nothingHeld = func() desired.MaxRemovals {
	m, err := desired.ParseMaxRemovals("100%")
	if err != nil {
		panic("cli: " + err.Error())
	}
	return m
}()

// before is what the manifests are compared with.
func (a *app) before(f diffFlags, messages io.Writer) ([]*child.Snapshot, error) {
	if f.from == "" {
		return a.currentState()
	}
	if err := checkDirectory(f.from); err != nil {
		return nil, err
	}
	set, err := desired.Look(desired.Options{Root: f.from, AllowEmpty: true, Owners: f.source.Owners, AnyOwner: f.anyOwner})
	if err != nil {
		return nil, err
	}
	say(messages, f.from, set)
	return asRunning(set), nil
}

// say tells what keeps the directory from being followed to the letter.
func say(messages io.Writer, dir string, set *desired.Set) {
	for _, p := range located(dir, set.Problems) {
		tell(messages, "%s", p)
	}
	for _, s := range set.Stalls {
		tell(messages, "%s: %s", s.Reason, s.Message)
	}
}

func printDiff(all []change, output string, out io.Writer) error {
	switch output {
	case "json":
		return writeJSON(out, all)
	case "github":
		return annotateChanges(all, out)
	}
	return printChanges(all, out)
}
