package runtime

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestOnlyTheContentOfAFileCounts(t *testing.T) {
	seen, err := newFiles(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	path, link := filepath.Join(dir, "conf"), filepath.Join(dir, "link")
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(path, "one")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	first := seen.hash(plainFile(link))

	touched := time.Now().Add(-time.Hour)
	if err := os.Chtimes(path, touched, touched); err != nil {
		t.Fatal(err)
	}
	if got := seen.hash(plainFile(link)); got != first || first == "" {
		t.Errorf("a touched file has the hash %q, before %q; want the same", got, first)
	}
	other := filepath.Join(dir, "other")
	write(other, "one")
	if err := os.Rename(other, path); err != nil {
		t.Fatal(err)
	}
	if got := seen.hash(plainFile(link)); got != first {
		t.Errorf("a file replaced by an equal one has the hash %q, before %q; want the same", got, first)
	}
	write(path, "two")
	if got := seen.hash(plainFile(link)); got == first {
		t.Error("a file with another content, behind a link, has the same hash")
	}
}
