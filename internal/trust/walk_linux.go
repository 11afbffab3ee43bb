package trust

import "golang.org/x/sys/unix"

const searchOnly = unix.O_PATH

// onReadOnly reports whether the file system of a descriptor is mounted read-only.
func onReadOnly(fd int) bool {
	var st unix.Statfs_t
	return retry(func() error { return unix.Fstatfs(fd, &st) }) == nil && st.Flags&unix.ST_RDONLY != 0
}

// hasACL reports whether a thing has a POSIX access list with more in it than its
// mode says. The folder in which it stands was judged, so it is asked by its path.
func hasACL(path string) bool {
	size, err := unix.Lgetxattr(path, "system.posix_acl_access", nil)
	return err == nil && size > 0
}
