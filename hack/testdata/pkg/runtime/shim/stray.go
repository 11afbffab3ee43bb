package shim

import (
	"os/exec"
	sys "syscall"
)

func stray(cmd *exec.Cmd, pid int) error {
	sys.Kill(pid, sys.SIGKILL)
	return cmd.Process.Kill()
}
