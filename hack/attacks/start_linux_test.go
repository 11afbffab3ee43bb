package attacks

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/reconciler-dev/reconciler/internal/regular/regulartest"
)

// swapFor takes a file away and puts a link to something else in its place.
var swapFor = attack("swap-for", func(args []string) error {
	target, files := args[0], args[1:]
	for _, file := range files {
		if err := os.Remove(file); err != nil && !os.IsNotExist(err) {
			return err
		}
		if err := os.Symlink(target, file); err != nil {
			return err
		}
	}
	return nil
})

// Root reads what the manifests of a child name: its executable ahead of the start,
// env_files, reload.files. The child's user owns all three, and makes them links to
// what does something when it is opened. A FIFO and a device stand for /dev/watchdog.
func TestRootOpensNoDeviceThatAChildLinksTo(t *testing.T) {
	for _, kind := range []uint32{unix.S_IFIFO, unix.S_IFCHR} {
		h := newHouse(t)
		app, trap := filepath.Join(h.Dir, "app"), filepath.Join(h.Dir, "trap")
		if err := unix.Mknod(trap, kind|0o755, int(unix.Mkdev(1, 3))); err != nil {
			t.Logf("a trap of kind %#o cannot be made here: %v", kind, err)
			continue
		}
		env, conf, prog := filepath.Join(app, "env"), filepath.Join(app, "conf"), filepath.Join(app, "prog")
		h.write(env, "NAME=value\n")
		h.write(conf, "one\n")
		h.giveToNobody(app, env, conf, trap) // the trap too: a link to what is root's is refused as such
		const child = "name: %s\ncommand: [%s]\nrestart_policy: temporary\nrun_as: {user: nobody, group: \"%d\"}\n"
		h.manifest("env", fmt.Sprintf(child+"env_files: [%s]\n", "env", "sleep, '1000'", nobody, env))
		h.manifest("conf", fmt.Sprintf(child+"reload: {files: [%s], signal: SIGHUP}\n", "conf", "sleep, '1000'", nobody, conf))
		h.manifest("prog", fmt.Sprintf(child+"suspend: true\n", "prog", prog, nobody))
		opened := regulartest.WatchOpens(t, trap)
		h.daemon()
		h.running("env")
		h.running("conf")

		swapped := attackAsNobody(t, swapFor, trap, env, conf, prog)
		h.reconciler("restart", "env", "conf")
		h.manifest("prog", fmt.Sprintf(child, "prog", prog, nobody))
		for name, want := range map[string]string{"env": env, "prog": ""} {
			waitFor(t, func() string {
				if why := h.field(name, "last_exit.reason"); why == "" || !strings.Contains(why, want) {
					return fmt.Sprintf("%s ended because of %q; want the trap", name, why)
				}
				return ""
			})
		}
		waitFor(t, func() string {
			if n := h.field("conf", "attempt"); n == "1" {
				return "conf was not started again"
			}
			return ""
		})

		if swapped.Code != 0 {
			t.Errorf("kind %#o: the files were not swapped: %+v", kind, swapped)
		}
		if opened() {
			t.Errorf("kind %#o: root has opened it", kind)
		}
	}
}

// dirtyStart is what a shell of an operator may hand on, without a word.
const dirtyStart = `trap '' HUP INT TERM USR1 TSTP CONT TTIN TTOU; umask 077; ulimit -c unlimited 2>/dev/null
exec 7</dev/zero; exec nice -n 5 "$@"`

func TestAChildInheritsNothingOfTheShellThatStartedTheReconciler(t *testing.T) {
	h := newHouse(t)
	// grep asks about itself: a shell blocks signals for as long as it forks.
	h.manifest("web", `name: web
command: [sh, -c, 'grep -E "^(Umask|SigBlk|SigIgn)" /proc/self/status; cut -d" " -f19 /proc/$$/stat; ulimit -Sc; ls /proc/$$/fd; exec sleep 1000']
`)
	args := append([]string{"-c", dirtyStart, "sh", program(), "run"}, h.flags()...)
	cmd := as(0, exec.Command("sh", args...))
	h.do(cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	h.running("web")

	var got string
	waitFor(t, func() string {
		if got = strings.Join(strings.Fields(h.reconciler("logs", "web").Out), " "); !strings.Contains(got, "0 1 2") {
			return "it has printed " + got
		}
		return ""
	})

	want := "Umask: 0022 SigBlk: 0000000000000000 SigIgn: 0000000000000000 0 0 0 1 2"
	if got != want {
		t.Errorf("it begins with %q, want %q", got, want)
	}
	for path, mode := range map[string]os.FileMode{h.State: 0o700, h.Status: 0o755, filepath.Join(h.Status, "web.json"): 0o644} {
		fi, err := os.Stat(path)
		if err != nil || fi.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v; want the mode %v", path, fi.Mode(), err, mode)
		}
	}
}
