package testuser

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestAFunctionActsAsNobodyAndTheRestDoesNot(t *testing.T) {
	open := Public(t)
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	closed := filepath.Join(Public(t), "closed")
	if err := os.Mkdir(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	var made, refused error

	Do(t, func() {
		made = os.Mkdir(filepath.Join(open, "his"), 0o700)
		refused = os.WriteFile(filepath.Join(closed, "file"), nil, 0o600)
	})

	info, err := os.Stat(filepath.Join(open, "his"))
	if err != nil || made != nil || info.Sys().(*syscall.Stat_t).Uid != Nobody {
		t.Errorf("made: %v, %v; want a directory of nobody", made, err)
	}
	if !os.IsPermission(refused) {
		t.Errorf("a file in root's closed directory: %v; want that it is not permitted", refused)
	}
	if os.Geteuid() != 0 || os.WriteFile(filepath.Join(closed, "file"), nil, 0o600) != nil {
		t.Error("the rest of the test is not root any more")
	}
}
