package daemon

import "golang.org/x/sys/unix"

// cleanProcess makes what this process inherited count for nothing: its files get the
// modes that they are made with (0 as umask opened folders and sockets to everybody,
// 077 closed status files to their readers), and a crash leaves no core with secrets.
// The shim does the same for itself and for children; signals are taken by signals.go.
func cleanProcess() {
	unix.Umask(0o022)
	var core unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_CORE, &core) == nil {
		core.Cur = 0
		_ = unix.Setrlimit(unix.RLIMIT_CORE, &core) // to lower it is always allowed
	}
}
