//go:build !linux

package trust

import "golang.org/x/sys/unix"

// searchOnly is O_SEARCH of macOS: a folder that may be passed need not be readable.
const searchOnly = 0x40000000

// onReadOnly reports whether the file system of a descriptor is mounted read-only.
func onReadOnly(fd int) bool {
	var st unix.Statfs_t
	return retry(func() error { return unix.Fstatfs(fd, &st) }) == nil && st.Flags&unix.MNT_RDONLY != 0
}

// hasACL is false: access lists of macOS are no part of the mode.
func hasACL(string) bool { return false }
