package desired

import (
	"errors"
	"io/fs"
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
	gid  uint32

	// written says that somebody had it open for writing after it was read. Only
	// handle.Read knows, and only where the kernel says so.
	written bool
}

// dirEntry is one entry of a folder.
type dirEntry struct {
	name string
	mode fs.FileMode // type only, of the entry itself: a link is a link
}

// disk is the file system as the reader needs it.
type disk interface {
	Top() (handle, error)           // the folder /
	Stat(path string) (meta, error) // of what path leads to: to watch it, which takes nobody's word
	Unwatchable(path string) bool   // changes made elsewhere cause no event
}

// handle is a folder that is open. What is done through it is done in this very
// folder, wherever its path leads by now: who was judged is who is read. No name is
// followed if it is a link.
type handle interface {
	Stat() (meta, error)
	Lstat(name string) (meta, error)
	Readlink(name string) (string, error)
	Folder(name string) (handle, error) // ENOTDIR: it is none
	List() ([]dirEntry, error)          // sorted

	// Read is at most limit bytes of a file, and what was read. The file is open
	// when allow is asked, which may refuse it; nil asks nobody.
	Read(name string, limit int64, allow func(m meta, readOnly func() bool) error) ([]byte, meta, error)

	ReadOnly() bool // its file system is mounted so
	Close()
}

// errChanging says that a file was written while it was read.
var errChanging = errors.New("the file changed while it was read")

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
		gid:  st.Gid,
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
