//go:build linux

package shim

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestStartFailureSaysWhatToDo(t *testing.T) {
	b := newBench(t, "")
	write := func(name, content string, mode os.FileMode) string {
		path := filepath.Join(b.dir, name)
		if err := os.WriteFile(path, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range []struct{ name, path, dir, want string }{
		{"missing file", "/no/such/file", "", "no such file"},
		{"not executable", write("plain", "x", 0o600), "", "chmod +x"},
		{"directory", b.dir, "", "no regular file"},
		{"no format", write("junk", "\x00junk", 0o700), "", "with #! at its beginning"},
		{"missing interpreter", write("script", "#!/no/interpreter -x\n", 0o700), "", "/no/interpreter"},
		{"missing directory", self, "/no/such/dir", "working directory"},
	} {
		l := b.launch(key(fmt.Sprint("c", i), 0), exitWith, 0)
		l.Path = c.path
		if c.dir != "" {
			l.Dir = c.dir
		}

		b.client.Start(l)
		f := await(b, func(f StartFailed) bool { return f.Key == l.Key })

		if !strings.Contains(f.Reason, c.want) || f.Busy {
			t.Errorf("%s: %+v, want %q in the reason", c.name, f, c.want)
		}
	}
}

func TestFailedStartIsAnsweredAgainAndItsKeyIsUsedUp(t *testing.T) {
	b := newBench(t, "")
	l := b.launch(key("web", 1), exitWith, 0)
	l.Path = "/no/such/file"

	b.client.Start(l)
	first := await[StartFailed](b, nil)
	b.client.Start(l)
	second := await[StartFailed](b, nil)

	if first != second {
		t.Errorf("answers differ: %+v and %+v", first, second)
	}

	b.client.Start(b.launch(key("web", 0), exitWith, 0))
	old := await[StartFailed](b, nil)

	if old.Busy || !strings.Contains(old.Reason, "not newer") {
		t.Errorf("an older key: %+v, want it refused", old)
	}
}

func TestStartOfOneKeyTwiceStartsOneProcess(t *testing.T) {
	b := newBench(t, "")
	k := key("web", 0)

	b.client.Start(b.launch(k, stay))
	b.client.Start(b.launch(k, stay))
	first := b.started(k)
	b.client.Start(b.launch(k, stay))
	again := b.started(k)

	if first.PID != again.PID || first.PID == 0 {
		t.Errorf("processes %d and %d", first.PID, again.PID)
	}

	b.client.Signal(k, "SIGKILL", true)
	r := b.exited(k)
	b.client.Start(b.launch(k, stay))
	same := b.exited(k)

	if same.PID != r.PID {
		t.Errorf("after its end: %+v, want %+v again", same, r)
	}

	b.client.Ack(k)
	b.client.Start(b.launch(k, stay))
	if f := await[StartFailed](b, nil); f.Busy {
		t.Errorf("after the acknowledgement: %+v, want it refused for good", f)
	}
}

func TestSecondAttemptIsRefusedWhileOneLives(t *testing.T) {
	b := newBench(t, "")
	p := b.run(key("web", 0), stay)

	b.client.Start(b.launch(key("web", 1), stay))
	f := await[StartFailed](b, nil)

	if !f.Busy || !strings.Contains(f.Reason, fmt.Sprint(p.PID)) {
		t.Errorf("answer = %+v, want busy and the pid %d", f, p.PID)
	}

	b.client.Signal(key("web", 0), "SIGKILL", true)
	b.exited(key("web", 0))
	b.client.Start(b.launch(key("web", 1), stay))
	next := b.started(key("web", 1))

	if next.PID == p.PID {
		t.Errorf("the same process: %+v", next)
	}
	b.client.Ack(key("web", 0))
	b.client.Signal(key("web", 1), "SIGKILL", true)
	b.exited(key("web", 1))
	b.client.Ack(key("web", 1))
}

func TestStartIntoAPopulatedCgroupIsRefused(t *testing.T) {
	own, err := ownGroup()
	if err != nil {
		t.Skipf("no cgroup2 here: %v", err)
	}
	b := newBench(t, "")
	tag, err := tagOf(b.dir)
	if err != nil {
		t.Fatal(err)
	}
	k := key("web", 0)
	dir := filepath.Join(own, "reconciler-"+tag, entryName(k))
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Skipf("no rights to make a cgroup: %v", err)
	}
	fd, err := unix.Open(dir, unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	l := b.launch(key("squatter", 0), stay)
	squatter, err := spawn(l, []uintptr{null.Fd(), null.Fd(), null.Fd()}, fd)
	unix.Close(fd)
	if err != nil {
		t.Fatal(err)
	}

	b.client.Start(b.launch(k, stay))
	f := await[StartFailed](b, nil)

	if !f.Busy {
		t.Errorf("answer = %+v, want busy", f)
	}

	_ = squatter.signal(unix.SIGKILL)
	g := &groups{base: filepath.Dir(dir)}
	b.until("the cgroup is empty", func() bool { return b.gone(squatter.pid) && !g.populated(filepath.Base(dir)) })
	squatter.close()
	b.run(k, stay)
	b.client.Signal(k, "SIGKILL", true)
	b.exited(k)
	b.client.Ack(k)
}

func TestChildGetsThreeFilesAndAMark(t *testing.T) {
	inherited, err := os.Open("/etc/passwd")
	if err != nil {
		t.Fatal(err)
	}
	defer inherited.Close()
	if _, err := unix.FcntlInt(inherited.Fd(), unix.F_SETFD, 0); err != nil {
		t.Fatal(err)
	}
	b := newBench(t, "")
	k := key("app/web", 3)

	l := b.launch(k, exitWith, 0)
	l.Path, l.Args = "/bin/sh", []string{"sh", "-c", "cd /proc/$$/fd && echo * && echo $RECONCILER_KEY"}
	b.client.Start(l)
	b.exited(k)

	tag, _ := tagOf(b.dir)
	// 3 is the directory that the shell reads.
	if got, want := b.output(k), "0 1 2 3\napp/web#1.3@"+tag+"\n"; got != want {
		t.Errorf("it printed %q, want %q", got, want)
	}
	b.client.Ack(k)
}

func TestChildOfAnotherUserCanOpenItsOutputAgain(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can change the user")
	}
	b := newBench(t, "")
	k := key("web", 0)
	l := b.launch(k, exitWith, 0)
	l.Path, l.Args = "/bin/sh", []string{"sh", "-c", "id -u > /dev/stdout; id -G > /dev/stderr"}
	l.Dir, l.Credential = "/", &Credential{UID: 65534, GID: 65534, Groups: []uint32{65533}}

	b.client.Start(l)
	r := b.exited(k)

	if got := b.output(k); got != "65534\n65534 65533\n" || r.Code == nil || *r.Code != 0 {
		t.Errorf("it printed %q, report %+v", got, r)
	}
	b.client.Ack(k)
}

func TestTableAndListHoldNoSecret(t *testing.T) {
	b := newBench(t, "")
	b.run(key("web", 0), stay, "argument-canary")

	table, err := os.ReadFile(tablePath(b.dir))
	if err != nil {
		t.Fatal(err)
	}
	environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", b.list.Shim.PID))
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{string(table), string(environ)} {
		if strings.Contains(text, "canary") {
			t.Errorf("a secret: %s", text)
		}
	}
	b.client.Signal(key("web", 0), "SIGKILL", true)
	b.exited(key("web", 0))
	b.client.Ack(key("web", 0))
}

// A user's state directory may have too long a path for a socket.
func TestTheShimLearnsWhereItsUserHasSockets(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", "/run/user/4242")
	t.Setenv("NOT_FOR_SHIMS", "4242")
	b := newBench(t, "")

	environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", b.list.Shim.PID))
	if err != nil {
		t.Fatal(err)
	}
	variables := strings.Split(string(environ), "\x00")

	if !slices.Contains(variables, "XDG_RUNTIME_DIR=/run/user/4242") || slices.Contains(variables, "NOT_FOR_SHIMS=4242") {
		t.Errorf("the shim has %q; want the runtime directory, and nothing else of ours", variables)
	}
}

func TestSecondShimSaysWhoHoldsTheDirectory(t *testing.T) {
	b := newBench(t, "")

	err := Serve(t.Context(), Config{StateDir: b.dir})

	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("pid %d", b.list.Shim.PID)) {
		t.Errorf("a second shim: %v, want the pid %d", err, b.list.Shim.PID)
	}
	if errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}
