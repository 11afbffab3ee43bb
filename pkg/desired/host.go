package desired

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/reconciler-dev/reconciler/internal/writers"
)

// host is the real file system.
type host struct{}

func (host) Top() (handle, error) { return openFolder(unix.AT_FDCWD, "/", "/") }

func (host) Stat(path string) (meta, error) {
	var st unix.Stat_t
	err := retry(func() error { return unix.Stat(path, &st) })
	return metaOf(&st), err
}

// hostFolder is a folder of the real file system.
type hostFolder struct {
	fd   int
	path string // for messages, and where the type of an entry must be asked for by name
}

// openFolder opens a folder to go on from, also one that may be passed and not read.
func openFolder(at int, name, path string) (handle, error) {
	f := &hostFolder{path: path}
	err := retry(func() (err error) {
		f.fd, err = unix.Openat(at, name, searchOnly|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		return err
	})
	if err == unix.ELOOP { // what O_DIRECTORY says of a link differs
		err = unix.ENOTDIR
	}
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return f, nil
}

func (f *hostFolder) Close() { _ = unix.Close(f.fd) } // nothing was written

func (f *hostFolder) Folder(name string) (handle, error) {
	return openFolder(f.fd, name, filepath.Join(f.path, name))
}

func (f *hostFolder) Stat() (meta, error) {
	var st unix.Stat_t
	err := retry(func() error { return unix.Fstat(f.fd, &st) })
	return metaOf(&st), err
}

func (f *hostFolder) Lstat(name string) (meta, error) {
	var st unix.Stat_t
	err := retry(func() error { return unix.Fstatat(f.fd, name, &st, unix.AT_SYMLINK_NOFOLLOW) })
	return metaOf(&st), err
}

func (f *hostFolder) Readlink(name string) (string, error) {
	text := make([]byte, unix.PathMax)
	var n int
	err := retry(func() (err error) { n, err = unix.Readlinkat(f.fd, name, text); return err })
	return string(text[:max(n, 0)]), err
}

func (f *hostFolder) List() ([]dirEntry, error) {
	var fd int
	err := retry(func() (err error) {
		fd, err = unix.Openat(f.fd, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		return err
	})
	if err != nil {
		return nil, err
	}
	dir := os.NewFile(uintptr(fd), f.path)
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
func (f *hostFolder) Read(name string, limit int64, allow func(m meta, readOnly func() bool) error) ([]byte, meta, error) {
	var fd int
	err := retry(func() (err error) {
		fd, err = unix.Openat(f.fd, name, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW|unix.O_CLOEXEC|unix.O_NOCTTY, 0)
		return err
	})
	if err == unix.ELOOP {
		return nil, meta{}, errChanging // it was none a moment ago
	}
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
	if allow != nil {
		if err := allow(m, func() bool { return onReadOnly(fd) }); err != nil {
			return nil, m, err
		}
	}
	data, err := readAll(fd, make([]byte, 0, min(m.size+1, limit+1)), limit+1)
	if err != nil {
		return nil, m, err
	}
	// Once nobody has it open for writing, and it did not change since it was
	// opened, what was read is what the last writer left.
	m.written = writers.Of(fd) == writers.Somebody
	if err := retry(func() error { return unix.Fstat(fd, &after) }); err != nil {
		return nil, m, err
	}
	if metaOf(&after).identity != m.identity {
		return nil, m, errChanging
	}
	return data, m, nil
}

func (f *hostFolder) ReadOnly() bool { return onReadOnly(f.fd) }

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
