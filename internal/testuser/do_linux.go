package testuser

import (
	"errors"
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// Do calls f with the effective user nobody, whom the kernel then sees: as the owner of
// what f makes, and at the other end of sockets that f listens on or connects. It is
// the same process and has no rights of root's meanwhile. f must not start a goroutine
// that does any of this. Only root can; for others the test is skipped.
func Do(t testing.TB, f func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can act as nobody")
	}
	done := make(chan error)
	go func() {
		// Never unlocked: the thread ends with the goroutine, so that nobody who comes
		// later finds another user on it.
		runtime.LockOSThread()
		// The raw call changes this thread alone, setresuid(2) of the library all.
		_, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, ^uintptr(0), Nobody, ^uintptr(0))
		if errno != 0 {
			done <- errno
			return
		}
		defer func() {
			if p := recover(); p != nil {
				done <- errors.New("the function panicked")
			}
		}()
		f()
		done <- nil
	}()
	if err := <-done; err != nil {
		t.Fatalf("act as nobody: %v", err)
	}
}
