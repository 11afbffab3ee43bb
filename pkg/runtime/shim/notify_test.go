//go:build linux

package shim

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// tells says each of its arguments on its notify socket, with lines for commas,
// and stays.
var tells = role("tells", func(args []string) int {
	for _, text := range args {
		if err := say1(os.Getenv("NOTIFY_SOCKET"), strings.ReplaceAll(text, ",", "\n")); err != nil {
			fmt.Println(err)
			return 1
		}
	}
	fmt.Println("said", os.Getenv("NOTIFY_SOCKET"))
	<-time.After(time.Hour)
	return 0
})

func say1(socket, text string) error {
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetWriteBuffer(1 << 20)
	_, err = conn.Write([]byte(text))
	return err
}

// talking starts a child that says something.
func (b *bench) talking(words ...any) (socket string) {
	b.Helper()
	k := key("web", 0)
	l := b.launch(k, tells, words...)
	l.Notify = true
	b.client.Start(l)
	b.started(k)
	return b.printed(k, "said ")
}

// heard awaits a notice that fits.
func (b *bench) heard(fits func(Notice) bool) Notice {
	b.Helper()
	return await(b, func(n Notified) bool { return fits(n.Notice) }).Notice
}

func (b *bench) end() {
	k := key("web", 0)
	b.client.Signal(k, "SIGKILL", true)
	b.exited(k)
	b.client.Ack(k)
}

func TestWhatAChildSaysOfItselfIsHeard(t *testing.T) {
	for name, host := range hosts {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, host)
			b.talking("READY=1,STATUS=serving 3 clients", "WATCHDOG=1,WATCHDOG_USEC=2000000", "EXTEND_TIMEOUT_USEC=5000000", "ERRNO=2,EXIT_STATUS=7", "FOO=bar,nonsense")

			var all Notice
			b.heard(func(n Notice) bool { all.add(n); return all.Errno == 2 })

			if all.Ready == nil || !*all.Ready || *all.Status != "serving 3 clients" || !all.Heartbeat || all.Every != 2*time.Second ||
				all.Extend != 5*time.Second || all.ExitStatus != "7" || all.Refusals > 0 {
				t.Errorf("heard %+v", all)
			}
			b.end()
		})
	}
}

func TestReloadingTakesReadyBack(t *testing.T) {
	b := newBench(t, "")
	b.talking("READY=1", "RELOADING=1,MONOTONIC_USEC=1", "READY=1", "STOPPING=1")

	var all Notice
	b.heard(func(n Notice) bool { all.add(n); return all.Stopping })

	if *all.Ready || all.Reloading || all.Refusals > 0 {
		t.Errorf("heard %+v, want not ready and stopping", all)
	}
	b.end()
}

func TestStrangersAndLongMessagesAreRefused(t *testing.T) {
	for name, host := range hosts {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, host)
			socket := b.talking("X="+strings.Repeat("x", 100<<10), "MAINPID=1")
			var all Notice
			b.heard(func(n Notice) bool { all.add(n); return all.Refusals == 2 })

			if err := say1(socket, "READY=1\nSTATUS=it is me"); err != nil {
				t.Fatal(err)
			}
			n := b.heard(func(n Notice) bool { return n.Foreign == 1 })

			if all.Ready != nil || n.Ready != nil || n.Status != nil || n.Refusals > 0 || !strings.Contains(n.Refused, fmt.Sprint("pid ", os.Getpid())) {
				t.Errorf("heard %+v, then %+v, want refusals only", all, n)
			}
			b.end()
		})
	}
}

func TestReadyWhileNobodyListensIsNotLost(t *testing.T) {
	b := newBench(t, "")
	k := key("web", 0)
	l := b.launch(k, tells, "READY=1,STATUS=up")
	l.Notify = true
	b.client.Start(l)

	b.disconnect() // the brain is dead when it says so, or before it reads it
	b.printed(k, "said ")
	b.connect()
	said := b.list.Running
	if len(said) == 0 {
		said = append(said, b.started(k))
	}
	first := said[0].Said
	if first == nil { // said after the list
		n := b.heard(func(n Notice) bool { return n.Ready != nil })
		first = &n
	}
	b.killShim()
	second := b.list.Running[0].Said

	if first.Ready == nil || !*first.Ready || *first.Status != "up" {
		t.Errorf("the next brain hears %+v", first)
	}
	if second == nil || second.Ready == nil || !*second.Ready {
		t.Errorf("the next shim says %+v", second)
	}
	b.end()
}

func TestFloodOfMessagesLosesNothingThatLasts(t *testing.T) {
	b := newBench(t, "")
	var words []any
	for i := range 1000 {
		words = append(words, fmt.Sprint("STATUS=", i))
	}
	b.talking(append(words, "READY=1")...)

	all := b.heard(func(n Notice) bool { return n.Ready != nil })

	if all.Status != nil && *all.Status != "999" {
		t.Errorf("heard %+v", all)
	}
	b.end()
}

func TestSystemdNotifyIsHeardAndItsBarrierIsLifted(t *testing.T) {
	path, err := exec.LookPath("systemd-notify")
	if err != nil {
		t.Skip("systemd-notify (Debian's package systemd) is not installed: a real sender is not tested; .ci/run installs it")
	}
	for name, host := range hosts {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, host)
			k := key("web", 0)
			l := b.launch(k, tells)
			l.Path, l.Args, l.Notify = "/bin/sh", []string{"sh", "-c", path + " --ready --status='all is well' && echo heard; exec sleep 1000"}, true
			b.client.Start(l)
			b.started(k)

			var all Notice
			b.heard(func(n Notice) bool { all.add(n); return all.Ready != nil })

			if *all.Status != "all is well" {
				t.Errorf("heard %+v", all)
			}
			b.printed(k, "heard") // it waited for its BARRIER=1, and got it
			b.end()
		})
	}
}

func TestWordsAreFitForATerminal(t *testing.T) {
	var n Notice
	n.read([]byte("STATUS=a\x1b[31mred\x07 \xff"+strings.Repeat("ä", maxStatus)), 7)
	if s := *n.Status; len(s) > maxStatus || strings.ContainsAny(s, "\x1b\x07") || !strings.HasPrefix(s, "a [31mred") {
		t.Errorf("status %q", s)
	}
	n = Notice{}
	n.read([]byte("WATCHDOG_USEC=99999999999999999999\nERRNO=-1\nEXTEND_TIMEOUT_USEC=x\nEXIT_STATUS=1e9\nERRNO=4096\nMAINPID=-1"), 7)
	if n.Refusals < 6 || n.Every != 0 || n.Extend != 0 || n.Errno != 0 || n.ExitStatus != "" {
		t.Errorf("%+v, want refusals only", n)
	}
}

// systemd's own "for ever", 2^64-1, was sent to it by NUT and wrapped there
// (networkupstools/nut#3003).
func TestTimesThatNoDurationHoldsAreCutAndNeverWrap(t *testing.T) {
	for _, us := range []string{"18446744073709551615", "9000000000000000", "9223372036854775808", "9223372036854776"} {
		var n Notice
		n.read([]byte("EXTEND_TIMEOUT_USEC="+us+"\nWATCHDOG_USEC="+us), 7)
		if n.Extend < 285*365*24*time.Hour || n.Every != n.Extend || n.Refusals > 0 {
			t.Errorf("%s: %+v", us, n)
		}
	}
}
