package daemon

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/reconciler-dev/reconciler/internal/trust"
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
	dir := t.TempDir()
	held, err := lockStatus(dir, Holder{PID: 4711})
	if err != nil || held == nil {
		t.Fatalf("first lock: %v, %v", held, err)
	}

	_, err = lockStatus(dir, Holder{PID: 4712})

	if err == nil || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "pid 4711") || !strings.Contains(err.Error(), "--status") {
		t.Errorf("second lock: %v, want who, where and the way out", err)
	}
	held.Close()
	again, err := lockStatus(dir, Holder{PID: 4712})
	if err != nil || again == nil {
		t.Fatalf("lock after the end of the first: %v, %v", again, err)
	}
	again.Close()
}

func TestNoReaderOfTheStatusFilesHoldsUpAStart(t *testing.T) {
	dir := t.TempDir()
	held, err := lockStatus(dir, Holder{PID: 4711}) // and there is a lock to open
	if err != nil {
		t.Fatal(err)
	}
	held.Close()
	reader, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	if err := unix.Flock(int(reader.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}

	again, err := lockStatus(dir, Holder{PID: 4712})

	if err != nil || again == nil {
		t.Fatalf("lock under a reader that locked the directory: %v, %v", again, err)
	}
	defer again.Close()
	if info, err := again.Stat(); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode of the lock = %v, %v; want 0600, which no other user may open", info.Mode(), err)
	}
}

func TestALockFileForAllIsRefused(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, ".lock")
	if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Chmod(path, 0o666)); err != nil {
		t.Fatal(err)
	}

	_, err := lockStatus(dir, Holder{})

	if err == nil || !strings.Contains(err.Error(), "chmod go-w "+path) {
		t.Errorf("lock = %v, want what is wrong with the file and the way out", err)
	}
}

func TestAStatusDirectoryThatWasRemovedIsTakenAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "status")
	l := statusLock{dir: dir, me: Holder{PID: 4711}, way: trust.Own()}
	if err := errors.Join(os.Mkdir(dir, 0o755), l.take(), os.RemoveAll(dir)); err != nil {
		t.Fatal(err)
	}
	defer func() { l.release() }()

	again, twice := l.retake(), l.retake()
	_, second := lockStatus(dir, Holder{PID: 4712})

	if again != nil || twice != nil {
		t.Errorf("taken again: %v, %v", again, twice)
	}
	if second == nil || !strings.Contains(second.Error(), "pid 4711") {
		t.Errorf("another reconciler: %v; want that the new directory is locked", second)
	}
}

func TestAStatusDirectoryThatAnotherTookMeanwhileStaysTheirs(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "status")
	l := statusLock{dir: dir, me: Holder{PID: 4711}, way: trust.Own()}
	if err := errors.Join(os.Mkdir(dir, 0o755), l.take(), os.RemoveAll(dir), os.Mkdir(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	defer func() { l.release() }()
	other, err := lockStatus(dir, Holder{PID: 4712})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()

	late := l.retake()

	if late == nil || !strings.Contains(late.Error(), "pid 4712") {
		t.Errorf("retake() = %v, want who writes there", late)
	}
}

func TestAStatusDirectoryThatOthersMadeMeanwhileIsNotTaken(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "status")
	l := statusLock{dir: dir, me: Holder{PID: 4711}, way: trust.Own()}
	if err := errors.Join(os.Mkdir(dir, 0o755), l.take(), os.RemoveAll(dir), os.Mkdir(dir, 0o755), os.Chmod(dir, 0o777)); err != nil {
		t.Fatal(err)
	}
	defer func() { l.release() }()

	open := l.retake()

	if open == nil || !strings.Contains(open.Error(), "chmod go-w "+dir) {
		t.Errorf("retake() = %v, want what is wrong, and the way out", open)
	}
}
