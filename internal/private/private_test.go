package private

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/reconciler-dev/reconciler/internal/testuser"
	"github.com/reconciler-dev/reconciler/internal/trust"
)

func must(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func modeOf(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Lstat(path)
	must(t, err)
	return info.Mode().Perm()
}

// asRoot skips what needs things of another user.
func asRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
}

func TestADirectoryIsMadeForNobodyElse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "state")

	must(t, Dir(path, trust.Own()))

	if got := modeOf(t, path); got != 0o700 {
		t.Errorf("mode = %04o, want 0700", got)
	}
	must(t, Dir(path, trust.Own())) // a second time it is there
}

func TestADirectoryOfAnotherUserIsRefused(t *testing.T) {
	asRoot(t)
	for name, change := range map[string]func(path string) error{
		"his": func(path string) error { return os.Chown(path, testuser.Nobody, testuser.Nobody) },
		"his, and sticky": func(path string) error {
			return errors.Join(os.Chown(path, testuser.Nobody, 0), os.Chmod(path, 0o777|fs.ModeSticky))
		},
		"ours, open to all":     func(path string) error { return os.Chmod(path, 0o777) },
		"ours, sticky as /tmp":  func(path string) error { return os.Chmod(path, 0o777|fs.ModeSticky) },
		"ours, open to a group": func(path string) error { return errors.Join(os.Chown(path, -1, 4711), os.Chmod(path, 0o770)) },
		"in a folder of his":    func(path string) error { return os.Chown(filepath.Dir(path), testuser.Nobody, 0) },
	} {
		path := filepath.Join(t.TempDir(), "theirs", "state")
		must(t, os.MkdirAll(path, 0o755), change(path))

		err := Dir(path, trust.Own())

		var bad *trust.Error
		if !errors.As(err, &bad) || bad.Remedy == "" {
			t.Errorf("%s: Dir = %v, want a refusal with the way out", name, err)
		}
	}
}

func TestADirectoryMayStandInTheFolderOfSomebodyWhoIsTrusted(t *testing.T) {
	asRoot(t)
	clone := filepath.Join(t.TempDir(), "clone")
	must(t, os.Mkdir(clone, 0o755), os.Chown(clone, testuser.Nobody, testuser.Nobody))
	p := trust.Own().Also(testuser.Nobody)

	ours := errors.Join(Dir(filepath.Join(clone, "state"), p), Here(filepath.Join(clone, "state")))
	must(t, os.Mkdir(filepath.Join(clone, "his"), 0o755), os.Chown(filepath.Join(clone, "his"), testuser.Nobody, 0))
	his := Here(filepath.Join(clone, "his"))

	if ours != nil || his == nil {
		t.Errorf("ours in his: %v; his own: %v; want that only ours is used", ours, his)
	}
}

func TestADirectoryInAStickyFolderPasses(t *testing.T) {
	root := t.TempDir()
	must(t, os.Chmod(root, 0o777|fs.ModeSticky))

	if err := Dir(filepath.Join(root, "state"), trust.Own()); err != nil {
		t.Error(err)
	}
}

func TestWhatAnEarlierRunMadeIsTakenAndClosed(t *testing.T) {
	for _, old := range []fs.FileMode{0o700, 0o710, 0o755, 0o750, 0o2755} {
		path := filepath.Join(t.TempDir(), "state")
		must(t, os.Mkdir(path, 0o700), unix.Chmod(path, uint32(old)))

		err := errors.Join(Dir(path, trust.Own()), Admit(path, -1))

		if got := modeOf(t, path); err != nil || got != 0o700 {
			t.Errorf("a directory of mode %04o: %v, mode %04o; want it taken, with 0700", old, err, got)
		}
	}
}

func TestAGroupIsLetInAndShutOutAgain(t *testing.T) {
	asRoot(t)
	path := t.TempDir()
	owner := func() (gid uint32, mode uint32) {
		var st unix.Stat_t
		must(t, unix.Stat(path, &st))
		return st.Gid, uint32(st.Mode) & 0o7777
	}

	must(t, Admit(path, 4711))
	in, inMode := owner()
	must(t, Admit(path, -1))
	out, outMode := owner()

	if in != 4711 || inMode != 0o710 {
		t.Errorf("let in: group %d, mode %04o; want 4711 and 0710", in, inMode)
	}
	if out != uint32(os.Getegid()) || outMode != 0o700 {
		t.Errorf("shut out: group %d, mode %04o; want ours and 0700", out, outMode)
	}
}

func TestAFolderBelowIsNoLinkAndNobodyElses(t *testing.T) {
	root := t.TempDir()
	path := filepath.Join(root, "records")
	must(t, os.Mkdir(filepath.Join(root, "elsewhere"), 0o700), os.Symlink("elsewhere", path))

	linked := Below(path)
	must(t, os.Remove(path), os.WriteFile(path, nil, 0o600))
	file := Below(path)
	must(t, os.Remove(path), os.Mkdir(path, 0o700), os.Chmod(path, 0o777))
	open := Below(path)
	must(t, os.Chmod(path, 0o755))
	old := Below(path)

	for what, err := range map[string]error{"a link": linked, "a file": file, "a folder for all": open} {
		if err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: Below = %v, want a refusal that names it", what, err)
		}
	}
	if got := modeOf(t, path); old != nil || got != 0o700 {
		t.Errorf("one of ours: %v, mode %04o; want it closed", old, got)
	}
}

func TestAFileIsOursAndRegular(t *testing.T) {
	root := t.TempDir()
	at := func(name string) string { return filepath.Join(root, name) }
	must(t,
		os.WriteFile(at("victim"), []byte("precious"), 0o600), os.Symlink("victim", at("link")),
		unix.Mkfifo(at("fifo"), 0o600), os.Mkdir(at("dir"), 0o700),
		os.WriteFile(at("open"), []byte("precious"), 0o600), os.Chmod(at("open"), 0o666),
	)

	for _, name := range []string{"link", "fifo", "dir", "open"} {
		for _, flag := range []int{os.O_RDONLY, os.O_RDWR | os.O_CREATE | os.O_TRUNC, os.O_WRONLY | os.O_APPEND} {
			if f, err := Open(at(name), flag); err == nil {
				f.Close()
				t.Errorf("%s was opened with flags %#x", name, flag)
			}
		}
	}

	for _, name := range []string{"victim", "open"} {
		if text, _ := os.ReadFile(at(name)); string(text) != "precious" {
			t.Errorf("%s holds %q now", name, text)
		}
	}
}

func TestAFileOfAnotherUserIsRefused(t *testing.T) {
	asRoot(t)
	path := filepath.Join(t.TempDir(), "hash-key")
	must(t, os.WriteFile(path, []byte("precious"), 0o600), os.Chown(path, testuser.Nobody, testuser.Nobody))

	_, err := Open(path, os.O_RDWR|os.O_TRUNC)

	var bad *trust.Error
	if text, _ := os.ReadFile(path); !errors.As(err, &bad) || string(text) != "precious" {
		t.Errorf("Open = %v, and the file holds %q", err, text)
	}
}

func TestAFileOfOursIsClosedAndCut(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	must(t, os.WriteFile(path, []byte("old"), 0o600), os.Chmod(path, 0o644))

	f, err := Open(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC)

	must(t, err)
	defer f.Close()
	if info, err := f.Stat(); err != nil || info.Size() != 0 || info.Mode().Perm() != 0o600 {
		t.Errorf("it has %d bytes and mode %v, %v; want none and 0600", info.Size(), info.Mode(), err)
	}
}

func TestTheWayOutFitsTheFileSystem(t *testing.T) {
	squashed := &trust.Error{Path: "/srv/state", Hop: "/srv/state", Owner: unknown, Reason: "belongs to nobody", Remedy: "chown root /srv/state"}
	theirs := &trust.Error{Path: "/srv/state", Hop: "/srv", Owner: 1000, Reason: "belongs to deploy", Remedy: "chown root /srv"}
	for name, row := range map[string]struct {
		err  error
		euid int
		want string // "": the words as they are
	}{
		"root is squashed":                  {squashed, 0, "NFS with root_squash"},
		"an owner whom the namespace hides": {squashed, 1000, "user namespace"},
		"nobody's own, as nobody":           {squashed, unknown, ""},
		"another user's folder":             {theirs, 0, ""},
		"a mount that has no number for us": {&fs.PathError{Op: "mkdir", Path: "/mnt/s", Err: unix.EOVERFLOW}, 0, "id-mapped"},
		"root may not":                      {&fs.PathError{Op: "mkdir", Path: "/nfs/s", Err: unix.EACCES}, 0, "no_root_squash"},
		"a user may not":                    {&fs.PathError{Op: "mkdir", Path: "/s", Err: unix.EACCES}, 1000, ""},
		"a file system that is full":        {&fs.PathError{Op: "mkdir", Path: "/s", Err: unix.ENOSPC}, 0, ""},
	} {
		got := explained(row.err, row.euid)

		if !errors.Is(got, row.err) || row.want == "" && got != row.err || !strings.Contains(got.Error(), row.want) {
			t.Errorf("%s: %v; want %q behind the words of the kernel", name, got, row.want)
		}
	}
}
