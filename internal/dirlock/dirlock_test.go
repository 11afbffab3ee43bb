package dirlock

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestSecondHolderLearnsWhatTheFirstSaid(t *testing.T) {
	dir := t.TempDir()
	first, err := Take(dir, Lock, map[string]int{"pid": 7})
	if err != nil {
		t.Fatal(err)
	}

	_, err = Take(dir, Lock, map[string]int{"pid": 8})

	var held *HeldError
	if !errors.As(err, &held) || string(held.Holder) != "{\"pid\":7}\n" {
		t.Errorf("second take: %v, %+v; want what the first one wrote", err, held)
	}
	first.Close()
	again, err := Take(dir, Lock, map[string]int{"pid": 8})
	if err != nil {
		t.Fatalf("after the first is gone: %v", err)
	}
	again.Close()
}

func TestLockIsNotTakenThroughALink(t *testing.T) {
	dir, victim := t.TempDir(), filepath.Join(t.TempDir(), "victim")
	if err := os.WriteFile(victim, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(victim, filepath.Join(dir, "lock")); err != nil {
		t.Fatal(err)
	}

	_, err := Take(dir, Lock, "me")

	if err == nil {
		t.Error("the lock was taken through a link")
	}
	if text, _ := os.ReadFile(victim); string(text) != "precious" {
		t.Errorf("the file behind the link holds %q now", text)
	}
}
