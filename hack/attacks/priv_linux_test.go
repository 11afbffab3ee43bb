package attacks

import (
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// stateOfNobody has nobody run a reconciler of his own until its child has run, and
// end it. What it recorded is a child of nobody's choice, in a directory that root
// may be told to use: everybody may write there, as in /tmp.
func (h *house) stateOfNobody() {
	h.t.Helper()
	h.State = filepath.Join(h.Open, "state")
	own := filepath.Join(h.Open, "own")
	manifest := fmt.Sprintf("name: evil\ncommand: [sh, -c, %s]\nrestart_policy: temporary\n", quoted(h.payload()))
	script := `set -e
mkdir "$1" && printf %s "$2" >"$1/evil.yaml"
"$4" run --manifests "$1" --state "$3" --status "$1-status" & pid=$!
for i in $(seq 600); do [ -e "$5/ran-as-65534" ] || sleep 0.05; done
kill $pid && wait $pid
chmod 1777 "$3"`
	got := asNobody(h.t, "sh", "-c", script, "sh", own, manifest, h.State, program(), h.Open)
	if got.Code != 0 {
		h.t.Fatalf("nobody's own reconciler: %+v", got)
	}
}

func TestRootRunsNothingThatNobodyRecorded(t *testing.T) {
	h := newHouse(t)
	h.stateOfNobody()
	for _, name := range []string{"records/children.log", "shim", "journal"} {
		if _, err := os.Stat(filepath.Join(h.State, name)); err != nil {
			t.Fatalf("nobody has nothing to swap: %v", err)
		}
	}

	got := h.refusesToStart()

	if !strings.Contains(got.Err, h.State) || !strings.Contains(got.Err, "chown root") {
		t.Errorf("the refusal is %+v; want what is wrong with %s, and the way out", got, h.State)
	}
	h.notAsRoot()
}

func TestRootRunsNothingThatNobodySwappedIn(t *testing.T) {
	h := newHouse(t)
	h.stateOfNobody()
	theirs := h.State
	h.State = filepath.Join(h.Open, "roots")
	h.do(os.Mkdir(h.State, 0o755), os.Chmod(h.State, 0o777))

	for _, name := range []string{"records", "shim", "journal", "logs", "hash-key"} {
		if got := asNobody(t, "mv", filepath.Join(theirs, name), h.State); got.Code != 0 {
			t.Fatalf("nobody cannot put his %s into a directory for all: %+v", name, got)
		}
	}
	open := h.refusesToStart()
	h.do(os.Chmod(h.State, 0o755)) // as the message says; and still there is what nobody put
	closed := h.refusesToStart()

	for _, got := range []result{open, closed} {
		if !strings.Contains(got.Err, h.State) {
			t.Errorf("the refusal is %+v; want what is wrong", got)
		}
	}
	h.notAsRoot()
}

// forge listens at the path of a socket and writes what it hears to a file.
var forge = attack("forge", func(args []string) error {
	l, err := net.Listen("unix", args[0])
	if err != nil {
		return err
	}
	fmt.Println("listening")
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer c.Close()
			buf := make([]byte, 4096)
			n, _ := c.Read(buf)
			_ = os.WriteFile(args[1], buf[:n], 0o644) // nothing at all is a word, too
		}()
	}
})

func TestRootTellsAForgedControlSocketNothing(t *testing.T) {
	h := newHouse(t)
	heard := filepath.Join(h.Open, "heard")
	h.do(os.Mkdir(h.State, 0o755), os.Chmod(h.State, 0o777|fs.ModeSticky))
	attackBesideAsNobody(t, forge, filepath.Join(h.State, "reconciler.sock"), heard)

	got := h.reconciler("shutdown", "--reason", "root said so")

	if got.Code != 5 || !strings.Contains(got.Err, "is run by nobody") {
		t.Errorf("shutdown = %+v; want code 5, and that nobody answers there", got)
	}
	h.heardNothing(heard)
}

func (h *house) heardNothing(file string) {
	h.t.Helper()
	waitFor(h.t, func() string {
		text, err := os.ReadFile(file)
		if err != nil {
			return "nobody has not heard that somebody connected: " + err.Error()
		}
		if len(text) > 0 {
			h.t.Errorf("nobody was told %q", text)
		}
		return ""
	})
}

func TestRootTellsAForgedShimNothing(t *testing.T) {
	h := newHouse(t)
	heard := filepath.Join(h.Open, "heard")
	shim := filepath.Join(h.State, "shim")
	h.manifest("web", sleeper)
	h.do(os.MkdirAll(shim, 0o755), os.Chmod(shim, 0o777))
	attackBesideAsNobody(t, forge, filepath.Join(shim, "sock"), heard)
	h.do(os.Chmod(shim, 0o755)) // what was planted stays

	d := &daemon{h: h, cmd: as(0, exec.Command(program(), append([]string{"run"}, h.flags()...)...))}
	d.cmd.Stderr = &d.messages
	h.do(d.cmd.Start())
	t.Cleanup(d.stop)

	waitFor(t, func() string {
		if !strings.Contains(d.messages.String(), "is run by nobody") {
			return "the reconciler does not say whose shim that is"
		}
		return ""
	})
	h.heardNothing(heard)
	if pid := h.field("web", "pid"); pid != "" {
		t.Errorf("the child has the pid %s, which nobody invented", pid)
	}
}

// holdLocks locks what it can open, for ever.
var holdLocks = attack("hold-locks", func(paths []string) error {
	for _, p := range paths {
		if f, err := os.Open(p); err == nil {
			if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
				return err
			}
			fmt.Print("locked ", p, "; ")
			defer f.Close()
		}
	}
	fmt.Println()
	return unix.Pause()
})

func TestNobodyHoldsUpAStart(t *testing.T) {
	h := newHouse(t)
	h.manifest("web", sleeper)
	h.daemon().kill() // and all there is to lock is there
	locked := attackBesideAsNobody(t, holdLocks, h.Manifests, h.Status, filepath.Join(h.Status, ".lock"), filepath.Join(h.Status, "web.json"),
		filepath.Join(h.Status, "reconciler.json"), h.State, filepath.Join(h.State, "lock"), filepath.Join(h.State, "shim", "lock"))

	h.daemon()

	h.running("web")
	if !strings.Contains(locked, h.Status+";") || strings.Contains(locked, "lock;") {
		t.Errorf("nobody holds %q; want the status directory, and no lock of ours", locked)
	}
}

func TestAGroupIsShutOutWhenItIsNotLetInAnyMore(t *testing.T) {
	h := newHouse(t)
	d := h.daemon("--control-group", fmt.Sprint(nobody))
	if got := h.reconcilerAsNobody("health"); got.Code != 0 {
		t.Fatalf("a member of the group: %+v; want that it is let in", got)
	}
	d.stop()

	h.daemon()

	if got := h.reconcilerAsNobody("health"); got.Code != 5 {
		t.Errorf("a former member: %+v; want code 5", got)
	}
	if got := asNobody(t, "stat", filepath.Join(h.State, "lock")); got.Code == 0 {
		t.Errorf("a former member gets into the state directory: %+v", got)
	}
}
