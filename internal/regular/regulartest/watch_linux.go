package regulartest

import (
	"testing"

	"golang.org/x/sys/unix"
)

// WatchOpens watches a path, links followed. The answer is whether it was opened since
// the last question; open(2) with O_PATH is no opening.
func WatchOpens(t testing.TB, path string) (opened func() bool) {
	t.Helper()
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if _, err := unix.InotifyAddWatch(fd, path, unix.IN_OPEN); err != nil {
		t.Fatal(err)
	}
	return func() bool {
		var buf [4096]byte
		n, _ := unix.Read(fd, buf[:])
		return n > 0
	}
}
