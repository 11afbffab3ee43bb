package logs

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/reconciler-dev/reconciler/internal/testuser"
)

// withLog is a root with the log of "team/web" in it, and the paths of all that a
// writer finds there.
func withLog(t *testing.T) (root string, found []string) {
	t.Helper()
	root = filepath.Join(t.TempDir(), "logs")
	team, dir := filepath.Join(root, "team"), filepath.Join(root, "team", "web")
	found = []string{root, team, dir, filepath.Join(dir, currentName), filepath.Join(dir, indexName), filepath.Join(dir, segmentName(0))}
	must(t, os.MkdirAll(dir, 0o700))
	for _, file := range found[3:] {
		must(t, os.WriteFile(file, nil, 0o600))
	}
	return root, found
}

func TestALogThatSomebodyElseMayHaveMadeIsNotOpened(t *testing.T) {
	changes := map[string]func(path string) error{
		"open to all": func(path string) error {
			info, err := os.Stat(path)
			return errors.Join(err, os.Chmod(path, info.Mode().Perm()|0o002))
		},
	}
	if os.Geteuid() == 0 {
		changes["another user's"] = func(path string) error { return os.Chown(path, testuser.Nobody, testuser.Nobody) }
	}
	for name, change := range changes {
		for i := range 6 {
			root, found := withLog(t)
			must(t, change(found[i]))

			_, err := OpenWriter(root, "team/web", Policy{})

			if err == nil || !strings.Contains(err.Error(), found[i]+" is not safe") || !strings.Contains(err.Error(), "move it away") {
				t.Errorf("%s, %s: %v; want a refusal with the way out", found[i], name, err)
			}
		}
	}
}

func TestALogInAFolderThatIsALinkIsNotOpened(t *testing.T) {
	for i := range 3 {
		root, found := withLog(t)
		aside := filepath.Join(t.TempDir(), "aside")
		must(t, os.Rename(found[i], aside), os.Symlink(aside, found[i]))

		_, err := OpenWriter(root, "team/web", Policy{})

		if err == nil || !strings.Contains(err.Error(), found[i]) {
			t.Errorf("%s is a link: %v; want a refusal", found[i], err)
		}
	}
}

func TestALogOfTheLastReleaseIsContinuedAndClosed(t *testing.T) {
	for _, mode := range []os.FileMode{0o700, 0o755, 0o750} {
		root, found := withLog(t)
		for _, folder := range found[:3] {
			must(t, os.Chmod(folder, mode))
		}
		must(t, os.WriteFile(found[3], []byte("before\n"), 0o600), os.Chmod(found[3], mode&0o666))

		w, err := OpenWriter(root, "team/web", Policy{})
		must(t, err)
		p := newPipe(t)
		say(t, w, p, "after\n")
		must(t, w.Close())

		if diff := cmp.Diff([]string{"", "before\nafter\n"}, files(t, found[2])); diff != "" {
			t.Errorf("mode %v: files (-want +got):\n%s", mode, diff)
		}
		for i, path := range found {
			info, err := os.Stat(path)
			must(t, err)
			if i < 4 && info.Mode().Perm()&0o077 != 0 {
				t.Errorf("%s has mode %v", path, info.Mode())
			}
		}
	}
}

// A file may come into the folder after the look at its name.
func TestOnlyAFileOfOursIsWrittenTo(t *testing.T) {
	for name, plant := range map[string]func(path, victim string) error{
		"a link":               func(path, victim string) error { return os.Symlink(victim, path) },
		"a FIFO":               func(path, _ string) error { return unix.Mkfifo(path, 0o600) },
		"a file open to all":   func(path, _ string) error { return errors.Join(os.WriteFile(path, nil, 0o600), os.Chmod(path, 0o666)) },
		"a link to no file":    func(path, victim string) error { return os.Symlink(victim+".new", path) },
		"a folder, not a file": func(path, _ string) error { return os.Mkdir(path, 0o700) },
	} {
		root, victim := t.TempDir(), filepath.Join(t.TempDir(), "victim")
		must(t, os.WriteFile(victim, []byte("precious"), 0o600), os.Mkdir(filepath.Join(root, "web"), 0o700))
		w, err := OpenWriter(root, "web", Policy{})
		must(t, err)
		must(t, plant(w.path, victim), plant(filepath.Join(w.dir, indexName), victim))

		opened := w.open()
		marked := appendIndex(w.dir, entry{At: 1})

		if opened == nil || marked == nil {
			t.Errorf("%s: open = %v, appendIndex = %v; want two errors", name, opened, marked)
		}
		if text, err := os.ReadFile(victim); err != nil || string(text) != "precious" {
			t.Errorf("%s: the victim holds %q, %v", name, text, err)
		}
		if _, err := os.Stat(victim + ".new"); err == nil {
			t.Errorf("%s: a file was made behind it", name)
		}
	}
}

func TestOutputOfARunningProcessWaitsForItsLogToBeMended(t *testing.T) {
	root, found := withLog(t)
	must(t, os.Chmod(found[2], 0o777))

	w, refused := ContinueWriter(root, "team/web", Policy{})
	t.Cleanup(func() { _ = w.Close() })
	p := newPipe(t)
	p.put(t, []byte("line\n"))
	n, waits := w.CopyFrom(p.r)
	must(t, os.Rename(found[2], filepath.Join(root, "aside")))
	drain(t, w, p)

	if refused == nil || n != 0 || waits == nil {
		t.Errorf("ContinueWriter: %v, CopyFrom: %d, %v; want it refused", refused, n, waits)
	}
	if diff := cmp.Diff([]string{"line\n"}, files(t, found[2])); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestALogThatIsNotThereYetIsNotBegunInAFolderOpenToAll(t *testing.T) {
	root, found := withLog(t)
	must(t, os.RemoveAll(found[2]), os.Chmod(found[1], 0o777))

	_, err := OpenWriter(root, "team/web", Policy{})

	if err == nil || !strings.Contains(err.Error(), found[1]+" is not safe") {
		t.Errorf("OpenWriter = %v; want a refusal that names %s", err, found[1])
	}
}
