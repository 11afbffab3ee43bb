package journal

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

func TestRecordsThatOthersMayWriteAreNotRead(t *testing.T) {
	dir := t.TempDir()
	r, _, err := OpenRecords(dir)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, recordsName)
	if err := errors.Join(r.Close(), os.Chmod(path, 0o666)); err != nil {
		t.Fatal(err)
	}

	_, _, err = OpenRecords(dir)

	if err == nil || !strings.Contains(err.Error(), "chmod go-w "+path) {
		t.Errorf("OpenRecords = %v; want a refusal with the way out", err)
	}
}

func TestAJournalThatOthersMayWriteIsNotContinued(t *testing.T) {
	dir := t.TempDir()
	f, err := OpenFacts(dir)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, factsName(1))
	if err := errors.Join(f.Close(), os.Chmod(path, 0o666)); err != nil {
		t.Fatal(err)
	}

	_, err = OpenFacts(dir)

	if err == nil || !strings.Contains(err.Error(), "chmod go-w "+path) {
		t.Errorf("OpenFacts = %v; want a refusal with the way out", err)
	}
}

func TestCommandsAreKeptFromAndInFilesOfOursOnly(t *testing.T) {
	for name, plant := range map[string]func(path, aside string) error{
		"a link":      func(path, aside string) error { return errors.Join(os.Rename(path, aside), os.Symlink(aside, path)) },
		"open to all": func(path, _ string) error { return os.Chmod(path, 0o666) },
	} {
		for _, first := range []uint64{keptFile, 1} {
			dir, aside := t.TempDir(), filepath.Join(t.TempDir(), "aside")
			f := diary(t, dir)
			must(t, f.Append([]machine.Fact{command("web", "alice")}, noon))
			must(t, f.keepCommands(1))
			must(t, plant(filepath.Join(dir, factsName(first)), aside))

			err := f.keepCommands(1)

			if err == nil || !strings.Contains(err.Error(), factsName(first)) {
				t.Errorf("%s is %s: keepCommands = %v, want a refusal", factsName(first), name, err)
			}
		}
	}
}
