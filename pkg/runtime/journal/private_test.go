package journal

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
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

	if err == nil || !strings.Contains(err.Error(), "chmod o-w "+path) {
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

	if err == nil || !strings.Contains(err.Error(), "chmod o-w "+path) {
		t.Errorf("OpenFacts = %v; want a refusal with the way out", err)
	}
}
