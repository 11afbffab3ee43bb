//go:build linux

package shim

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/reconciler-dev/reconciler/internal/testuser"
)

// speaks sends what it is told to the socket that it is told, once a line comes on
// the FIFO that it is told; "every" times, to no end with 0.
var speaks = role("speaks", func(args []string) int {
	socket, text, times := args[0], strings.ReplaceAll(args[1], ",", "\n"), 0
	if socket == "own" {
		socket = os.Getenv("NOTIFY_SOCKET")
	}
	if len(args) > 2 {
		times, _ = strconv.Atoi(args[2])
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		fmt.Println("not spoken", err)
		return 1
	}
	for i := 0; i < times || times == 0; i++ {
		if _, err := conn.Write([]byte(text)); err != nil {
			fmt.Println("not spoken", err)
			return 1
		}
	}
	fmt.Println("spoken", socket)
	<-time.After(time.Hour)
	return 0
})

// anotherUser is neither root nor the user of the children of these tests.
const anotherUser = testuser.Nobody - 1

// launchAs is a child of another user that plays a role and may use its socket.
func (b *bench) launchAs(uid uint32, id, name string, args ...any) Launch {
	b.Helper()
	if os.Getuid() != 0 {
		b.Skip("only root can start a child of another user")
	}
	l := b.launch(key(id, 0), name, args...)
	l.Path, l.Dir = testuser.Binary(b), "/"
	l.Credential = &Credential{UID: uid, GID: uid}
	l.Notify = true
	return l
}

func (b *bench) endOf(id string) {
	b.client.Signal(key(id, 0), "SIGKILL", true)
	b.exited(key(id, 0))
	b.client.Ack(key(id, 0))
}

func TestSocketIsTheUsersOfTheChildAndLetsNobodyElseSend(t *testing.T) {
	b := newBench(t, "")
	b.client.Start(b.launchAs(testuser.Nobody, "web", tells, "READY=1"))
	b.started(key("web", 0))
	socket := b.printed(key("web", 0), "said ")

	b.client.Start(b.launchAs(anotherUser, "other", speaks, socket, "STATUS=it is me", 1))
	b.started(key("other", 0))
	refusal := b.printed(key("other", 0), "not spoken")
	b.heard(func(n Notice) bool { return n.Key == key("web", 0) && n.Ready != nil && n.Foreign == 0 })

	fi, err := os.Stat(socket)
	if err != nil {
		t.Fatal(err)
	}
	if st := fi.Sys().(*syscall.Stat_t); st.Uid != testuser.Nobody || fi.Mode().Perm() != 0o600 {
		t.Errorf("the socket belongs to %d and has the mode %v", st.Uid, fi.Mode())
	}
	if !strings.Contains(refusal, "permission denied") {
		t.Errorf("another user was told %q", refusal)
	}
	for dir := filepath.Dir(socket); dir != "/run"; dir = filepath.Dir(dir) {
		if fi, err := os.Stat(dir); err != nil || fi.Mode().Perm() != 0o711 {
			t.Errorf("%s: %v, %v; want 0711", dir, fi.Mode(), err)
		}
	}
	b.exited(key("other", 0))
	b.client.Ack(key("other", 0))
	b.end()
}

// A variable in the environment of a process says nothing about who it is.
func TestKeyInTheEnvironmentOfAStrangerIsNotBelieved(t *testing.T) {
	for name, host := range hosts {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, host)
			socket := b.talking("STATUS=mine")
			b.heard(func(n Notice) bool { return n.Status != nil })
			tag, err := tagOf(b.dir)
			if err != nil {
				t.Fatal(err)
			}

			used.roles = append(used.roles, speaks)
			self, _ := os.Executable()
			cmd := exec.CommandContext(t.Context(), self, asChild, speaks, socket, "READY=1,STATUS=it is me", "1")
			cmd.Env = append(os.Environ(), KeyVariable+"="+markFor(key("web", 0), tag))
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			n := b.heard(func(n Notice) bool { return n.Foreign == 1 || n.Ready != nil })

			if n.Ready != nil || n.Status != nil {
				t.Errorf("a stranger was heard: %+v", n)
			}
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			b.end()
		})
	}
}

// Whoever was given a cgroup can make one in it that is called as a child's.
func TestCgroupOfTheSameNameSomewhereElseIsNotTheChilds(t *testing.T) {
	b := newBench(t, "")
	own, err := ownGroup()
	if err != nil {
		t.Skipf("no cgroup2 here: %v", err)
	}
	socket := b.talking("STATUS=mine")
	b.heard(func(n Notice) bool { return n.Status != nil })
	base := filepath.Join(own, "stranger-"+filepath.Base(filepath.Dir(socket)))
	dir := filepath.Join(base, entryName(key("web", 0)))
	if err := errors.Join(os.Mkdir(base, 0o755), os.Mkdir(dir, 0o755)); err != nil {
		t.Skipf("no rights to make a cgroup: %v", err)
	}
	defer func() { _ = errors.Join(os.Remove(dir), os.Remove(base)) }()
	in, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()

	self, _ := os.Executable()
	cmd := exec.CommandContext(t.Context(), self, asChild, speaks, socket, "READY=1", "1")
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(in.Fd())}
	if err := cmd.Start(); err != nil {
		t.Skipf("no rights to start a process in a cgroup: %v", err)
	}
	n := b.heard(func(n Notice) bool { return n.Foreign == 1 || n.Ready != nil })
	stranger, err := openProcess(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	base2 := openGroups(own, "reconciler-"+mustTag(t, b.dir))

	if n.Ready != nil {
		t.Errorf("a stranger was heard: %+v", n)
	}
	if base2.holds(entryName(key("web", 0)), stranger) {
		t.Error("by /proc/<pid>/cgroup it is one of the child's processes")
	}
	stranger.close()
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	b.end()
}

func mustTag(t *testing.T, dir string) string {
	t.Helper()
	tag, err := tagOf(dir)
	if err != nil {
		t.Fatal(err)
	}
	return tag
}

func TestNextShimListensAtTheSamePathForAChildOfAnotherUser(t *testing.T) {
	b := newBench(t, "")
	b.client.Start(b.launchAs(testuser.Nobody, "web", repeats, "STATUS=again"))
	b.started(key("web", 0))
	socket := b.printed(key("web", 0), "repeats at ")
	b.heard(func(n Notice) bool { return n.Status != nil })

	b.killShim()
	b.seen = nil
	b.heard(func(n Notice) bool { return n.Status != nil && *n.Status == "again" })

	fi, err := os.Stat(socket)
	if err != nil {
		t.Fatal(err)
	}
	if st := fi.Sys().(*syscall.Stat_t); st.Uid != testuser.Nobody || fi.Mode().Perm() != 0o600 {
		t.Errorf("the socket of the next shim belongs to %d and has the mode %v", st.Uid, fi.Mode())
	}
	b.end()
	if _, err := os.Stat(socket); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket is left behind: %v", err)
	}
}

// repeats says the same every few milliseconds, whether or not somebody hears it.
var repeats = role("repeats", func(args []string) int {
	fmt.Println("repeats at", os.Getenv("NOTIFY_SOCKET"))
	for {
		_ = say1(os.Getenv("NOTIFY_SOCKET"), args[0])
		<-time.After(10 * time.Millisecond)
	}
})

// A table whose end was lost names no socket; the file that is there does.
func TestSocketOfAChildThatTheTableLostIsFoundAgain(t *testing.T) {
	b := newBench(t, "")
	k := key("web", 0)
	l := b.launch(k, repeats, "STATUS=again")
	l.Notify = true
	b.client.Start(l)
	if b.started(k).WeakKill {
		b.end()
		t.Skip("without cgroups nobody is found but by the table")
	}
	b.heard(func(n Notice) bool { return n.Status != nil })
	if err := os.Truncate(tablePath(b.dir), 0); err != nil {
		t.Fatal(err)
	}

	b.killShim()
	b.seen = nil

	b.heard(func(n Notice) bool { return n.Status != nil && *n.Status == "again" })
	b.end()
}

func TestChildInANetworkNamespaceReachesItsSocket(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can make a network namespace here")
	}
	b := newBench(t, "")
	k := key("web", 0)
	l := b.launch(k, leaves, "READY=1")
	l.Notify = true
	b.client.Start(l)
	b.started(k)

	b.heard(func(n Notice) bool { return n.Ready != nil && *n.Ready })
	b.end()
}

// leaves speaks from a network namespace of its own.
var leaves = role("leaves", func(args []string) int {
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		fmt.Println(err)
		return 1
	}
	if err := say1(os.Getenv("NOTIFY_SOCKET"), args[0]); err != nil {
		fmt.Println(err)
		return 1
	}
	<-time.After(time.Hour)
	return 0
})

// The shims before these had abstract sockets, and their tables name none.
func TestChildOfAShimWithAbstractSocketsIsHeardThere(t *testing.T) {
	b := newBench(t, "")
	k := key("web", 0)
	l := b.launch(k, repeatsAt, abstractName(k, mustTag(t, b.dir)), "STATUS=still here")
	l.Notify = true
	b.client.Start(l)
	b.started(k)
	if err := kill(b.list.Shim.PID, unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	table, err := os.ReadFile(tablePath(b.dir))
	if err != nil {
		t.Fatal(err)
	}
	old := regexp.MustCompile(`,"notify":\{[^}]*\}`).ReplaceAll(table, nil)
	if len(old) == len(table) {
		t.Fatalf("the table names no socket: %s", table)
	}
	if err := os.WriteFile(tablePath(b.dir), old, 0o600); err != nil {
		t.Fatal(err)
	}

	b.killShim()

	b.heard(func(n Notice) bool { return n.Status != nil && *n.Status == "still here" })
	b.end()
}

var repeatsAt = role("repeats-at", func(args []string) int {
	for {
		_ = say1(args[0], args[1])
		<-time.After(10 * time.Millisecond)
	}
})

// beats says WATCHDOG=1 and waits for room to do so.
var beats = role("beats", func([]string) int {
	fmt.Println("beats at", os.Getenv("NOTIFY_SOCKET"))
	for {
		if err := say1(os.Getenv("NOTIFY_SOCKET"), "WATCHDOG=1"); err != nil {
			fmt.Println(err)
			return 1
		}
		<-time.After(50 * time.Millisecond)
	}
})

// Another process of the child's user may send. It is counted, and keeps neither the
// child nor others from being heard.
func TestFloodOfAStrangerOfTheSameUserSilencesNobody(t *testing.T) {
	b := newBench(t, "")
	for _, id := range []string{"web", "other"} {
		l := b.launch(key(id, 0), beats)
		l.Notify = true
		b.client.Start(l)
		b.started(key(id, 0))
	}
	socket := b.printed(key("web", 0), "beats at ")
	self, _ := os.Executable()
	b.launch(key("flood", 0), speaks) // as a stranger
	flood := exec.CommandContext(t.Context(), self, asChild, speaks, socket, "WATCHDOG=trigger", "0")
	if err := flood.Start(); err != nil {
		t.Fatal(err)
	}

	begun, notices, foreign := time.Now(), 0, 0
	beatsOf := map[string]int{}
	for foreign < 9000 || beatsOf["web"] < 20 || beatsOf["other"] < 20 {
		n := await[Notified](b, nil)
		notices, foreign = notices+1, foreign+n.Foreign
		if n.Heartbeat {
			beatsOf[string(n.Key.ID)]++
		}
		if n.Broken {
			t.Fatal("the stranger was heard")
		}
	}
	took := time.Since(begun)

	t.Logf("%d strange messages and %v heartbeats in %v, as %d notices", foreign, beatsOf, took.Round(time.Millisecond), notices)
	if most := 2 * (int(took/hush) + 2); notices > most {
		t.Errorf("%d notices in %v, want no more than %d", notices, took, most)
	}
	_ = flood.Process.Kill()
	_ = flood.Wait()
	b.endOf("web")
	b.endOf("other")
}

func TestSocketsAreWhereTheirUsersGetAndNobodyElseWrites(t *testing.T) {
	long := "/" + strings.Repeat("a-long-name/", 10)
	for name, row := range map[string]struct {
		stateDir, runtimeDir string
		root                 bool
		want                 []string
	}{
		"root's, whose state nobody else may enter": {"/var/lib/r", "/run/user/0", true, []string{"/run/reconciler-notify/0123"}},
		"a user's":                              {"/home/u/state", "/run/user/7", false, []string{"/home/u/state/shim/notify", "/run/user/7/reconciler-notify/0123"}},
		"with a path that fits into no address": {long, "/run/user/7", false, []string{"/run/user/7/reconciler-notify/0123"}},
		"with two of those":                     {long, long, false, nil},
		"without a runtime directory":           {"/home/u/state", "", false, []string{"/home/u/state/shim/notify"}},
		"with one that is no path":              {long, "run", false, nil},
	} {
		p := placesFor(row.stateDir, "0123", row.runtimeDir, "/tmp", row.root)

		if !slices.Equal(p.list, row.want) {
			t.Errorf("%s: %v, want %v", name, p.list, row.want)
		}
		if want := map[bool]os.FileMode{true: 0o711, false: 0o700}[row.root]; p.mode != want {
			t.Errorf("%s: mode %v", name, p.mode)
		}
		for _, dir := range append(p.list, filepath.Join(p.temp, p.prefix()+"4294967295")) {
			if n := len(filepath.Join(dir, notifyFile(key("web", 0)))); n > maxSocketPath {
				t.Errorf("%s: a path of %d bytes", name, n)
			}
		}
	}
}

// A stranger may take names below /tmp in advance, or in a folder that is open to all.
func TestFolderThatAnotherUserMadeIsPassedOver(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can give a folder to another user")
	}
	temp := t.TempDir()
	p := places{list: []string{filepath.Join(temp, "his", "0123")}, temp: temp, tag: "0123", mode: 0o711}
	for _, dir := range []string{filepath.Join(temp, "his"), filepath.Join(temp, p.prefix()+"1")} {
		if err := errors.Join(os.Mkdir(dir, 0o755), os.Chown(dir, testuser.Nobody, testuser.Nobody)); err != nil {
			t.Fatal(err)
		}
	}

	one, err := p.make()
	if err != nil {
		t.Fatal(err)
	}
	two, err := p.make()

	fi, _ := os.Stat(one)
	if err != nil || one != two || filepath.Dir(one) != temp || one == filepath.Join(temp, p.prefix()+"1") || fi.Mode().Perm() != 0o711 {
		t.Errorf("%s and %s (%v), %v", one, two, fi.Mode(), err)
	}
	if err := p.clean(nil); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(one); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is left behind: %v", err)
	}
}

// A table says where to listen again; the folder may be somebody else's by then.
func TestNoSocketIsMadeInAFolderThatOthersMayWrite(t *testing.T) {
	dir := t.TempDir()
	at := address{Path: filepath.Join(dir, "socket"), UID: uint32(os.Geteuid())}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}

	fd, err := openNotify(at)

	if err == nil {
		unix.Close(fd)
	}
	if err == nil || !strings.Contains(err.Error(), "chmod go-w "+dir) {
		t.Errorf("openNotify() = %d, %v; want a refusal with the way out", fd, err)
	}
	if entries, err := os.ReadDir(dir); len(entries) > 0 || err != nil {
		t.Errorf("the folder has %v, %v", entries, err)
	}
}

func TestSenderMustBeTheUserOfTheChildOrRoot(t *testing.T) {
	self, err := openProcess(os.Getpid())
	if err != nil {
		t.Skipf("this process is init of its namespace: %v", err)
	}
	defer self.close()
	a := &attempt{stage: running, mine: true, proc: self, ear: ear{address: &address{UID: 1000}}}
	a.PID = self.pid
	for _, row := range []struct {
		uid   uint32
		heard bool
	}{{1000, true}, {0, true}, {1001, false}, {testuser.Nobody, false}} {
		why := (&server{}).speaksFor(a, datagram{pid: self.pid, uid: row.uid, pidfd: -1})

		if (why == "") != row.heard {
			t.Errorf("user %d: %q", row.uid, why)
		}
	}
	if why := (&server{}).speaksFor(a, datagram{uid: 1000, pidfd: -1}); why == "" {
		t.Error("a process that cannot be seen from here is heard")
	}
}
