package shim

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// holderOfDeleted is a process of the own user, or root's, that has a file open which
// once had this name, and which somebody has deleted; 0: there is none. The kernel
// marks such a name (proc_pid_fd(5)). Who is not of this user could have made a file
// of that name in a mount namespace of his own.
func holderOfDeleted(path string) int {
	for _, pid := range allPIDs() {
		if pid == os.Getpid() {
			continue
		}
		dir := "/proc/" + strconv.Itoa(pid)
		var st unix.Stat_t
		if unix.Lstat(dir, &st) != nil || st.Uid != 0 && int(st.Uid) != os.Geteuid() {
			continue
		}
		fds, err := os.ReadDir(dir + "/fd")
		if err != nil {
			continue
		}
		for _, fd := range fds {
			if to, err := os.Readlink(filepath.Join(dir, "fd", fd.Name())); err == nil && to == path+" (deleted)" {
				return pid
			}
		}
	}
	return 0
}

// nobodyBeside waits until no shim runs whose lock was deleted. It makes its lock again
// within a second; one that cannot is not passed over: its children would run twice.
func nobodyBeside(path string) error {
	if real, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		path = filepath.Join(real, filepath.Base(path))
	}
	for deadline := time.Now().Add(2 * lookEvery); ; time.Sleep(lookEvery / 20) {
		pid := holderOfDeleted(path)
		if pid == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("a shim, pid %d, runs whose directory %s was deleted, and its children would be started a second time: end them, and it, first", pid, filepath.Dir(path))
		}
	}
}
