package shim

import "golang.org/x/sys/unix"

// closeInherited keeps what the shim inherited from its starter from its children.
func closeInherited() {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil {
		return
	}
	for fd := 3; fd < int(min(limit.Cur, 4096)); fd++ {
		unix.CloseOnExec(fd)
	}
}

// defaultSignals and the mask of cleanThread are for Linux: here a child has the
// signals of whoever started the reconciler.
func defaultSignals() {}

func cleanThread(bool) { _ = unix.Setpriority(unix.PRIO_PROCESS, 0, 0) }

// shelter is of Linux.
type shelter struct{}

func newShelter() *shelter { return &shelter{} }

func (*shelter) leave() {}
func (*shelter) enter() {}
func (*shelter) close() {}
