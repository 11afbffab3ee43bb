package cli

import (
	"fmt"
	"os"
	"syscall"
)

// hangUp tells the reconciler of a state directory to look again. The handle is
// taken first and the holder is asked for again afterwards: the process that the
// handle means is then the one that holds the lock, also where its pid was given
// to another one in between (on Linux the handle is a pidfd).
func (a *app) hangUp() (pid int, err error) {
	pid, err = a.holderPID()
	if err != nil {
		return 0, err
	}
	process, err := os.FindProcess(pid)
	if err != nil {
		return 0, fmt.Errorf("find the reconciler, pid %d: %w", pid, err)
	}
	again, err := a.holderPID()
	if err != nil {
		return 0, err
	}
	if again != pid {
		return 0, withCode(NoDaemon, "the reconciler was replaced just now (pid %d by %d): try again", pid, again)
	}
	if err := process.Signal(syscall.SIGHUP); err != nil {
		return 0, fmt.Errorf("signal the reconciler, pid %d: %w", pid, err)
	}
	return pid, nil
}

// holderPID is the pid of the running reconciler. 0, 1 and negative numbers mean
// others to kill(2) and are refused.
func (a *app) holderPID() (int, error) {
	pid, running, err := a.Holder(a.State)
	switch {
	case err != nil:
		return 0, fmt.Errorf("find the reconciler of %s: %w", a.State, err)
	case !running:
		return 0, withCode(NoDaemon, "no reconciler runs with the state directory %s (start it with: %s)", a.State, a.startCommand())
	case pid <= 1:
		return 0, fmt.Errorf("the lock of %s names pid %d, which cannot be a reconciler", a.State, pid)
	}
	return pid, nil
}

// startCommand is what starts the reconciler for these directories.
func (a *app) startCommand() string {
	return fmt.Sprintf("reconciler run --manifests %s --status %s --state %s", a.Manifests, a.Status, a.State)
}
