package shim

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/reconciler-dev/reconciler/internal/peercred"
	"github.com/reconciler-dev/reconciler/internal/testuser"
)

// forge has nobody listen at the socket of the shim of a new state directory.
func forge(t *testing.T) (stateDir string) {
	t.Helper()
	stateDir = testuser.Public(t)
	dir := shimDir(stateDir)
	if err := errors.Join(os.Mkdir(dir, 0o700), os.Chmod(dir, 0o777)); err != nil {
		t.Fatal(err)
	}
	var l net.Listener
	var err error
	testuser.Do(t, func() { l, err = net.Listen("unix", filepath.Join(dir, socketName)) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return stateDir
}

func TestASocketOfAnotherUserIsNoShim(t *testing.T) {
	dir := forge(t)

	fd, err := dial(shimDir(dir))

	var stranger *peercred.StrangerError
	if !errors.As(err, &stranger) || stranger.UID != testuser.Nobody || nobodyListens(err) {
		t.Errorf("dial = %d, %v; want that nobody's program is refused, and no shim started beside it", fd, err)
	}
	if (&server{cfg: Config{StateDir: dir}}).answers() {
		t.Error("a shim that starts believes that another one lives")
	}
}

func TestAShimStartsInNoDirectoryThatOthersMayWrite(t *testing.T) {
	for _, open := range []string{".", "shim", "shim/fifo", "logs"} {
		dir := t.TempDir()
		if err := errors.Join(os.MkdirAll(fifoDir(dir), 0o700), os.Mkdir(filepath.Join(dir, "logs"), 0o700), os.Chmod(filepath.Join(dir, open), 0o777)); err != nil {
			t.Fatal(err)
		}

		s, err := newServer(Config{StateDir: dir})

		if err == nil {
			s.close()
		}
		if err == nil || !strings.Contains(err.Error(), "chmod go-w "+filepath.Join(dir, open)) {
			t.Errorf("%s for all to write: %v; want a refusal with the way out", open, err)
		}
	}
}

func TestAShimWritesToNoFileOfAnotherUser(t *testing.T) {
	for _, name := range []string{"table", "lock"} {
		dir := t.TempDir()
		path := filepath.Join(shimDir(dir), name)
		if err := errors.Join(os.Mkdir(shimDir(dir), 0o700), os.WriteFile(path, nil, 0o600), unix.Chmod(path, 0o666)); err != nil {
			t.Fatal(err)
		}

		s, err := newServer(Config{StateDir: dir})

		if err == nil {
			s.close()
		}
		if err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("a %s for all to write: %v; want a refusal that names it", name, err)
		}
	}
}

// Two brains in a row may start one each, and the one that lives may end meanwhile.
func TestAShimBesideAnotherMakesNothing(t *testing.T) {
	b := newBench(t, "")
	if err := errors.Join(os.Remove(fifoDir(b.dir)), os.Remove(logsDir(b.dir))); err != nil {
		t.Fatal(err)
	}

	s, err := newServer(Config{StateDir: b.dir})

	if err == nil {
		s.close()
		t.Fatal("there are two shims")
	}
	for _, dir := range []string{fifoDir(b.dir), logsDir(b.dir)} {
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v; want that it is left to the other one", dir, err)
		}
	}
}
