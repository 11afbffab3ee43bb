//go:build !linux

package desired

import "golang.org/x/sys/unix"

// searchOnly opens a folder that may be passed, and need not be readable.
const searchOnly = unix.O_SEARCH

// onReadOnly reports whether what is open stands on a file system that is mounted
// read-only: nobody may write there, whatever the modes say.
func onReadOnly(fd int) bool {
	var st unix.Statfs_t
	err := retry(func() error { return unix.Fstatfs(fd, &st) })
	return err == nil && st.Flags&unix.MNT_RDONLY != 0
}

// Unwatchable reports that events of path are to be believed.
func (host) Unwatchable(string) bool { return false }
