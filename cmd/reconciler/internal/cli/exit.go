package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"

	"github.com/reconciler-dev/reconciler/internal/harmless"
)

// The exit codes of the contract.
const (
	Failed      = 1
	Usage       = 2
	NoDaemon    = 3
	NoSuchChild = 4

	// NotPermitted says that the reconciler does not obey this user, or that what it
	// keeps is closed to them.
	NotPermitted = 5

	// LeftAlive says that a shutdown left processes behind that nobody saw ending.
	LeftAlive = 6

	TimedOut = 124
)

// exitError is an error with an exit code of its own.
type exitError struct {
	code int
	err  error // nil: all was said already

	// wellUsed says that the help is no help, whatever the code.
	wellUsed bool
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// withCode is a new error that ends the program with code.
func withCode(code int, format string, args ...any) error {
	return &exitError{code: code, err: fmt.Errorf(format, args...)}
}

// silently ends the program with code and prints nothing more.
func silently(code int) error { return &exitError{code: code} }

// ExitWith ends the program with code and prints nothing more; nil for 0.
func ExitWith(code int) error {
	if code == 0 {
		return nil
	}
	return silently(code)
}

// Code is the exit code for what a command returned.
func Code(err error) int {
	var e *exitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &e):
		return e.code
	case errors.Is(err, fs.ErrPermission):
		return NotPermitted
	}
	return Failed
}

// Execute runs the command tree on args and returns the exit code. It is the one
// place that prints an error. Whatever a verb writes to its output and error is made
// harmless on the way.
func Execute(ctx context.Context, root *cobra.Command, args []string) int {
	out, errs := harmless.NewWriter(root.OutOrStdout()), harmless.NewWriter(root.ErrOrStderr())
	defer out.Flush()
	defer errs.Flush()
	root.SetOut(out)
	root.SetErr(errs)
	root.SetArgs(append([]string{}, args...)) // with nil, cobra takes os.Args
	cmd, err := root.ExecuteContextC(ctx)
	report(root.ErrOrStderr(), cmd, err)
	return Code(err)
}

func report(w io.Writer, cmd *cobra.Command, err error) {
	var e *exitError
	if err == nil || errors.As(err, &e) && e.err == nil {
		return
	}
	for _, text := range errorLines(err) {
		tell(w, "reconciler: %s", text)
	}
	if Code(err) == Usage && (e == nil || !e.wellUsed) {
		tell(w, "See '%s --help'.", cmd.CommandPath())
	}
}

// noSuchVerb refuses the arguments of the root: they are verbs that do not exist.
func noSuchVerb(root *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if instead := insteadOf(args[0]); instead != "" {
		return withCode(Usage, "there is no command %q: %s", args[0], instead)
	}
	root.SuggestionsMinimumDistance = 2
	return withCode(Usage, "there is no command %q%s", args[0], didYouMean(root.SuggestionsFor(args[0])))
}

// args turns a wrong number of arguments into wrong use.
func args(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return withCode(Usage, "%w: write %s", err, cmd.UseLine())
		}
		return nil
	}
}

func didYouMean(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return fmt.Sprintf(" (did you mean %s?)", strings.Join(names, " or "))
}

// oneOf checks a flag that knows few values.
func oneOf(flag, value string, allowed ...string) error {
	for _, a := range allowed {
		if value == a {
			return nil
		}
	}
	return withCode(Usage, "--%s %q: want %s", flag, value, strings.Join(allowed, ", "))
}
