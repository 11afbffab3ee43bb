package regular

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// ErrKind says that something other than a regular file is at a path. It was not
// opened.
var ErrKind = errors.New("not a regular file")

// Links says what becomes of a path whose last name is a symbolic link.
type Links int

// Follow is for paths that a person wrote, NoFollow for names that only we give.
const (
	Follow Links = iota
	NoFollow
)

// Open opens the regular file at path for reading, at once: it waits for nobody. Its
// error is a *fs.PathError.
func Open(path string, links Links) (*os.File, error) {
	fd, _, err := Descriptor(path, links)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), path), nil
}

// Read is the content of the regular file at path. A file of more than max bytes is
// an error.
func Read(path string, links Links, max int64) ([]byte, error) {
	f, err := Open(path, links)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, max+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > max {
		return nil, fmt.Errorf("%s: larger than %d bytes", path, max)
	}
	return data, nil
}

// Descriptor is Open for who needs no os.File: the descriptor, which the caller
// closes, and what fstat(2) says of it.
func Descriptor(path string, links Links) (int, unix.Stat_t, error) {
	fd, st, err := open(path, links)
	if err != nil {
		return -1, st, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return fd, st, nil
}

// check is the judgement on what was found.
func check(st *unix.Stat_t) error {
	kind := "a file of an unknown kind"
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		return nil
	case unix.S_IFDIR:
		kind = "a directory"
	case unix.S_IFLNK:
		kind = "a symbolic link"
	case unix.S_IFIFO:
		kind = "a FIFO"
	case unix.S_IFSOCK:
		kind = "a socket"
	case unix.S_IFCHR, unix.S_IFBLK:
		kind = "a device"
	}
	return fmt.Errorf("%w but %s", ErrKind, kind)
}

// retry repeats a system call that a signal interrupted; the Go runtime sends such
// signals to its own threads.
func retry(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}
