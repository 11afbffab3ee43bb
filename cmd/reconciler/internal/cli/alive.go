package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"path/filepath"
	"syscall"

	"github.com/reconciler-dev/reconciler/pkg/control"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/status"
)

// warnIfDead says on w when what the status files show is not kept up to date any
// more, and returns what they say of the runtime. It is an error, NoDaemon, if no
// reconciler ever wrote them.
func (a *app) warnIfDead(w io.Writer) (*status.Runtime, error) {
	r, err := status.ReadRuntime(a.Status)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, withCode(NoDaemon, "no reconciler has written status files to %s (start one with: %s)", a.Status, a.startCommand())
	case err != nil:
		return nil, err
	}
	for _, notice := range a.notices(r) {
		tell(w, "%s", notice)
	}
	return r, nil
}

// notices are what a reader should know of the runtime before believing the rest, a
// sentence each; none when all is well. What is held back comes first.
func (a *app) notices(r *status.Runtime) []string {
	if dead := a.lifeless(r); dead != "" {
		return []string{dead}
	}
	var all []string
	if s, ok := r.Condition(child.ConditionStalled); ok && s.Status == "True" {
		all = append(all, fmt.Sprintf("The manifests are not followed to the letter (%s): %s", s.Reason, s.Message))
	}
	if r.State == status.Alive && !r.Shim.Connected && r.Shim.Reason != "" {
		all = append(all, "What stands here may be old: "+r.Shim.Reason)
	}
	if n := len(r.Problems); n > 0 {
		all = append(all, fmt.Sprintf("The manifests have %s: see reconciler validate", count(n, "problem")))
	}
	return all
}

// lifeless says that what the files show is not kept up to date any more; "" if it is.
func (a *app) lifeless(r *status.Runtime) string {
	now := a.Now()
	switch {
	case r.ExitReport != nil:
		return fmt.Sprintf("The reconciler ended %s ago (%s: %s): this is how it left things. Start it with: %s",
			humanDuration(now.Sub(r.ExitReport.CompletedAt)), r.State, r.ExitReport.Reason, a.startCommand())
	case !r.Alive(now) || a.refused():
		return fmt.Sprintf("The reconciler (pid %d) was last seen %s ago and is taken for dead: this is how things were then. Start it with: %s",
			r.PID, humanDuration(now.Sub(r.ObservedAt)), a.startCommand())
	}
	return ""
}

// refused reports whether the control socket is there and nobody listens on it:
// the reconciler was killed, also if its status files do not look old yet.
func (a *app) refused() bool {
	err := control.WithAddress(filepath.Join(a.State, control.SocketName), func(address string) error {
		conn, err := net.Dial("unix", address)
		if err == nil {
			err = conn.Close()
		}
		return err
	})
	return errors.Is(err, syscall.ECONNREFUSED)
}

// count is "1 problem" or "3 problems"; a plural that is not formed by an s follows.
func count(n int, what string, plural ...string) string {
	switch {
	case n == 1:
		return "1 " + what
	case len(plural) > 0:
		return fmt.Sprintf("%d %s", n, plural[0])
	}
	return fmt.Sprintf("%d %ss", n, what)
}
