//go:build linux

package shim

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The kernel knows of a process that is gone which cgroup it was in, from Linux 6.17
// on for messages; before, its message is a stranger's.
func TestSenderThatIsGoneIsHeardIfTheKernelStillKnowsIt(t *testing.T) {
	b := newBench(t, "")
	k := key("web", 0)
	l := b.launch(k, hasSpoken, "STATUS=last words")
	b.launch(k, sayAndExit) // by the child
	l.Notify = true
	b.client.Start(l)
	weak := b.started(k).WeakKill

	b.whileTheShimStands()
	n := b.heard(func(n Notice) bool { return n.Status != nil || n.Foreign > 0 })

	if known := !weak && !before(6, 17); known != (n.Status != nil) {
		t.Errorf("heard %+v; cgroups: %v", n, !weak)
	}
	b.end()
}

// whileTheShimStands lets a child that waits by awaitGo go on and come to its sayGone
// while the shim is stopped.
func (b *bench) whileTheShimStands() {
	b.Helper()
	if err := kill(b.list.Shim.PID, unix.SIGSTOP); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(b.dir, "go"), nil, 0o600); err != nil {
		b.Fatal(err)
	}
	b.until("the child has done its part", func() bool {
		return os.Remove(filepath.Join(b.dir, "gone")) == nil
	})
	if err := kill(b.list.Shim.PID, unix.SIGCONT); err != nil {
		b.Fatal(err)
	}
}

func awaitGo() {
	for os.Remove("go") != nil {
		<-time.After(time.Millisecond)
	}
}

func sayGone() { _ = os.WriteFile("gone", nil, 0o600) }

// hasSpoken has a child of its own speak, which is reaped before it is heard.
var hasSpoken = role("has-spoken", func(args []string) int {
	awaitGo()
	self, _ := os.Executable()
	_ = exec.Command(self, asChild, "say-and-exit", args[0]).Run()
	sayGone()
	<-time.After(time.Hour)
	return 0
})

var sayAndExit = role("say-and-exit", func(args []string) int {
	_ = say1(os.Getenv("NOTIFY_SOCKET"), args[0])
	return 0
})

func before(major, minor int) bool {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return true
	}
	var x, y int
	_, _ = fmt.Sscanf(unix.ByteSliceToString(u.Release[:]), "%d.%d", &x, &y)
	return x < major || x == major && y < minor
}

func TestDescriptorsThatAChildSendsAreClosed(t *testing.T) {
	b := newBench(t, "")
	k := key("web", 0)
	fds := func() int {
		entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", b.list.Shim.PID))
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	l := b.launch(k, sendsFiles, 20)
	l.Notify = true
	b.client.Start(l)
	b.started(k)

	b.heard(func(n Notice) bool { return n.Status != nil && *n.Status == "all sent" })
	b.until("the shim holds no more descriptors than a few", func() bool { return fds() < 100 })

	b.end()
}

// sendsFiles sends as many messages with as many descriptors as one can have (253),
// and a last one without.
var sendsFiles = role("sends-files", func(args []string) int {
	times, _ := strconv.Atoi(args[0])
	null, err := os.Open(os.DevNull)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	var fds []int
	for range 253 {
		fds = append(fds, int(null.Fd()))
	}
	for range times {
		if err := sayWith(os.Getenv("NOTIFY_SOCKET"), "FDSTORE=1", fds); err != nil {
			fmt.Println(err)
			return 1
		}
	}
	_ = say1(os.Getenv("NOTIFY_SOCKET"), "STATUS=all sent")
	<-time.After(time.Hour)
	return 0
})

func sayWith(socket, text string, fds []int) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Sendmsg(fd, []byte(text), unix.UnixRights(fds...), &unix.SockaddrUnix{Name: socket}, 0)
}

// The last close of a socket that lingers waits as long as its owner chose: an hour
// here, or until a signal comes.
func TestChildThatSendsWhatCannotBeClosedStopsNobodyElse(t *testing.T) {
	b := newBench(t, "")
	k := key("web", 0)
	peer, err := net.Listen("tcp", "127.0.0.1:0") // which accepts and reads nothing
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	l := b.launch(k, sendsLingering, "STATUS=closed for an hour", peer.Addr())
	l.Notify = true
	b.client.Start(l)
	b.started(k)
	b.whileTheShimStands()
	b.heard(func(n Notice) bool { return n.Status != nil })

	other := key("other", 0)
	b.run(other, exitWith, 7)
	b.exited(other)
	b.client.Ack(other)
	b.end() // the second one was not read
}

func TestChildOfWhichManyClosesHangGetsNoOtherSocket(t *testing.T) {
	a := &attempt{unit: &unit{closing: maxClosing}}

	err := (&server{}).giveAddress(a, Launch{Notify: true})

	if err == nil || !strings.Contains(err.Error(), "cannot be closed") || a.ear.address != nil {
		t.Errorf("it may go on sending: %v, %v", a.ear.address, err)
	}
}

// sendsLingering sends two TCP sockets whose last close takes an hour each.
var sendsLingering = role("sends-lingering", func(args []string) int {
	awaitGo()
	for range 2 {
		conn, err := net.Dial("tcp", args[1])
		if err != nil {
			fmt.Println(err)
			return 1
		}
		_ = conn.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
		for buf := make([]byte, 1<<20); ; {
			if _, err := conn.Write(buf); err != nil {
				break
			}
		}
		file, err := conn.(*net.TCPConn).File()
		if err != nil {
			fmt.Println(err)
			return 1
		}
		_ = unix.SetsockoptLinger(int(file.Fd()), unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1, Linger: 3600})
		if err := sayWith(os.Getenv("NOTIFY_SOCKET"), args[0], []int{int(file.Fd())}); err != nil {
			fmt.Println(err)
			return 1
		}
		_ = errors.Join(file.Close(), conn.Close()) // not the last ones: the message has one
	}
	sayGone()
	<-time.After(time.Hour)
	return 0
})
