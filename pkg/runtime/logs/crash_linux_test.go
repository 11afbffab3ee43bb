package logs

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The test binary plays the writer that is killed, and the one on a full disk.
func TestMain(m *testing.M) {
	switch os.Getenv("LOGS_TEST_ROLE") {
	case "writer":
		playWriter()
	case "full disk":
		playFullDisk()
	default:
		os.Exit(m.Run())
	}
}

// role starts the test binary again to play a part. As root it gets namespaces
// of its own, so that nothing it does can reach another process or mount.
func role(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), "LOGS_TEST_ROLE="+name)
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:   syscall.CLONE_NEWPID,
			Unshareflags: syscall.CLONE_NEWNS, // Go then makes / private, so no mount gets out
		}
	}
	return cmd
}

var killedPolicy = Policy{MaxBytes: 3000, MaxFiles: 1 << 30}

// playWriter copies from a FIFO to a log until it is killed.
func playWriter() {
	fd, err := unix.Open(os.Args[1], unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		panic(err)
	}
	w, err := OpenWriter(filepath.Dir(os.Args[2]), filepath.Base(os.Args[2]), killedPolicy)
	if err != nil {
		panic(err)
	}
	for attempt := os.Getpid() + time.Now().Nanosecond(); ; {
		wait := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}, {Fd: 0}}
		if _, err := unix.Poll(wait, -1); err != nil && err != unix.EINTR {
			panic(err)
		}
		if wait[1].Revents != 0 {
			return
		}
		if _, err := w.CopyFrom(fd); err != nil {
			panic(err)
		}
		if w.size == 0 || w.base%7 == 0 { // now and then, also while output waits
			if midLine, err := w.midLine(); err == nil && !midLine {
				attempt++
				if err := w.Begin(mark(attempt)); err != nil {
					panic(err)
				}
			}
		}
	}
}

func TestAWriterKilledAtAnyMomentLosesAndRepeatsNothing(t *testing.T) {
	dir := t.TempDir()
	fifo, log := filepath.Join(dir, "fifo"), filepath.Join(dir, "log")
	must(t, unix.Mkfifo(fifo, 0o600))
	out, err := os.OpenFile(fifo, os.O_RDWR, 0) // as a child holds it: unread bytes outlive the reader
	must(t, err)
	defer func() { _ = out.Close() }()
	must(t, out.SetWriteDeadline(time.Now().Add(time.Minute)))

	const kills = 60
	stop, done := make(chan struct{}), make(chan int)
	go func() { done <- printLines(out, stop) }()
	for range kills {
		killWriterSoon(t, fifo, log)
	}
	close(stop)
	end := make(chan struct{})
	last := openWriter(t, log, killedPolicy, mode{"", func(*Writer) {}})
	fd, err := unix.Open(fifo, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	must(t, err)
	defer func() { _ = unix.Close(fd) }()
	var lines int
	go func() { lines = <-done; close(end) }()
	for ended := false; !ended; {
		select {
		case <-end:
			ended = true
		default:
		}
		drain(t, last, pipe{r: fd})
	}

	checkLines(t, log, lines)
	t.Logf("%d lines in %d files, %d kills", lines, len(files(t, log)), kills)
}

// killWriterSoon runs a writer for a random time, from before its first
// instruction to some thousand lines later.
func killWriterSoon(t *testing.T, fifo, log string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.IntN(40_000))*time.Microsecond)
	defer cancel()
	w := role(ctx, "writer", fifo, log)
	stdin, err := w.StdinPipe() // should this process die, the writer sees it close and ends
	must(t, err)
	defer func() { _ = stdin.Close() }()

	out, err := w.CombinedOutput()

	if ctx.Err() == nil || len(out) > 0 {
		t.Fatalf("the writer ended by itself: %v\n%s", err, out)
	}
}

func printLines(out *os.File, stop <-chan struct{}) (lines int) {
	b := bufio.NewWriterSize(out, 900)
	for {
		select {
		case <-stop:
			_ = b.Flush()
			return lines
		default:
		}
		fmt.Fprintf(b, "line %d %s\n", lines, strings.Repeat("x", lines%50))
		lines++
	}
}

func checkLines(t *testing.T, log string, lines int) {
	t.Helper()
	n := 0
	for line := range strings.Lines(all(t, log)) {
		if want := fmt.Sprintf("line %d %s\n", n, strings.Repeat("x", n%50)); line != want {
			t.Fatalf("line %d of %d is %q, want %q", n, lines, line, want)
		}
		n++
	}
	if n != lines {
		t.Fatalf("the log has %d lines, %d were printed", n, lines)
	}
}

func TestAFullDiskLosesNothing(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root to mount a small tmpfs in a namespace of its own")
	}
	dir := t.TempDir()

	out, err := role(t.Context(), "full disk", dir).CombinedOutput()

	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// playFullDisk fills a tmpfs, sees that errors come and nothing goes, makes room
// and sees that all arrives once.
func playFullDisk() {
	dir := os.Args[1]
	check(syscall.Mount("tmpfs", dir, "tmpfs", 0, "mode=0700,size=256k"))
	ballast := filepath.Join(dir, "ballast")
	for _, m := range modes() {
		for _, stamped := range []bool{false, true} {
			check(os.WriteFile(ballast, make([]byte, 200<<10), 0o600))
			fillUp(filepath.Join(dir, m.name), ballast, m, stamped)
			check(os.RemoveAll(filepath.Join(dir, m.name)))
		}
	}
}

func fillUp(log, ballast string, m mode, stamped bool) {
	var ends [2]int
	check(unix.Pipe2(ends[:], unix.O_NONBLOCK|unix.O_CLOEXEC))
	w, err := OpenWriter(filepath.Dir(log), filepath.Base(log), Policy{MaxBytes: 20 << 10, MaxFiles: 100, Timestamps: stamped})
	check(err)
	m.set(w)
	w.now = func() time.Time { return time.Unix(0, 0) }
	var want strings.Builder
	failed := 0
	for i := 0; want.Len() < 80<<10; i++ {
		line := fmt.Sprintf("line %d %s\n", i, strings.Repeat("y", i%100))
		want.WriteString(line)
		_, err := unix.Write(ends[1], []byte(line))
		check(err)
		for tries := 0; ; tries++ {
			n, err := w.CopyFrom(ends[0])
			if err != nil {
				if failed++; tries == 3 {
					check(os.Remove(ballast))
				}
			} else if n == 0 {
				break
			}
		}
	}
	if failed == 0 {
		panic(fmt.Sprintf("%s: the disk was never full", m.name))
	}
	check(w.Close())
	var got strings.Builder
	list, err := rotated(log)
	check(err)
	for _, s := range append(list, segment{name: currentName}) {
		b, err := os.ReadFile(filepath.Join(log, s.name))
		check(err)
		got.Write(b)
	}
	expect := want.String()
	if stamped {
		expect = stampAll([]byte(expect), false, string(stampAt(time.Unix(0, 0))))
	}
	if got.String() != expect {
		panic(fmt.Sprintf("%s: the files, %d bytes, are not the output, %d bytes", m.name, got.Len(), len(expect)))
	}
	_ = unix.Close(ends[0])
	_ = unix.Close(ends[1])
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
