//go:build linux

package shim

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestShimWhoseFilesAreTakenAwayMakesThemAgain(t *testing.T) {
	for _, what := range []string{"sock", "lock", ".", ".."} {
		t.Run(what, func(t *testing.T) {
			b := newBench(t, "")
			k, later := key("web", 0), key("later", 0)
			p, pid := b.run(k, stay), b.list.Shim.PID
			b.disconnect()

			if err := os.RemoveAll(filepath.Clean(shimDir(b.dir) + "/" + what)); err != nil {
				t.Fatal(err)
			}
			b.until("its files are there again", func() bool {
				_, sock := os.Lstat(filepath.Join(shimDir(b.dir), socketName))
				_, lock := os.Lstat(lockPath(b.dir))
				return sock == nil && lock == nil
			})
			b.connect()

			if b.list.Shim.PID != pid || len(b.list.Running) != 1 || b.list.Running[0].PID != p.PID {
				t.Fatalf("list = %+v, want shim %d with %d", b.list, pid, p.PID)
			}
			b.run(later, exitWith, 0)
			b.exited(later)
			b.client.Ack(later)
			b.killShim()
			if len(b.list.Running) != 1 || b.list.Running[0].PID != p.PID {
				t.Errorf("the next shim lists %+v, want %d", b.list, p.PID)
			}
			b.client.Signal(k, "SIGKILL", true)
			b.exited(k)
			b.client.Ack(k)
		})
	}
}

func TestNoShimBeginsBesideOneWhoseDirectoryWasDeleted(t *testing.T) {
	b := newBench(t, "")
	k := key("web", 0)
	b.run(k, stay)
	b.disconnect()
	pid := b.list.Shim.PID
	if err := kill(pid, unix.SIGSTOP); err != nil { // it cannot make its files again
		t.Fatal(err)
	}
	if err := os.RemoveAll(shimDir(b.dir)); err != nil {
		t.Fatal(err)
	}

	argv := b.command()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	said, err := exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput()
	if resumed := kill(pid, unix.SIGCONT); resumed != nil {
		t.Fatal(resumed)
	}

	if err == nil || !strings.Contains(string(said), "runs whose directory") {
		t.Errorf("a second shim ended with %v, and said %s", err, said)
	}
	b.until("the first is at home again", func() bool {
		_, err := os.Lstat(filepath.Join(shimDir(b.dir), socketName))
		return err == nil
	})
	b.connect()
	b.client.Signal(k, "SIGKILL", true)
	b.exited(k)
	b.client.Ack(k)
}

func TestDirectoryThatWasMovedAwayIsStillTaken(t *testing.T) {
	b := newBench(t, "")
	k := key("web", 0)
	b.run(k, stay)
	b.disconnect()
	away := b.dir + ".old"
	if err := os.Rename(b.dir, away); err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(away)
	b.until("the shim has a home again", func() bool {
		_, err := os.Lstat(filepath.Join(shimDir(b.dir), socketName))
		return err == nil
	})

	_, err := tryLock(lockPath(away))

	if err == nil {
		t.Error("another shim could take the same children from the directory that was moved")
	}
	b.connect()
	b.client.Signal(k, "SIGKILL", true)
	b.exited(k)
	b.client.Ack(k)
}

func TestShimInADirectoryThatWasMadeAgainKnowsTheMarksOfBefore(t *testing.T) {
	b := newBench(t, nowhere) // without a cgroup the marks are all there is
	k := key("web", 0)
	b.run(k, family, stay, -1, "setsid")
	grandchild := b.printedPID(k, "grandchild ")
	if err := os.RemoveAll(b.dir); err != nil {
		t.Fatal(err)
	}
	b.until("the shim has a home again", func() bool {
		_, err := os.Lstat(filepath.Join(shimDir(b.dir), socketName))
		return err == nil
	})

	b.killShim()
	b.client.Signal(k, "SIGKILL", true)
	b.exited(k)

	if !b.gone(grandchild) {
		t.Errorf("%s was not known to the next shim, and lives", describe(grandchild))
	}
	b.client.Ack(k)
}
