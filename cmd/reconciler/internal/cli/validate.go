package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/reconciler-dev/reconciler/internal/account"
	"github.com/reconciler-dev/reconciler/pkg/desired"
)

const validateExamples = `  # All problems of ./manifests, as file:line:column
  reconciler validate

  # In a pipeline: several directories, the problems as JSON
  reconciler validate staging production -o json

  # What a reconciler of root would say, before it is deployed
  reconciler validate --as-root --manifests-owner deploy

  # As annotations of a GitHub workflow
  reconciler validate --any-owner -o github

  # For code scanning
  reconciler validate -o sarif > reconciler.sarif`

// validateOutputs are the values of -o.
var validateOutputs = []string{"text", "json", "github", "sarif"}

func (a *app) validateCommand() *cobra.Command {
	var output string
	var look desired.Options
	var owners Owners
	cmd := &cobra.Command{
		Use:   "validate [DIR...]",
		Short: "List all problems of manifests with file, line and column",
		Long: `List all problems of the manifests of one or more directories, the --manifests
directory unless some are named. It needs no running reconciler and changes nothing.

It warns of users and groups that this machine does not know, and of variables that
pass to no child: the manifests may be for another machine.

A reconciler of root obeys no manifest that another user owns or may write. That is
judged when root validates; for others --as-root asks for it.

The exit code is 0 without a problem and 1 with some; a warning is none.`,
		Example: validateExamples,
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
		RunE: func(cmd *cobra.Command, dirs []string) error {
			if err := oneOf("output", output, validateOutputs...); err != nil {
				return err
			}
			if look.AnyOwner && look.AsRoot {
				return withCode(Usage, "--any-owner and --as-root exclude each other: say one of them")
			}
			if len(dirs) == 0 {
				dirs = []string{a.Manifests}
			}
			look.Owners, look.AllowEmpty = owners, true
			return a.validate(cmd.Context(), dirs, look, output, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text, json, github (annotations of a workflow) or sarif (2.1.0)")
	cmd.Flags().BoolVar(&look.AnyOwner, "any-owner", false, "as root, accept manifests that others may write: for a checkout in a pipeline")
	cmd.Flags().BoolVar(&look.AsRoot, "as-root", false, "judge owners and modes as a reconciler of root does, whoever asks")
	owners.add(cmd)
	completeValues(cmd, "output", validateOutputs...)
	return cmd
}

func (a *app) validate(ctx context.Context, dirs []string, o desired.Options, output string, out, messages io.Writer) error {
	problems, warned, children := []desired.Problem{}, []desired.Problem{}, 0
	for _, dir := range dirs {
		if err := checkDirectory(dir); err != nil {
			return err
		}
		o.Root = dir
		set, err := desired.Look(o)
		if err != nil {
			return err
		}
		problems = append(problems, located(dir, set.Problems)...)
		warned = append(warned, located(dir, set.Warnings)...)
		warned = append(warned, located(dir, warnings(ctx, set, account.Database{}))...)
		children += countChildren(set)
	}
	if err := a.printProblems(problems, warned, output, out); err != nil {
		return err
	}
	if len(problems) > 0 {
		tell(messages, "%s in %s", count(len(problems), "problem"), directories(dirs))
		return silently(Failed)
	}
	found := "no problems"
	if len(warned) > 0 {
		found += ", " + count(len(warned), "warning")
	}
	tell(messages, "%s in %s, %s%s", count(children, "valid manifest"), directories(dirs), found, judgedFor(os.Geteuid(), o))
	return nil
}

// judgedFor says for whose reconciler there is no problem, where another one may have
// some: owners matter to root alone.
func judgedFor(euid int, o desired.Options) string {
	if euid == 0 || o.AsRoot || o.AnyOwner {
		return ""
	}
	return "; owners were not judged, as for a reconciler of root (--as-root)"
}

// located are problems whose file can be opened from here.
func located(dir string, problems []desired.Problem) []desired.Problem {
	out := make([]desired.Problem, 0, len(problems))
	for _, p := range problems {
		p.File = locate(dir, p.File)
		out = append(out, p)
	}
	return out
}

// locate is a file of a manifests directory as it can be opened from here.
func locate(dir, file string) string { return filepath.Join(dir, filepath.FromSlash(file)) }

func (a *app) printProblems(problems, warned []desired.Problem, output string, out io.Writer) error {
	switch output {
	case "json":
		return writeJSON(out, findings(problems, warned))
	case "github":
		return annotateProblems(findings(problems, warned), out)
	case "sarif":
		return printSARIF(findings(problems, warned), a.Version, out)
	}
	for _, p := range problems {
		if err := tell(out, "%s", p); err != nil {
			return err
		}
	}
	for _, w := range warned {
		if err := tell(out, "%s", warningText(w)); err != nil {
			return err
		}
	}
	return nil
}

func directories(dirs []string) string {
	if len(dirs) == 1 {
		return dirs[0]
	}
	return fmt.Sprintf("%d directories", len(dirs))
}
