package logs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// BenchmarkCopy moves a flood through a pipe: our three ways, and for comparison
// what one would write without thinking, all from one feeder on the same disk.
func BenchmarkCopy(b *testing.B) {
	const chunk = 64 << 10
	policy := Policy{MaxBytes: 64 << 20, MaxFiles: 2}
	for _, line := range []int{100, 4 << 10, 64 << 10} {
		text := bytes.Repeat(append(bytes.Repeat([]byte{'x'}, line-1), '\n'), max(1, chunk/line))
		for _, m := range modes() {
			b.Run(fmt.Sprintf("%s/write=%d", m.name, line), func(b *testing.B) {
				w := openWriter(b, b.TempDir(), policy, m)
				benchFlood(b, text, line, w.CopyFrom)
			})
		}
		b.Run(fmt.Sprintf("timestamps/write=%d", line), func(b *testing.B) {
			stamped := policy
			stamped.Timestamps = true
			w := openWriter(b, b.TempDir(), stamped, modes()[0])
			benchFlood(b, text, line, w.CopyFrom)
		})
		b.Run(fmt.Sprintf("io.Copy/write=%d", line), func(b *testing.B) {
			f, err := os.Create(filepath.Join(b.TempDir(), "f"))
			must(b, err)
			defer func() { _ = f.Close() }()
			benchFlood(b, text, line, func(fd int) (int64, error) {
				return io.Copy(onlyWriter{f}, io.LimitReader(rawReader(fd), perCall))
			})
		})
		b.Run(fmt.Sprintf("read-write/write=%d", line), func(b *testing.B) {
			f, err := os.Create(filepath.Join(b.TempDir(), "f"))
			must(b, err)
			defer func() { _ = f.Close() }()
			buf := make([]byte, chunk)
			benchFlood(b, text, line, func(fd int) (int64, error) {
				n, err := readPipe(fd, buf)
				if err == nil {
					_, err = f.Write(buf[:n])
				}
				return int64(n), err
			})
		})
	}
}

type onlyWriter struct{ io.Writer }

type rawReader int

func (r rawReader) Read(b []byte) (int, error) {
	n, err := readPipe(int(r), b)
	if err == nil && n == 0 {
		return 0, io.EOF
	}
	return n, err
}

// benchFlood writes text to a pipe, b.N times, in writes of size bytes, and
// calls move whenever there is something in it.
func benchFlood(b *testing.B, text []byte, size int, move func(fd int) (int64, error)) {
	p := newPipe(b)
	must(b, unix.SetNonblock(p.w, false))
	b.SetBytes(int64(len(text)))
	b.ResetTimer()
	failed := make(chan error, 1)
	go func() { failed <- feed(p.w, text, size, b.N) }()
	wait := []unix.PollFd{{Fd: int32(p.r), Events: unix.POLLIN}}
	for left := int64(len(text)) * int64(b.N); left > 0; {
		if _, err := unix.Poll(wait, -1); err != nil && !errors.Is(err, unix.EINTR) {
			b.Fatal(err)
		}
		n, err := move(p.r)
		must(b, err)
		left -= n
	}
	must(b, <-failed)
}

func feed(fd int, text []byte, size, times int) error {
	for range times {
		for rest := text; len(rest) > 0; {
			n, err := unix.Write(fd, rest[:min(size, len(rest))])
			if err != nil && !errors.Is(err, unix.EINTR) {
				return err
			}
			rest = rest[max(0, n):]
		}
	}
	return nil
}

// BenchmarkLine is the cost of one line at a time, as a quiet child prints them.
func BenchmarkLine(b *testing.B) {
	line := []byte("2026-11-24 03:04:05 INFO one line of an ordinary log, about a hundred bytes long, of a quiet child\n")
	for _, m := range modes() {
		for _, stamped := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s/timestamps=%v", m.name, stamped), func(b *testing.B) {
				w := openWriter(b, b.TempDir(), Policy{MaxBytes: 64 << 20, MaxFiles: 2, Timestamps: stamped}, m)
				p := newPipe(b)
				b.ReportAllocs()
				for b.Loop() {
					p.put(b, line)
					if _, err := w.CopyFrom(p.r); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkAttempt is what the log costs at the start of an attempt.
func BenchmarkAttempt(b *testing.B) {
	dir := b.TempDir()
	for i := 1; b.Loop(); i++ {
		w := openWriter(b, dir, Policy{MaxBytes: 64 << 20, MaxFiles: 2}, modes()[0])
		begin(b, w, i)
		must(b, w.Close())
	}
}
