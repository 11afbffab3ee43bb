package shim

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// ending is how far the end of a process has come.
type ending int

const (
	alive    ending = iota
	unreaped        // it ended, but its parent, which is not us, has not reaped it: its status may still come
	ended
)

// status is how a process ended; not known means that nobody could see.
type status struct {
	known  bool
	code   int
	signal unix.Signal // 0: it ended by itself
	core   bool
}

func waitStatus(ws unix.WaitStatus) status {
	if ws.Signaled() {
		return status{known: true, signal: ws.Signal(), core: ws.CoreDump()}
	}
	return status{known: true, code: ws.ExitStatus()}
}

// kill is the only place that calls kill(2). A negative target is a process
// group. It refuses what could be everybody (-1, 0), init or ourselves: a number
// that went wrong must not end the machine.
func kill(target int, sig unix.Signal) error {
	own := target == unix.Getpid() || target == -unix.Getpgrp()
	if target >= -1 && target <= 1 || own {
		return fmt.Errorf("refused to send signal %d to %d", sig, target)
	}
	return unix.Kill(target, sig)
}
