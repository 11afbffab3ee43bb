package journal

import (
	"os"
	"syscall"
)

// fdatasync makes the contents of f durable, and of its metadata only what is
// needed to read them: not its times (fdatasync(2)).
func fdatasync(f *os.File) error {
	for {
		err := syscall.Fdatasync(int(f.Fd()))
		if err != syscall.EINTR {
			return os.NewSyscallError("fdatasync", err)
		}
	}
}
