package daemon

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// keepMemory keeps what this process holds in memory, the values of secrets, from
// core dumps and from other processes of its own user: those cannot read its memory or
// environment, nor trace it (PR_SET_DUMPABLE(2const), proc_pid(5)). The limit
// RLIMIT_CORE alone would not do: a core_pattern with a pipe does not ask for it.
// Children do not inherit this: execve(2) sets it anew.
func keepMemory() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("keep secrets out of core dumps: %w", err)
	}
	return nil
}
