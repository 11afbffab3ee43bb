package writers

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// open opens a new file for reading and gives its path.
func open(t *testing.T) (int, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if Of(fd) == Unknown {
		t.Skip("this file system has no leases, or they are switched off (fs.leases-enable)")
	}
	return fd, path
}

func TestAFileIsBeingWrittenAsLongAsSomebodyHasItOpenForThat(t *testing.T) {
	fd, path := open(t)
	if got := Of(fd); got != Nobody {
		t.Fatalf("before anybody opened it: %v, want Nobody", got)
	}

	w, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	open := Of(fd)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}

	if closed := Of(fd); open != Somebody || closed != Nobody {
		t.Errorf("open: %v, closed: %v; want Somebody, then Nobody", open, closed)
	}
}

func TestAReaderIsNoWriter(t *testing.T) {
	fd, path := open(t)
	r, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()

	got := Of(fd)

	if got != Nobody {
		t.Errorf("with another reader: %v, want Nobody", got)
	}
}

func TestAMappingCanWriteAlsoWhenItsDescriptorIsClosed(t *testing.T) {
	fd, path := open(t)
	w, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	text, err := unix.Mmap(int(w.Fd()), 0, 4, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	w.Close()

	mapped := Of(fd)
	if err := unix.Munmap(text); err != nil {
		t.Fatal(err)
	}

	if after := Of(fd); mapped != Somebody || after != Nobody {
		t.Errorf("mapped: %v, unmapped: %v; want Somebody, then Nobody", mapped, after)
	}
}

func TestTheQuestionLeavesNothingThatAWriterWouldWaitFor(t *testing.T) {
	fd, path := open(t)
	for range 3 {
		Of(fd)
	}

	w, err := unix.Open(path, unix.O_WRONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)

	if err != nil {
		t.Fatalf("open for writing: %v; the lease is still held", err)
	}
	unix.Close(w)
}

func TestNothingIsKnownOfWhatIsNoFile(t *testing.T) {
	dir, err := unix.Open(t.TempDir(), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(dir)

	got := Of(dir)

	if got != Unknown {
		t.Errorf("of a folder: %v, want Unknown", got)
	}
}
