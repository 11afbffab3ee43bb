//go:build linux

package shim

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// count prints numbered lines, all of them (0) or one each so many microseconds,
// and then exits.
var count = role("count", func(args []string) int {
	lines, _ := strconv.Atoi(args[0])
	pause, _ := strconv.Atoi(args[1])
	out := bufio.NewWriter(os.Stdout)
	for i := range lines {
		fmt.Fprintln(out, i)
		if pause > 0 {
			out.Flush()
			<-time.After(time.Duration(pause) * time.Microsecond)
		}
	}
	out.Flush()
	return 0
})

// checkCount fails unless the output is the numbers from 0 on, and says how many.
func (b *bench) checkCount(id string) int {
	b.Helper()
	data := ""
	for _, name := range []string{"current"} {
		text, err := os.ReadFile(filepath.Join(b.dir, "logs", id, name))
		if err != nil {
			b.Fatal(err)
		}
		data += string(text)
	}
	next := 0
	for line := range strings.Lines(data) {
		if !strings.HasSuffix(line, "\n") {
			break // being written
		}
		if strings.TrimSpace(line) != strconv.Itoa(next) {
			b.Fatalf("%s: line %d is %q", id, next, line)
		}
		next++
	}
	return next
}

func TestAllOutputIsInTheLogBeforeTheExitIsReported(t *testing.T) {
	b := newBench(t, "")

	b.run(key("web", 0), count, 100_000, 0)
	b.exited(key("web", 0))

	if n := b.checkCount("web"); n != 100_000 {
		t.Errorf("%d lines, want 100000", n)
	}
	b.client.Ack(key("web", 0))
}

// closeAll closes its output and goes on.
var closeAll = role("close-all", func([]string) int {
	fmt.Println("up")
	null, _ := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	for fd := range 3 {
		_ = unix.Dup3(int(null.Fd()), fd, 0)
	}
	<-time.After(time.Hour)
	return 0
})

func TestChildThatClosedItsOutputCostsNoTime(t *testing.T) {
	b := newBench(t, "")
	k := key("web", 0)
	b.run(k, closeAll)
	b.printed(k, "up")

	before := cpuTicks(t, b.list.Shim.PID)
	<-time.After(300 * time.Millisecond)
	spent := cpuTicks(t, b.list.Shim.PID) - before

	if spent > 5 { // of 30
		t.Errorf("the shim spent %d of 30 ticks on nothing", spent)
	}
	b.client.Signal(k, "SIGTERM", true)
	b.exited(k)
	b.client.Ack(k)
}

func cpuTicks(t *testing.T, pid int) int {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:]))
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return user + system
}

// flood prints as fast as it can.
var flood = role("flood", func([]string) int {
	line := []byte(strings.Repeat("x", 99) + "\n")
	chunk := []byte(strings.Repeat(string(line), 600))
	for {
		if _, err := os.Stdout.Write(chunk); err != nil {
			return 1
		}
	}
})

func TestFloodOfOneChildDelaysNoOther(t *testing.T) {
	b := newBench(t, "")
	b.run(key("flood", 0), flood)
	b.until("it floods", func() bool { return len(b.output(key("flood", 0))) > 1<<20 })

	worst := time.Duration(0)
	for g := range 20 {
		begun := time.Now()
		b.run(key("web", g), exitWith, 0)
		b.exited(key("web", g))
		b.client.Ack(key("web", g))
		worst = max(worst, time.Since(begun))
	}

	if worst > 2*time.Second {
		t.Errorf("a start and an exit took %v", worst)
	}
	b.client.Signal(key("flood", 0), "SIGKILL", true)
	b.exited(key("flood", 0))
	b.client.Ack(key("flood", 0))
}

// smallDisk has the log of a child on a disk of 256 KiB; room gives it 4 MiB.
func (b *bench) smallDisk(id string) (room func()) {
	b.Helper()
	if os.Getuid() != 0 {
		b.Skip("only root can mount a small file system")
	}
	dir := filepath.Join(b.dir, "logs", id)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		b.Fatal(err)
	}
	if err := unix.Mount("none", dir, "tmpfs", 0, "mode=0700,size=256k"); err != nil {
		b.Skipf("no rights to mount: %v", err)
	}
	b.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	return func() {
		if err := unix.Mount("none", dir, "tmpfs", unix.MS_REMOUNT, "mode=0700,size=4m"); err != nil {
			b.Fatal(err)
		}
	}
}

func TestFullDiskHoldsAChildBackAndLosesNothing(t *testing.T) {
	b := newBench(t, "")
	k := key("web", 0)
	room := b.smallDisk("web")

	b.run(k, count, 100_000, 0) // 589 kB
	b.until("the disk is full", func() bool { return len(b.output(k)) > 200<<10 })
	before := cpuTicks(t, b.list.Shim.PID)
	<-time.After(300 * time.Millisecond)
	if spent := cpuTicks(t, b.list.Shim.PID) - before; spent > 5 {
		t.Errorf("the shim spent %d of 30 ticks on a full disk", spent)
	}
	room()
	b.exited(k)

	if n := b.checkCount("web"); n != 100_000 {
		t.Errorf("%d lines, want 100000", n)
	}
	b.client.Ack(k)
}

func TestAFullDiskIsToldAlsoToANewBrainAndSoIsItsEnd(t *testing.T) {
	b := newBench(t, "")
	k := key("web", 0)
	room := b.smallDisk("web")

	b.run(k, count, 100_000, 0)
	told := await(b, func(o Output) bool { return o.Key == k })
	b.disconnect()
	b.connect()
	listed := b.list.Running
	room()
	over := await(b, func(o Output) bool { return o.Key == k })
	b.exited(k)

	if want := (Output{Key: k, Blocked: unix.ENOSPC.Error()}); told != want {
		t.Errorf("it told %+v, want %+v", told, want)
	}
	if len(listed) != 1 || listed[0].Output == nil || listed[0].Output.Blocked == "" {
		t.Errorf("it listed %+v, want one whose output is blocked", listed)
	}
	if want := (Output{Key: k}); over != want {
		t.Errorf("at the end it told %+v, want %+v", over, want)
	}
	b.client.Ack(k)
}

func TestAChildThatMayLoseOutputIsNotHeldBackByAFullDisk(t *testing.T) {
	b := newBench(t, "")
	k := key("web", 0)
	b.smallDisk("web")
	launch := b.launch(k, count, 100_000, 0)
	launch.Log.Drop = true

	b.client.Start(launch)
	b.started(k)
	told := await(b, func(o Output) bool { return o.Key == k })
	exit := b.exited(k)

	if !told.Drops || told.Blocked == "" || told.Dropped == 0 {
		t.Errorf("it told %+v, want that output is dropped, and how much", told)
	}
	if exit.Code == nil || *exit.Code != 0 {
		t.Errorf("it ended as %+v, want exit code 0", exit)
	}
	b.client.Ack(k)
}

func TestTheLogSaysWhereOutputWasDropped(t *testing.T) {
	b := newBench(t, "")
	k := key("web", 0)
	room := b.smallDisk("web")
	launch := b.launch(k, flood)
	launch.Log.Drop = true
	b.client.Start(launch)
	b.started(k)
	await(b, func(o Output) bool { return o.Key == k && o.Dropped > 0 })

	room()

	b.printed(k, "-- reconciler: ")
	b.client.Signal(k, "SIGKILL", true)
	b.exited(k)
	b.client.Ack(k)
}
