package private

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/reconciler-dev/reconciler/internal/testuser"
	"github.com/reconciler-dev/reconciler/internal/trust"
)

// mountedIn runs f on a thread with mounts of its own, which end with it.
func mountedIn(t *testing.T, f func() error) {
	t.Helper()
	asRoot(t)
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		var err error
		defer func() { done <- err }() // also when f fails the test
		err = unix.Unshare(unix.CLONE_NEWNS | unix.CLONE_FS)
		if err == nil {
			err = unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
		}
		if err == nil {
			err = f()
		}
	}()
	if err := <-done; errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSYS) {
		t.Skipf("no rights to mount, or an old kernel: %v", err)
	} else if err != nil {
		t.Fatal(err)
	}
}

func TestAMountIsJudgedAsWhatIsMounted(t *testing.T) {
	root := t.TempDir()
	at, theirs := filepath.Join(root, "state"), filepath.Join(root, "theirs")
	must(t, os.Mkdir(at, 0o700), os.Mkdir(theirs, 0o755))
	var tmpfs, open, bound, over error

	mountedIn(t, func() error {
		if err := os.Chown(theirs, testuser.Nobody, testuser.Nobody); err != nil {
			return err
		}
		if err := unix.Mount("none", at, "tmpfs", 0, "mode=0755"); err != nil {
			return err
		}
		tmpfs = errors.Join(Dir(at, trust.Own()), Admit(at, -1))
		if err := unix.Mount("none", at, "tmpfs", 0, ""); err != nil { // 1777, as tmpfs is by default
			return err
		}
		open = Dir(at, trust.Own())
		if err := unix.Mount(theirs, at, "", unix.MS_BIND, ""); err != nil {
			return err
		}
		bound = Dir(at, trust.Own())
		over = Dir(filepath.Join(at, "below"), trust.Own())
		return nil
	})

	if tmpfs != nil {
		t.Errorf("a tmpfs of root's: %v", tmpfs)
	}
	if open == nil || !strings.Contains(open.Error(), "chmod go-w "+at) {
		t.Errorf("a tmpfs with the mode 1777: %v; want a refusal with the way out", open)
	}
	for _, err := range []error{bound, over} {
		if err == nil || !strings.Contains(err.Error(), "chown root "+at) {
			t.Errorf("a directory of another user that is mounted there: %v; want a refusal", err)
		}
	}
}

func TestAnIDMappedMountIsJudgedByTheOwnerItShows(t *testing.T) {
	root := t.TempDir()
	from, at := filepath.Join(root, "disk"), filepath.Join(root, "state")
	must(t, os.Mkdir(from, 0o700), os.Mkdir(at, 0o700))
	var ours, theirs, made error

	mountedIn(t, func() error {
		if err := unix.Mount("none", from, "tmpfs", 0, "mode=0755"); err != nil {
			return err
		}
		// What 1000 owns on the disk is root's here; root on the disk is nobody known.
		if err := mapIDs(from, at, 1000, 0); err != nil {
			return err
		}
		theirs = Dir(at, trust.Own())
		if err := os.Chown(from, 1000, 1000); err != nil {
			return err
		}
		ours = errors.Join(Dir(at, trust.Own()), Admit(at, -1), Below(filepath.Join(at, "records")))
		// And one that has no number for root at all.
		other := filepath.Join(root, "other")
		if err := errors.Join(os.Mkdir(other, 0o700), os.Chmod(from, 0o755), mapIDs(from, other, 5000, 5000)); err != nil {
			return err
		}
		if err := unix.Chown(from, 5000, 5000); err != nil {
			return err
		}
		p := trust.Own().Also(5000)
		made = Dir(filepath.Join(other, "state"), p)
		return nil
	})

	if theirs == nil || !strings.Contains(theirs.Error(), "id-mapped") {
		t.Errorf("one whose owner has no number here: %v; want a refusal that says why chown does not help", theirs)
	}
	if ours != nil {
		t.Errorf("one whose owner is root here: %v", ours)
	}
	if made == nil || !strings.Contains(made.Error(), "id-mapped") {
		t.Errorf("a folder made where root has no number: %v; want to hear of the mapping", made)
	}
}

// mapIDs mounts from at another place, where the user and group inside has the number
// outside.
func mapIDs(from, at string, inside, outside int) error {
	ns := exec.Command("sleep", "1000")
	ns.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: inside, HostID: outside, Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: inside, HostID: outside, Size: 1}},
		Pdeathsig:   syscall.SIGKILL,
	}
	if err := ns.Start(); err != nil {
		return err
	}
	defer func() { _ = ns.Process.Kill(); _ = ns.Wait() }()
	users, err := os.Open("/proc/" + strconv.Itoa(ns.Process.Pid) + "/ns/user")
	if err != nil {
		return err
	}
	defer users.Close()
	tree, err := unix.OpenTree(unix.AT_FDCWD, from, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return err
	}
	defer unix.Close(tree)
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_IDMAP, Userns_fd: uint64(users.Fd())}
	if err := unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH, &attr); err != nil {
		return err
	}
	return unix.MoveMount(tree, "", unix.AT_FDCWD, at, unix.MOVE_MOUNT_F_EMPTY_PATH)
}

func TestAUserNamespaceHasItsOwnRoot(t *testing.T) {
	if os.Getenv("RECONCILER_TEST_USERNS") != "" {
		dir := os.Getenv("RECONCILER_TEST_USERNS")

		ours := errors.Join(Dir(filepath.Join(dir, "ours"), trust.Own()), Admit(filepath.Join(dir, "ours"), -1))
		theirs := Dir(filepath.Join(dir, "theirs"), trust.Own())

		if ours != nil {
			t.Errorf("one of the root of the namespace, below folders of nobody known: %v", ours)
		}
		if theirs == nil || !strings.Contains(theirs.Error(), "user namespace") {
			t.Errorf("one of the root outside: %v; want a refusal that says why chown does not help", theirs)
		}
		return
	}
	var out []byte
	var err error

	mountedIn(t, func() error {
		// Of those whom the namespace does not know none may be able to put something
		// in the way, as in the /tmp of the machine.
		if err := unix.Mount("none", os.TempDir(), "tmpfs", 0, "mode=0755"); err != nil {
			return err
		}
		dir := testuser.Dir(t)
		if err := os.Mkdir(filepath.Join(dir, "theirs"), 0o755); err != nil {
			return err
		}
		cmd := exec.Command(testuser.Binary(t), "-test.run=^TestAUserNamespaceHasItsOwnRoot$", "-test.v")
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "RECONCILER_TEST_USERNS="+dir)
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWUSER,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: testuser.Nobody, Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: testuser.Nobody, Size: 1}},
			Credential:  &syscall.Credential{NoSetGroups: true},
		}
		out, err = cmd.CombinedOutput()
		return nil
	})

	if err != nil || !strings.Contains(string(out), "--- PASS") {
		t.Errorf("in the namespace: %v\n%s", err, out)
	}
}
