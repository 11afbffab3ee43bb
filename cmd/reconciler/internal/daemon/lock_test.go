package daemon

import (
	"errors"
	"os"
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
