package shim

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/reconciler-dev/reconciler/internal/regular/regulartest"
)

// fifoBehindLink is what a child may make of a path that it owns: a link to something
// that must not be opened. The FIFO is held open, so that nobody who opens it waits.
func fifoBehindLink(t *testing.T) (fifo, link string, end *os.File) {
	t.Helper()
	dir := t.TempDir()
	fifo, link = filepath.Join(dir, "fifo"), filepath.Join(dir, "link")
	if err := errors.Join(unix.Mkfifo(fifo, 0o700), os.Symlink(fifo, link)); err != nil {
		t.Fatal(err)
	}
	end, err := os.OpenFile(fifo, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { end.Close() })
	return fifo, link, end
}

func TestAnExecutableThatIsNoFileIsNeverOpened(t *testing.T) {
	b := newBench(t, "")
	fifo, link, _ := fifoBehindLink(t)
	opened := regulartest.WatchOpens(t, fifo)

	l := b.launch(key("web", 0), exitWith, 0)
	l.Path = link
	b.client.Start(l)
	f := await[StartFailed](b, nil)

	if opened() {
		t.Error("the FIFO was opened")
	}
	if !strings.Contains(f.Reason, "no regular file") {
		t.Errorf("the start failed with %q", f.Reason)
	}
}

func TestAnExecutableThatWasSwappedAfterTheStartFailedIsNotRead(t *testing.T) {
	fifo, link, end := fifoBehindLink(t)
	if _, err := end.WriteString("#!/of/the/fifo\n"); err != nil {
		t.Fatal(err)
	}
	opened := regulartest.WatchOpens(t, fifo)

	interpreter := interpreterOf(link)

	if opened() {
		t.Error("the FIFO was opened")
	}
	if interpreter != "" {
		t.Errorf("interpreter = %q, from a FIFO", interpreter)
	}
}

func TestAPipeForOutputThatIsNoFIFOIsNotGivenAway(t *testing.T) {
	dir := t.TempDir()
	plain, fifo, second := filepath.Join(dir, "plain"), filepath.Join(dir, "fifo"), filepath.Join(dir, "second")
	if err := errors.Join(os.WriteFile(plain, nil, 0o600), unix.Mkfifo(fifo, 0o600), os.Link(fifo, second)); err != nil {
		t.Fatal(err)
	}

	for _, path := range []string{plain, fifo} {
		fd, err := openFIFOEnd(path, unix.O_RDWR)

		if err == nil || !strings.Contains(err.Error(), "is no FIFO") {
			unix.Close(fd)
			t.Errorf("%s: %v", path, err)
		}
	}
}
