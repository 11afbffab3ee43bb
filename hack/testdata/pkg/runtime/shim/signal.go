package shim

import "golang.org/x/sys/unix"

func signal(pid int) error { return unix.Kill(pid, unix.SIGTERM) }
