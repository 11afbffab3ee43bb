package shim

import (
	"log"

	"golang.org/x/sys/unix"
)

// This file is the state that every start begins from: an attempt, a hook, a probe
// that is a command. It is the same whoever started the reconciler, and however; see
// docs/manifest.md, "What a process begins with". What is set for the whole process
// is set here, on the shim, from which children inherit it; what belongs to a thread
// is set by cleanThread on the one that forks.

// umask is what systemd, sshd and login give: it opens nothing to be written by others.
const umask = 0o022

// cleanProcess comes before anything else. Files that were inherited are let go too:
// a pipe or a terminal that a shim keeps open for days keeps others waiting.
func cleanProcess() {
	unix.Umask(umask)
	closeInherited()
	defaultSignals()
	if err := noCores(); err != nil {
		log.Printf("children may dump core, with their secrets in it: %v", err)
	}
}

// noCores takes the soft limit of core files to nothing; they hold every secret of a
// process. The hard limit stays, so who wants one may raise it ("ulimit -c").
func noCores() error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &limit); err != nil {
		return err
	}
	limit.Cur = 0
	return unix.Setrlimit(unix.RLIMIT_CORE, &limit)
}
