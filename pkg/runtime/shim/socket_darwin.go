package shim

import (
	"fmt"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// maxSocketPath is what fits into sun_path, with its end.
const maxSocketPath = 103

// withSocketAddress gives f the address of the socket in dir.
func withSocketAddress(dir string, f func(*unix.SockaddrUnix) error) error {
	path := filepath.Join(dir, socketName)
	if len(path) > maxSocketPath {
		return fmt.Errorf("the path %s is longer than a socket's may be (%d bytes): choose a shorter state directory", path, maxSocketPath)
	}
	return f(&unix.SockaddrUnix{Name: path})
}

func openSocket() (int, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	return prepared(fd, err)
}

func acceptSocket(listener int) (int, error) {
	fd, _, err := unix.Accept(listener)
	return prepared(fd, err)
}

func prepared(fd int, err error) (int, error) {
	if err != nil {
		return -1, err
	}
	unix.CloseOnExec(fd)
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}
