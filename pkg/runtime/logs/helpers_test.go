package logs

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// pipe is a pipe whose read end does not block, as a Writer wants it.
type pipe struct{ r, w int }

func newPipe(t testing.TB) pipe {
	t.Helper()
	var ends [2]int
	if err := unix.Pipe(ends[:]); err != nil {
		t.Fatal(err)
	}
	p := pipe{ends[0], ends[1]}
	for _, fd := range ends {
		unix.CloseOnExec(fd)
		if err := unix.SetNonblock(fd, true); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { _ = unix.Close(p.r); _ = unix.Close(p.w) })
	return p
}

// put writes all of b to the pipe, which must have room.
func (p pipe) put(t testing.TB, b []byte) {
	t.Helper()
	if n, err := unix.Write(p.w, b); err != nil || n != len(b) {
		t.Fatalf("write %d bytes to the pipe: %d, %v", len(b), n, err)
	}
}

// mode is one way in which a Writer moves bytes.
type mode struct {
	name string
	set  func(*Writer)
}

func modes() []mode {
	list := []mode{
		{"seen", func(w *Writer) { w.splice = false }},
		{"read ahead", func(w *Writer) { w.splice = false; w.pipe = &readAhead{} }},
	}
	if canSplice {
		list = append(list, mode{"spliced", func(*Writer) {}})
	}
	return list
}

func openWriter(t testing.TB, dir string, p Policy, m mode) *Writer {
	t.Helper()
	w, err := OpenWriter(filepath.Dir(dir), filepath.Base(dir), p)
	if err != nil {
		t.Fatal(err)
	}
	m.set(w)
	t.Cleanup(func() { _ = w.Close() })
	return w
}

// say puts text into the pipe and copies until the pipe is empty.
func say(t testing.TB, w *Writer, p pipe, text string) {
	t.Helper()
	for len(text) > 0 {
		part := text[:min(len(text), 4096)]
		text = text[len(part):]
		p.put(t, []byte(part))
		drain(t, w, p)
	}
}

func drain(t testing.TB, w *Writer, p pipe) {
	t.Helper()
	for {
		n, err := w.CopyFrom(p.r)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return
		}
	}
}

// files reads all files of output in dir, oldest first.
func files(t testing.TB, dir string) []string {
	t.Helper()
	list, err := rotated(dir)
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, s := range append(list, segment{name: currentName}) {
		b, err := os.ReadFile(filepath.Join(dir, s.name))
		if os.IsNotExist(err) && s.name == currentName {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(b))
	}
	return texts
}

func all(t testing.TB, dir string) string {
	t.Helper()
	var b bytes.Buffer
	for _, text := range files(t, dir) {
		b.WriteString(text)
	}
	return b.String()
}

func mark(attempt int) Mark {
	return Mark{
		Incarnation: 1, Generation: child.Generation(attempt - 1), Attempt: child.Attempt(attempt),
		StartedAt: time.Date(2026, 11, 24, 0, 0, attempt, 0, time.UTC),
	}
}

func begin(t testing.TB, w *Writer, attempt int) {
	t.Helper()
	if err := w.Begin(mark(attempt)); err != nil {
		t.Fatal(err)
	}
}

func must(t testing.TB, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}
