package desired

import "golang.org/x/sys/unix"

// searchOnly opens a folder that may be passed, and need not be readable.
const searchOnly = unix.O_PATH

// onReadOnly reports whether what is open stands on a file system that is mounted
// read-only, as the volumes that kubelet fills from a ConfigMap are: their folders
// have mode 0777, and still nobody may write there.
func onReadOnly(fd int) bool {
	var st unix.Statfs_t
	err := retry(func() error { return unix.Fstatfs(fd, &st) })
	return err == nil && st.Flags&unix.ST_RDONLY != 0
}

// Unwatchable reports whether path stands on a file system whose changes other
// machines make: inotify shows only those made through this kernel.
func (host) Unwatchable(path string) bool {
	var st unix.Statfs_t
	if err := retry(func() error { return unix.Statfs(path, &st) }); err != nil {
		return false
	}
	switch uint32(st.Type) {
	case unix.NFS_SUPER_MAGIC, unix.SMB_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC, unix.CIFS_SUPER_MAGIC,
		unix.V9FS_MAGIC, unix.FUSE_SUPER_MAGIC, unix.AFS_FS_MAGIC, unix.CODA_SUPER_MAGIC:
		return true
	}
	return false
}
