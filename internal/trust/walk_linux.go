package trust

import "golang.org/x/sys/unix"

const searchOnly = unix.O_PATH

// onReadOnly reports whether the file system of a descriptor is mounted read-only.
func onReadOnly(fd int) bool {
	var st unix.Statfs_t
	return retry(func() error { return unix.Fstatfs(fd, &st) }) == nil && st.Flags&unix.ST_RDONLY != 0
}
