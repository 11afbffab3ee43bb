//go:build linux

package shim

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// say connects to the shim of b as a brain does, which must not be connected, and
// says something.
func (b *bench) say(words []byte) net.Conn {
	b.Helper()
	fd, err := dial(shimDir(b.dir))
	if err != nil {
		b.Fatal(err)
	}
	conn, err := fileConn(fd)
	if err != nil {
		b.Fatal(err)
	}
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		b.Fatal(err)
	}
	if _, err := conn.Write(words); err != nil {
		b.Fatal(err)
	}
	return conn
}

func TestGarbageEndsTheConnectionAndNothingElse(t *testing.T) {
	b := newBench(t, "")
	k := key("web", 0)
	p := b.run(k, stay)
	b.disconnect()

	for _, words := range []string{"\xff\xff\xff\xff", "\x00\x00\x00\x02{]", "\x00\x00\x00\x02{}", "\x00\x00\x10\x00half", "x"} {
		conn := b.say([]byte(words))
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
	}
	b.connect()

	if len(b.list.Running) != 1 || b.list.Running[0].PID != p.PID {
		t.Errorf("list = %+v, want %+v", b.list, p)
	}
	b.client.Signal(k, "SIGKILL", true)
	b.exited(k)
	b.client.Ack(k)
}

func TestStateDirectoryMayBeDeeperThanASocketAddressIsLong(t *testing.T) {
	b := &bench{TB: t, dir: filepath.Join(t.TempDir(), strings.Repeat("d", 150)), cgroup: ""}
	b.connect()
	t.Cleanup(b.tearDown)

	b.run(key("web", 0), exitWith, 0)
	b.exited(key("web", 0))
	b.client.Ack(key("web", 0))
}

func TestQuitIsRefusedWhileAChildLives(t *testing.T) {
	b := newBench(t, "")
	k := key("web", 0)
	p := b.run(k, stay)

	b.client.Quit()
	b.client.Signal(k, "SIGTERM", true)
	r := b.exited(k)

	if r.PID != p.PID || b.client.hasQuit() {
		t.Errorf("report = %+v after a Quit that came too early", r)
	}
	b.client.Ack(k)
}

func TestTreeIsKilledByHandWhereTheKernelCannot(t *testing.T) {
	b := newBench(t, "")
	k := key("web", 0)
	b.run(k, family, stay, -1, "setsid", "bare")
	grandchild := b.printedPID(k, "grandchild ")
	own, err := ownGroup()
	if err != nil {
		t.Skipf("no cgroup2 here: %v", err)
	}
	tag, _ := tagOf(b.dir)
	g := &groups{base: filepath.Join(own, "reconciler-"+tag)}

	if err := g.killFrozen(entryName(k)); err != nil {
		t.Fatal(err)
	}
	r := b.exited(k)

	if r.Signal != "SIGKILL" || !b.gone(grandchild) {
		t.Errorf("report = %+v, grandchild %s", r, describe(grandchild))
	}
	b.client.Ack(k)
}

// frozen makes the cgroup that an attempt will be born in, frozen, so that it
// cannot exec.
func (b *bench) frozen(k child.Key) (dir string) {
	b.Helper()
	own, err := ownGroup()
	if err != nil {
		b.Skipf("no cgroup2 here: %v", err)
	}
	tag, err := tagOf(b.dir)
	if err != nil {
		b.Fatal(err)
	}
	dir = filepath.Join(own, "reconciler-"+tag, entryName(k))
	if err := os.Mkdir(dir, 0o755); err != nil {
		b.Skipf("no rights to make a cgroup: %v", err)
	}
	if err := writeFile(dir+"/cgroup.freeze", "1"); err != nil {
		b.Fatal(err)
	}
	return dir
}

// born waits until something is in a cgroup.
func (b *bench) born(dir string) {
	b.Helper()
	b.until("it is born", func() bool {
		data, err := os.ReadFile(dir + "/cgroup.events")
		return err == nil && strings.Contains(string(data), "populated 1")
	})
}

func TestStartThatHangsDelaysNoOther(t *testing.T) {
	b := newBench(t, "")
	slow := key("slow", 0)
	dir := b.frozen(slow)

	b.client.Start(b.launch(slow, exitWith, 0))
	b.born(dir) // a start in the same moment may wait for it: it holds a copy of that one's pipe until its exec
	for g := range 20 {
		k := key("web", g)
		l := b.launch(k, exitWith, 0)
		l.Env = append(l.Env, "GARBAGE="+strings.Repeat("x", 100_000)) // 10 MB in all
		b.client.Start(l)
		b.exited(k)
		b.client.Ack(k)
	}

	for _, ev := range b.seen {
		if s, ok := ev.(Started); ok && s.Key == slow {
			t.Error("the frozen start was answered")
		}
	}
	if err := writeFile(dir+"/cgroup.freeze", "0"); err != nil {
		t.Fatal(err)
	}
	b.started(slow)
	b.exited(slow)
	b.client.Ack(slow)
}

func TestStartThatHangsCanBeKilled(t *testing.T) {
	b := newBench(t, "")
	slow := key("slow", 0)
	dir := b.frozen(slow)

	b.client.Start(b.launch(slow, exitWith, 0))
	b.born(dir)
	b.client.Signal(slow, "SIGKILL", true)

	// The kernel may let the start seem to succeed, and the process end at once.
	b.until("it is answered", func() bool {
		select {
		case ev := <-b.client.Events():
			switch ev := ev.(type) {
			case StartFailed:
				return ev.Key == slow
			case Exited:
				b.client.Ack(slow)
				return ev.Key == slow && ev.Signal == "SIGKILL"
			}
		default:
		}
		return false
	})
}

func TestGroupIsFoundBelowItsMount(t *testing.T) {
	const hybrid = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n" +
		"32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n" +
		"41 31 0:38 / /sys/fs/cgroup/my\\040unified rw shared:9 - cgroup2 cgroup2 rw\n"
	const container = "50 40 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n"
	for _, c := range []struct{ name, own, mounts, want string }{
		{"beside v1", "/", hybrid, "/sys/fs/cgroup/my unified"},
		{"below a unit", "/system.slice/r.service", hybrid, "/sys/fs/cgroup/my unified/system.slice/r.service"},
		{"in a container", "/docker/abc/init", container, "/sys/fs/cgroup/init"},
		{"outside of what is mounted", "/user.slice", container, ""},
		{"outside of its namespace", "/../other", hybrid, ""},
		{"v1 only", "", "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n", ""},
	} {
		got, err := findGroup(c.own, c.mounts)
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s: %q, %v, want %q", c.name, got, err, c.want)
		}
	}
}

func TestNamesOfAttemptsDifferAndFitIntoADirectory(t *testing.T) {
	long := key("a/"+strings.Repeat("b", 63)+strings.Repeat("/"+strings.Repeat("c", 63), 20), 1)
	longer := long
	longer.ID += "d"

	if a, b := entryName(long), entryName(longer); a == b || len(a) > 255 {
		t.Errorf("names %q and %q", a, b)
	}
	if got, ok := parseMark(markFor(long, "12345678"), "12345678"); !ok || got != long {
		t.Errorf("parseMark = %v, %v", got, ok)
	}
	if _, ok := parseMark(markFor(long, "12345678"), "87654321"); ok {
		t.Error("a mark of another state directory was accepted")
	}
}

func FuzzFrames(f *testing.F) {
	good, _ := appendFrame(nil, message{Signal: &signalRequest{Key: key("web", 1), Signal: "SIGTERM"}})
	f.Add(good)
	f.Add([]byte("\x00\x00\x00\x04null"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for {
			_, rest, ok, err := cutFrame(data)
			if err != nil || !ok {
				return
			}
			if len(rest) >= len(data) {
				t.Fatal("a frame took nothing")
			}
			data = rest
		}
	})
}
