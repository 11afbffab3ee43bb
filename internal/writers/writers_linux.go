package writers

import "golang.org/x/sys/unix"

// Of asks about the file that is open for reading at fd. It does not wait.
//
// A writer that comes before the lease is given back makes the kernel send SIGIO,
// which Go programs ignore unless they ask for it.
func Of(fd int) Answer {
	_, err := unix.FcntlInt(uintptr(fd), unix.F_SETLEASE, unix.F_RDLCK)
	switch err {
	case nil:
	case unix.EAGAIN:
		return Somebody
	default:
		return Unknown
	}
	// Should this fail, the lease ends with the descriptor.
	_, _ = unix.FcntlInt(uintptr(fd), unix.F_SETLEASE, unix.F_UNLCK)
	return Nobody
}
