package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/reconciler-dev/reconciler/pkg/control"
	"github.com/reconciler-dev/reconciler/pkg/control/client"
)

// ask gives f the client of the running reconciler, and its error the exit code
// that the contract promises.
func (a *app) ask(f func(*client.Client) error) error {
	c := client.New(a.State)
	defer c.Close()
	return a.explained(f(c))
}

// explained gives an error of the client its exit code.
func (a *app) explained(err error) error {
	var coded *exitError
	var refused *control.Error
	switch {
	case err == nil || errors.As(err, &coded):
		return err
	case errors.Is(err, client.ErrNoDaemon):
		return withCode(NoDaemon, "no reconciler runs with the state directory %s (start it with: %s)", a.State, a.startCommand())
	case errors.Is(err, fs.ErrPermission):
		return &exitError{code: NotPermitted, err: err}
	case errors.Is(err, context.DeadlineExceeded):
		return withCode(TimedOut, "the reconciler did not answer in time")
	case errors.As(err, &refused):
		return &exitError{code: codeOf(refused), err: errors.New(refused.Error())}
	}
	return err
}

func codeOf(e *control.Error) int {
	switch e.Code {
	case control.CodeChildNotFound:
		return NoSuchChild
	case control.CodeNotPermitted:
		return NotPermitted
	case control.CodeTimedOut:
		return TimedOut
	}
	return Failed
}

// startCommand is what starts the reconciler for these directories.
func (a *app) startCommand() string {
	return fmt.Sprintf("reconciler run --manifests %s --status %s --state %s", a.Manifests, a.Status, a.State)
}
