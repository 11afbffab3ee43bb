package control

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestAFIFOInThePlaceOfAFolderOnTheWayToTheSocketIsNotOpened(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), strings.Repeat("long", 30))
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	held, err := os.OpenFile(fifo, os.O_RDWR, 0) // who opened it all the same is not caught
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()

	err = WithAddress(filepath.Join(fifo, SocketName), func(address string) error {
		t.Errorf("it was opened, and used as %s", address)
		return nil
	})

	if !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("WithAddress() = %v, want that it is no folder", err)
	}
}
