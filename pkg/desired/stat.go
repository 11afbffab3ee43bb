package desired

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// maxFile is the largest manifest file, in bytes.
const maxFile = 1 << 20

// identity tells two states of a file apart without reading it. The size and the
// modification time alone do not: file times may tick as slowly as every 4 ms,
// and tools set them back; nobody can set the change time.
type identity struct {
	dev, ino     uint64
	size         int64
	mtime, ctime int64 // nanoseconds since 1970
}

// sameObject reports whether both are the same file or folder, changed or not.
func (i identity) sameObject(o identity) bool { return i.dev == o.dev && i.ino == o.ino }

// meta is what is known of a file or folder without opening it.
type meta struct {
	identity
	mode fs.FileMode // type and permissions
	uid  uint32
}

// dirEntry is one entry of a folder.
type dirEntry struct {
	name string
	mode fs.FileMode // type only, of the entry itself: a link is a link
}

// disk is the file system as the reader needs it. Paths are absolute.
type disk interface {
	Stat(path string) (meta, error)  // of what a link leads to
	Lstat(path string) (meta, error) // of the link itself
	Readlink(path string) (string, error)
	List(path string) ([]dirEntry, error)                // sorted
	Read(path string, limit int64) ([]byte, meta, error) // at most limit bytes, and what was read
	Guarded(path string) bool                            // nobody may write there, whatever the modes say
	Unwatchable(path string) bool                        // changes made elsewhere cause no event
}

// host is the real file system.
type host struct{}

func (host) Stat(path string) (meta, error) {
	var st unix.Stat_t
	err := retry(func() error { return unix.Stat(path, &st) })
	return metaOf(&st), err
}

func (host) Lstat(path string) (meta, error) {
	var st unix.Stat_t
	err := retry(func() error { return unix.Lstat(path, &st) })
	return metaOf(&st), err
}

func (host) Readlink(path string) (string, error) { return os.Readlink(path) }

func (host) List(path string) ([]dirEntry, error) {
	dir, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	entries, err := dir.ReadDir(-1)
	names := make([]dirEntry, len(entries))
	for i, e := range entries {
		names[i] = dirEntry{e.Name(), e.Type()}
	}
	slices.SortFunc(names, func(a, b dirEntry) int { return strings.Compare(a.name, b.name) })
	return names, err
}

// Read does not wait: not for the writer of a FIFO, nor for a device. Only a
// regular file is read. One byte more than the limit says that there is more.
func (host) Read(path string, limit int64) ([]byte, meta, error) {
	var fd int
	err := retry(func() (err error) {
		fd, err = unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC|unix.O_NOCTTY, 0)
		return err
	})
	if err != nil {
		return nil, meta{}, err
	}
	defer unix.Close(fd)
	var before, after unix.Stat_t
	if err := retry(func() error { return unix.Fstat(fd, &before) }); err != nil {
		return nil, meta{}, err
	}
	m := metaOf(&before)
	if !m.mode.IsRegular() {
		return nil, m, nil
	}
	data, err := readAll(fd, make([]byte, 0, min(m.size+1, limit+1)), limit+1)
	if err != nil {
		return nil, m, err
	}
	if err := retry(func() error { return unix.Fstat(fd, &after) }); err != nil {
		return nil, m, err
	}
	if metaOf(&after).identity != m.identity {
		return nil, m, errChanging
	}
	return data, m, nil
}

// errChanging says that a file was written while it was read.
var errChanging = errors.New("the file changed while it was read")

// readAll reads up to limit bytes; it stops at the end of the file.
func readAll(fd int, data []byte, limit int64) ([]byte, error) {
	for int64(len(data)) < limit {
		if len(data) == cap(data) {
			data = slices.Grow(data, 4096)
		}
		free := data[len(data):min(int64(cap(data)), limit)]
		var n int
		err := retry(func() (err error) { n, err = unix.Read(fd, free); return err })
		if err != nil {
			return nil, err
		}
		if n == 0 {
			break
		}
		data = data[:len(data)+n]
	}
	return data, nil
}

// retry repeats a call that a signal interrupted: on network file systems that
// happens also without a handler of our own.
func retry(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}

func metaOf(st *unix.Stat_t) meta {
	m := meta{
		identity: identity{
			dev: uint64(st.Dev), ino: st.Ino, size: st.Size,
			mtime: time.Unix(st.Mtim.Unix()).UnixNano(), ctime: time.Unix(st.Ctim.Unix()).UnixNano(),
		},
		mode: fs.FileMode(st.Mode & 0o777),
		uid:  st.Uid,
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		m.mode |= fs.ModeDir
	case unix.S_IFLNK:
		m.mode |= fs.ModeSymlink
	case unix.S_IFIFO:
		m.mode |= fs.ModeNamedPipe
	case unix.S_IFSOCK:
		m.mode |= fs.ModeSocket
	case unix.S_IFCHR:
		m.mode |= fs.ModeDevice | fs.ModeCharDevice
	case unix.S_IFBLK:
		m.mode |= fs.ModeDevice
	}
	if st.Mode&unix.S_ISVTX != 0 {
		m.mode |= fs.ModeSticky
	}
	return m
}
