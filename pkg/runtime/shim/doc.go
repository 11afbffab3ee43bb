// Package shim is the one owner of processes. A shim is a small process of its
// own that starts, signals and reaps children, moves their output to log files
// and keeps how they ended until somebody has written it down. The reconciler
// (the "brain") commands it through a Client and may be killed, crash or be
// upgraded at any time: children do not notice.
//
// Promises of a shim, whatever is killed when:
//
//   - At most one attempt of an ID lives; beside it, one process of each other
//     role of the key: hooks, and probes that are commands. A start is refused while an older one,
//     or something it left behind, is alive, and when its key is not newer than
//     the last. Starting one key twice starts it once.
//   - A start is written down before it is tried. A child is born in a cgroup of
//     its own where one can be had, so that nothing of it can escape a SIGKILL of
//     its tree; elsewhere its process group and the mark RECONCILER_KEY in its
//     environment stand in (Process.WeakKill).
//   - An exit is reported when the tree is empty and its output is in the log,
//     and again on every connection until it is acknowledged. What nobody saw is
//     Lost; an exit code is never invented.
//   - When the shim itself is killed, children live on: they hold their output
//     FIFO open for reading and writing, so it never breaks. The next shim of the
//     same state directory reads the table, proves the identity of what it finds
//     (pidfd first, then start time, pidfs inode and cgroup) and goes on.
//   - No signal ever goes to a process that is not the shim's own, nor to a pid or
//     group of 1 or less: one function calls kill(2).
//
// All of it runs in one goroutine around one epoll (kqueue on macOS); a few
// starters do what may be slow. There is no goroutine and no thread for a child.
// Nothing is fsynced: a crash does not lose the page cache, and after a reboot,
// or in another PID namespace, the table is void.
//
// The package imports only the standard library, x/sys/unix, internal packages, child and logs.
// It knows no manifest and no policy.
package shim
