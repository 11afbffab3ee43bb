package private

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/reconciler-dev/reconciler/internal/trust"
)

// Dir makes path where it is missing, with all that leads to it, and judges each hop
// by p. A new folder has the mode 0700; Admit sets the one of an older folder. That it
// is ours, where p trusts more users, is for Here.
func Dir(path string, p trust.Policy) error { return makeDir(path, 0o700, p) }

// Shared is Dir of one that everybody may read, and only we may write: a new one has
// the mode 0755.
func Shared(path string, p trust.Policy) error { return makeDir(path, 0o755, p) }

func makeDir(path string, mode fs.FileMode, p trust.Policy) error {
	f, err := p.MakeDir(path, mode)
	if err != nil {
		return explain(err)
	}
	return f.Close()
}

// Admit gives a folder that was judged the mode 0700 and our group, whatever it had.
// If group is not negative, that group may pass through to what it knows by name, and
// not look (0710). Only who holds the lock of the folder calls it: another may be at
// work there.
func Admit(path string, group int) error {
	f, err := openDir(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return admit(f, group)
}

func admit(f *os.File, group int) error {
	var st unix.Stat_t
	if err := stat(f, &st); err != nil {
		return err
	}
	mode, want := fs.FileMode(0o700), os.Getegid()
	if group >= 0 {
		mode, want = 0o710, group
	}
	if int(st.Uid) != os.Geteuid() {
		if group >= 0 {
			return fmt.Errorf("only the owner of %s can let a group pass", f.Name())
		}
		return nil // it is root's, and we are not
	}
	if isClosed(&st, mode, want) {
		return nil
	}
	// Closed before it changes hands: what the old group might do is not for the new one.
	if err := f.Chmod(0o700); err != nil {
		return err
	}
	if err := f.Chown(-1, want); err != nil && group >= 0 {
		return err
	} // without a group the mode says it all
	return f.Chmod(mode)
}

// Below makes a folder in one that was judged, and judges it: it is ours, and no link.
// It gets the mode 0700.
func Below(path string) error {
	err := Existing(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return noLink(path, err)
	}
	return Existing(path)
}

// Existing is Below of a folder that is there: its error is a fs.ErrNotExist if it is
// not. Each start of a child judges two of them, so this asks the kernel three times and
// no more, which an os.File doubles.
func Existing(path string) error {
	fd, err := -1, error(unix.EINTR)
	for err == unix.EINTR {
		fd, err = unix.Open(path, folderFlags, 0)
	}
	if err != nil {
		return noLink(path, &fs.PathError{Op: "open", Path: path, Err: err})
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	return judgeFolder(fd, &st, path)
}

func judgeFolder(fd int, st *unix.Stat_t, path string) error {
	thing := trust.Thing{Dir: true, Last: true, UID: st.Uid, GID: st.Gid, Mode: uint32(st.Mode) & 0o7777}
	if err := trust.Own().JudgeThing(thing, path, path); err != nil {
		return explain(err)
	}
	if isClosed(st, 0o700, os.Getegid()) {
		return nil
	}
	held, err := unix.Dup(fd)
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(held), path)
	defer f.Close()
	return admit(f, -1)
}

// isClosed reports whether a folder of ours has the mode and the group already.
func isClosed(st *unix.Stat_t, mode fs.FileMode, group int) bool {
	return int(st.Gid) == group && uint32(st.Mode)&0o7777 == uint32(mode)
}

// Here judges the folder at path, which is made where it is missing, and not what leads
// to it: for a process whose parent has done that.
func Here(path string) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return explain(err)
	}
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return explain(err)
	}
	defer f.Close()
	return explain(trust.Own().Judge(f, path))
}

const folderFlags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC

func openDir(path string) (*os.File, error) {
	f, err := os.OpenFile(path, folderFlags, 0)
	if err != nil {
		return nil, noLink(path, err)
	}
	return f, nil
}

// Open opens a file in a folder that was judged, as os.OpenFile does, and judges it: it
// is ours, a regular file and no link. It makes one with mode 0600, gives that mode to
// one of ours that has another, and truncates only what it has judged.
func Open(path string, flag int) (*os.File, error) {
	const always = unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC
	f, err := os.OpenFile(path, flag&^os.O_TRUNC|always, 0o600)
	if err != nil {
		return nil, noLink(path, err)
	}
	if err := judge(f, path); err != nil {
		f.Close()
		return nil, err
	}
	if flag&os.O_TRUNC != 0 {
		if err := f.Truncate(0); err != nil {
			f.Close()
			return nil, err
		}
	}
	return f, nil
}

func judge(f *os.File, path string) error {
	var st unix.Stat_t
	if err := stat(f, &st); err != nil {
		return err
	}
	if uint32(st.Mode)&unix.S_IFMT != unix.S_IFREG {
		return fmt.Errorf("%s is not a regular file: remove it", path)
	}
	if err := trust.Own().Judge(f, path); err != nil {
		return explain(err)
	}
	if uint32(st.Mode)&0o7077 != 0 && int(st.Uid) == os.Geteuid() {
		return f.Chmod(0o600)
	}
	return nil
}

func stat(f *os.File, st *unix.Stat_t) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = unix.Fstat(int(fd), st) }); err != nil {
		return err
	}
	if failed != nil {
		return &os.PathError{Op: "stat", Path: f.Name(), Err: failed}
	}
	return nil
}
