package runtime

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/reconciler-dev/reconciler/pkg/runtime/task"
)

func openTasks(dir string) error {
	e, err := Open(Options{StateDir: dir, Tasks: task.NewRegistry()})
	if err == nil {
		e.Close()
	}
	return err
}

func TestAStateDirectoryThatOthersMayWriteIsNotOpened(t *testing.T) {
	for _, name := range []string{"", "records", "journal"} {
		dir := t.TempDir()
		open := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(open, 0o700), os.Chmod(open, 0o777|fs.ModeSticky)); err != nil {
			t.Fatal(err)
		}

		err := openTasks(dir)

		if err == nil || !strings.Contains(err.Error(), "chmod go-w "+open) {
			t.Errorf("%q for all to write: %v; want a refusal with the way out", name, err)
		}
	}
}

func TestAStateDirectoryOfAnEarlierVersionIsOpenedAndClosedToOthers(t *testing.T) {
	for _, mode := range []fs.FileMode{0o700, 0o710, 0o755} {
		dir := t.TempDir()
		if err := errors.Join(openTasks(dir), os.Chmod(dir, mode), os.Chmod(filepath.Join(dir, "records"), mode)); err != nil {
			t.Fatal(err)
		}

		err := openTasks(dir)

		for _, d := range []string{dir, filepath.Join(dir, "records")} {
			info, e := os.Stat(d)
			if err = errors.Join(err, e); err != nil || info.Mode().Perm() != 0o700 {
				t.Fatalf("%s of mode %04o: %v, mode %v; want it opened, and 0700", d, mode, err, info.Mode())
			}
		}
	}
}

func TestTheKeyOfTheHashesIsNobodyElses(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, hashKeyFile)
	if err := errors.Join(os.WriteFile(path, make([]byte, 32), 0o600), os.Chmod(path, 0o666)); err != nil {
		t.Fatal(err)
	}

	_, err := newFiles(dir)

	if err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a key that all may write: %v; want a refusal that names it", err)
	}
}
