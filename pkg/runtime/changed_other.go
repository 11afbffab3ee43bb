//go:build !linux

package runtime

import "syscall"

// changedAt is when the status of a file changed, in nanoseconds.
func changedAt(st *syscall.Stat_t) int64 { return st.Ctimespec.Nano() }
