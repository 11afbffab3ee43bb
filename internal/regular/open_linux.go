package regular

import (
	"errors"
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"
)

// open judges an O_PATH descriptor, which stands for the file and opens nothing.
func open(path string, links Links) (fd int, st unix.Stat_t, err error) {
	flags := unix.O_PATH | unix.O_CLOEXEC
	if links == NoFollow {
		flags |= unix.O_NOFOLLOW
	}
	var held int
	err = retry(func() (err error) {
		held, err = unix.Open(path, flags, 0)
		return err
	})
	if err != nil {
		return -1, st, err
	}
	defer unix.Close(held)
	return Reopen(held)
}

// Reopen opens for reading what an O_PATH descriptor stands for, if that is a regular
// file. The new descriptor is the caller's; held stays open.
func Reopen(held int) (fd int, st unix.Stat_t, err error) {
	if err := unix.Fstat(held, &st); err != nil {
		return -1, st, err
	}
	if err := check(&st); err != nil {
		return -1, st, err
	}
	// O_NONBLOCK: whoever owns a file may hold a lease on it, and open(2) waits for
	// that for 45 seconds (fcntl(2), lease-break-time).
	const flags = unix.O_RDONLY | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC
	err = retry(func() (err error) {
		fd, err = unix.Open("/proc/self/fd/"+strconv.Itoa(held), flags, 0)
		return err
	})
	switch {
	case errors.Is(err, unix.EAGAIN):
		return -1, st, fmt.Errorf("%w: somebody holds a lease on it", err)
	case errors.Is(err, unix.ENOENT):
		return -1, st, errors.New("/proc is not mounted here, and without it no file can be opened safely")
	case err != nil:
		return -1, st, err
	}
	return fd, st, nil
}
