package daemon

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestSecondReconcilerIsToldWhoHoldsTheState(t *testing.T) {
	dir := t.TempDir()
	me := Holder{PID: os.Getpid(), StartedAt: time.Now().UTC().Round(0), Manifests: "/srv/manifests"}
	held, err := lock(dir, me)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()

	_, err = lock(dir, Holder{PID: 4711})

	var other *HeldError
	if !errors.As(err, &other) || other.Holder != me {
		t.Fatalf("error = %v, want one that names %+v", err, me)
	}
	if text := err.Error(); !strings.Contains(text, "/srv/manifests") || !strings.Contains(text, "--state") {
		t.Errorf("message = %q, want who and the way out", text)
	}
}

func TestLockOfADeadReconcilerIsFree(t *testing.T) {
	dir := t.TempDir()
	held, err := lock(dir, Holder{PID: os.Getpid()})
	if err != nil {
		t.Fatal(err)
	}
	held.Close()

	again, err := lock(dir, Holder{PID: os.Getpid()})
	if err != nil {
		t.Fatalf("second lock: %v", err)
	}
	again.Close()
}

func TestSecondReconcilerIsToldThatTheStatusFilesAreAnothers(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run", "status")
	held, err := lockStatus(dir)
	if err != nil || held == nil {
		t.Fatalf("first lock: %v, %v", held, err)
	}

	_, err = lockStatus(dir)

	if err == nil || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "--status") {
		t.Errorf("second lock: %v, want where and the way out", err)
	}
	held.Close()
	again, err := lockStatus(dir)
	if err != nil || again == nil {
		t.Fatalf("lock after the end of the first: %v, %v", again, err)
	}
	again.Close()
}
