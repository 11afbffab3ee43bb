package trust

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// ownMounts gives the thread of the test a mount namespace of its own. The thread is
// never unlocked, so it ends with the test and takes its mounts along.
func ownMounts(t *testing.T) {
	t.Helper()
	asRoot(t)
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS); err != nil {
		t.Skipf("a mount namespace cannot be had: %v", err)
	}
	must(t, unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
}

// mountReadOnly lasts until the end of the test, or until somebody unmounts it.
func mountReadOnly(t *testing.T, dir string) {
	t.Helper()
	must(t, unix.Mount(dir, dir, "", unix.MS_BIND, ""), unix.Mount("", dir, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""))
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
}

func TestMountThatIsReadOnlyExcusesModesAndNoOwner(t *testing.T) {
	ownMounts(t)
	root := tree(t, "volume/..data/file")
	volume, file := filepath.Join(root, "volume"), filepath.Join(root, "volume/..data/file")
	must(t, os.Chmod(volume, 0o777), os.Chmod(file, 0o666))
	_, open := Obey(nil).Check(file)
	mountReadOnly(t, volume)

	_, mounted := Obey(nil).Check(file)
	_, own := Own().Check(file)
	must(t, unix.Unmount(volume, 0), os.Chown(file, stranger, stranger))
	mountReadOnly(t, volume)
	_, theirs := Obey(nil).Check(file)

	if open == nil || own == nil || theirs == nil || mounted != nil {
		t.Errorf("writable: %v; read-only for what is ours: %v, with a stranger's file: %v, and what is obeyed: %v; want three refusals and none", open, own, theirs, mounted)
	}
}
