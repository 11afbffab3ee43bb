package regular

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/reconciler-dev/reconciler/internal/regular/regulartest"
)

func TestNothingButARegularFileIsOpened(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := errors.Join(unix.Mkfifo(at("fifo"), 0o600), os.Mkdir(at("folder"), 0o700), os.Symlink(at("fifo"), at("link"))); err != nil {
		t.Fatal(err)
	}
	kinds := map[string]string{at("fifo"): "a FIFO", at("folder"): "a directory", at("link"): "a FIFO"}
	if err := unix.Mknod(at("null"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))); err != nil {
		t.Logf("no device of our own: %v", err) // those of /dev are opened by everybody
	} else {
		kinds[at("null")] = "a device"
	}
	for path, kind := range kinds {
		opened := regulartest.WatchOpens(t, path)

		f, err := Open(path, Follow)

		if err == nil {
			f.Close()
		}
		if !errors.Is(err, ErrKind) || !strings.Contains(err.Error(), kind) {
			t.Errorf("Open(%s): %v, want %q", path, err, kind)
		}
		if opened() {
			t.Errorf("%s was opened", path)
		}
	}
}

func TestALinkIsFollowedOnlyWhereThatIsAskedFor(t *testing.T) {
	dir := t.TempDir()
	file, link := filepath.Join(dir, "file"), filepath.Join(dir, "link")
	if err := errors.Join(os.WriteFile(file, []byte("text"), 0o600), os.Symlink(file, link)); err != nil {
		t.Fatal(err)
	}

	followed, err := Read(link, Follow, 4)
	_, refused := Read(link, NoFollow, 4)
	plain, err2 := Read(file, NoFollow, 4)

	if string(followed) != "text" || string(plain) != "text" || err != nil || err2 != nil {
		t.Errorf("read %q, %v and %q, %v", followed, err, plain, err2)
	}
	if !errors.Is(refused, ErrKind) || !strings.Contains(refused.Error(), "symbolic link") {
		t.Errorf("a link that may not be followed: %v", refused)
	}
}

func TestTheFileThatIsReadIsTheOneThatWasJudged(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	if err := os.WriteFile(path, []byte("judged"), 0o600); err != nil {
		t.Fatal(err)
	}
	held, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(held)

	if err := errors.Join(os.Remove(path), unix.Mkfifo(path, 0o600)); err != nil {
		t.Fatal(err)
	}
	fd, st, err := Reopen(held)

	var text [16]byte
	n, _ := unix.Read(fd, text[:])
	unix.Close(fd)
	if err != nil || string(text[:n]) != "judged" || st.Size != 6 {
		t.Errorf("read %q of %d bytes, %v", text[:n], st.Size, err)
	}
}

func TestALeaseOfItsOwnerHoldsNobodyUp(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	owner, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer owner.Close()
	if _, err := unix.FcntlInt(owner.Fd(), unix.F_SETLEASE, unix.F_WRLCK); err != nil {
		t.Skipf("no leases here: %v", err)
	}

	_, err = Read(path, Follow, 1)

	if !errors.Is(err, unix.EAGAIN) || !strings.Contains(err.Error(), "lease") {
		t.Errorf("a file with a lease: %v", err)
	}
}

func TestWhatIsReadIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("12345"), 0o600); err != nil {
		t.Fatal(err)
	}

	_, tooLarge := Read(path, Follow, 4)
	_, missing := Read(path+"x", Follow, 4)

	if tooLarge == nil || !strings.Contains(tooLarge.Error(), "larger than 4 bytes") {
		t.Errorf("a file of 5 bytes: %v", tooLarge)
	}
	if !errors.Is(missing, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", missing)
	}
}
