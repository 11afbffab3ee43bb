package trust

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// maxLinks is how many symbolic links one path may take: the kernel's own limit
// (path_resolution(7)).
const maxLinks = 40

// Found is where a path ended.
type Found struct {
	Path string      // without a link in it
	Stat unix.Stat_t // of the thing itself
}

// IsDir reports whether it is a folder.
func (f Found) IsDir() bool { return uint32(f.Stat.Mode)&unix.S_IFMT == unix.S_IFDIR }

// Check walks to path and judges all that is on the way, and the thing itself, which
// it does not open: that may be a socket, a device, or a file that may be run and not
// read. A relative path begins at the working directory. The error is an *Error where
// something is not to be trusted, and a *fs.PathError where it is not there.
func (p Policy) Check(path string) (Found, error) {
	w, err := p.walk(path)
	if err != nil {
		return Found{}, err
	}
	w.close()
	return w.found, nil
}

// CheckWay is Check of a folder in which something of ours is to stand: it may be
// sticky, as /tmp, for there nobody takes away what is not his.
func (p Policy) CheckWay(folder string) (Found, error) {
	w := &walker{p: p, asked: folder, at: -1, way: true}
	if err := w.walk(); err != nil {
		return Found{}, err
	}
	w.close()
	if !w.found.IsDir() {
		return Found{}, &os.PathError{Op: "open", Path: folder, Err: unix.ENOTDIR}
	}
	return w.found, nil
}

// Open is Check and then open(2) of a regular file or a folder with the given flags;
// it waits for nobody (no FIFO and no device is opened) and follows no link that was
// not judged. The file is close-on-exec. O_CREAT is not for here: open the folder, and
// create below it.
func (p Policy) Open(path string, flags int) (*os.File, error) {
	w, err := p.walk(path)
	if err != nil {
		return nil, err
	}
	defer w.close()
	return w.open(path, flags)
}

// Judge judges what is open as f as if the path had ended there, without those who
// lead to it. Name is for the error.
func (p Policy) Judge(f *os.File, name string) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var st unix.Stat_t
	var readOnly bool
	var failed error
	if err := raw.Control(func(fd uintptr) {
		failed = retry(func() error { return unix.Fstat(int(fd), &st) })
		readOnly = p.ReadOnly && onReadOnly(int(fd))
	}); err != nil {
		return err
	}
	if failed != nil {
		return &os.PathError{Op: "stat", Path: name, Err: failed}
	}
	n := nodeOf(&st)
	n.last, n.readOnly = true, readOnly
	return p.verdict(n, name, name)
}

// walker is a walk that is under way.
type walker struct {
	p     Policy
	asked string
	at    int    // descriptor of the folder where it stands
	real  string // its path, without a link
	name  string // in the folder: what the path came to; empty for the folder itself
	links int
	found Found
	way   bool // the last folder is judged as one on the way

	turned []turned // with Policy.LinksOnly: the links that others may turn

	// makes says that folders which are not there are made; nil: they are missing.
	makes func(at int, name string) error
}

// turned is a link that its owner, who is not trusted, may turn elsewhere.
type turned struct {
	path string
	by   uint32
}

func (w *walker) close() { _ = unix.Close(w.at) }

// walk goes to the end of path. The caller closes the walker it gets.
func (p Policy) walk(path string) (*walker, error) {
	w := &walker{p: p, asked: path, at: -1}
	return w, w.walk()
}

// walk leaves nothing open after an error.
func (w *walker) walk() error {
	whole := w.asked // not cleaned: .. behind a link is the folder above its target, for the kernel and here
	if !filepath.IsAbs(whole) {
		wd, err := os.Getwd()
		if err != nil {
			return err
		}
		whole = wd + "/" + whole
	}
	rest := parts(whole)
	if err := w.root(len(rest) == 0); err != nil {
		return err
	}
	for len(rest) > 0 {
		var err error
		if rest, err = w.step(rest[0], rest[1:]); err != nil {
			w.close()
			return err
		}
	}
	if err := w.judgeTurned(); err != nil {
		w.close()
		return err
	}
	return nil
}

// judgeTurned lets a link of a stranger lead to what is his.
func (w *walker) judgeTurned() error {
	for _, t := range w.turned {
		if to := w.found.Stat.Uid; to != t.by {
			reason := fmt.Sprintf("is a link of %s and leads to a file of %s, %s", userName(t.by), userName(to), w.found.Path)
			return &Error{Path: w.asked, Hop: t.path, Owner: t.by, Other: true, Reason: reason, Remedy: "chown -h root " + shellWord(t.path)}
		}
	}
	return nil
}

func parts(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
}

func (w *walker) root(last bool) error {
	if w.at >= 0 {
		w.close()
	}
	fd, err := openFolder(unix.AT_FDCWD, "/")
	if err != nil {
		return &os.PathError{Op: "open", Path: "/", Err: err}
	}
	w.at, w.real = fd, "/"
	if err := w.judgeFolder(last); err != nil {
		w.close()
		return err
	}
	return nil
}

// step goes through one name, and returns the names that are left.
func (w *walker) step(name string, rest []string) ([]string, error) {
	if name == "." && len(rest) > 0 || name == ".." && w.real == "/" {
		return rest, nil
	}
	path := filepath.Join(w.real, name)
	var st unix.Stat_t
	err := w.stat(name, &st)
	if err == unix.ENOENT && w.makes != nil {
		if err := w.makes(w.at, name); err != nil {
			return nil, &os.PathError{Op: "mkdir", Path: path, Err: err}
		}
		err = w.stat(name, &st)
	}
	if err != nil {
		return nil, &os.PathError{Op: "stat", Path: path, Err: err}
	}
	switch n := nodeOf(&st); n.kind {
	case dir:
		return rest, w.enter(name, path, len(rest) == 0)
	case link:
		if w.p.LinksOnly && !w.p.owner(n) {
			w.turned = append(w.turned, turned{path, n.uid})
		} else if err := w.p.verdict(n, w.asked, path); err != nil {
			return nil, err
		}
		return w.follow(name, path, rest)
	}
	if len(rest) > 0 {
		return nil, &os.PathError{Op: "open", Path: path, Err: unix.ENOTDIR}
	}
	n := nodeOf(&st)
	n.last = true
	if err := w.verdict(n, path); err != nil {
		return nil, err
	}
	w.name, w.found = name, Found{path, st}
	return nil, nil
}

func (w *walker) stat(name string, st *unix.Stat_t) error {
	return retry(func() error { return unix.Fstatat(w.at, name, st, unix.AT_SYMLINK_NOFOLLOW) })
}

// enter makes a folder the place where the walk stands, once it was judged.
func (w *walker) enter(name, path string, last bool) error {
	fd, err := openFolder(w.at, name)
	if err != nil {
		return &os.PathError{Op: "open", Path: path, Err: err}
	}
	w.close()
	w.at, w.real = fd, path
	return w.judgeFolder(last)
}

func (w *walker) judgeFolder(last bool) error {
	var st unix.Stat_t
	if err := retry(func() error { return unix.Fstat(w.at, &st) }); err != nil {
		return &os.PathError{Op: "stat", Path: w.real, Err: err}
	}
	n := nodeOf(&st)
	n.last = last && !w.way
	w.found = Found{w.real, st}
	return w.verdict(n, w.real)
}

// verdict asks whether the file system is mounted read-only where that may excuse
// something: hardly ever, and each start of a child walks.
func (w *walker) verdict(n node, hop string) error {
	err := w.p.verdict(n, w.asked, hop)
	if err != nil && w.p.ReadOnly {
		n.readOnly = onReadOnly(w.at)
		err = w.p.verdict(n, w.asked, hop)
	}
	return err
}

// follow puts what a link says before the names that are left. Its owner was judged,
// and so was the folder in which it stands, so it is the same link still.
func (w *walker) follow(name, path string, rest []string) ([]string, error) {
	if w.links++; w.links > maxLinks {
		return nil, &os.PathError{Op: "open", Path: w.asked, Err: unix.ELOOP}
	}
	buf := make([]byte, unix.PathMax)
	var n int
	if err := retry(func() (err error) { n, err = unix.Readlinkat(w.at, name, buf); return err }); err != nil {
		return nil, &os.PathError{Op: "readlink", Path: path, Err: err}
	}
	to := string(buf[:n])
	next := append(parts(to), rest...)
	if filepath.IsAbs(to) {
		return next, w.root(len(next) == 0)
	}
	if len(next) == 0 {
		next = []string{"."} // a link to the folder where it stands: judged as the last
	}
	return next, nil
}

// open opens what the walk came to, and makes sure that it is this.
func (w *walker) open(path string, flags int) (*os.File, error) {
	flags |= unix.O_CLOEXEC | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_NOCTTY
	name := w.name
	if w.found.IsDir() {
		name = "."
	} else if uint32(w.found.Stat.Mode)&unix.S_IFMT != unix.S_IFREG {
		return nil, &os.PathError{Op: "open", Path: path, Err: errors.New("not a regular file")}
	}
	var fd int
	if err := retry(func() (err error) { fd, err = unix.Openat(w.at, name, flags, 0); return err }); err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	var st unix.Stat_t
	if err := retry(func() error { return unix.Fstat(fd, &st) }); err != nil {
		_ = unix.Close(fd)
		return nil, &os.PathError{Op: "stat", Path: path, Err: err}
	}
	if st.Dev != w.found.Stat.Dev || st.Ino != w.found.Stat.Ino {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("open %s: it was replaced while it was opened", path)
	}
	return os.NewFile(uintptr(fd), path), nil
}

// verdict is judge as an error; hop is the thing that is judged.
func (p Policy) verdict(n node, path, hop string) error {
	reason, remedy := p.judge(n)
	if reason == "" && p.excused(n) && hasACL(hop) {
		// With an access list the bits of the group are its mask: whom they let in
		// is said by the list, not by the group (acl(5)).
		reason, remedy = "has an access list, by which others than its group may write (see getfacl)", "setfacl -b"
	}
	if reason == "" || p.LinksOnly {
		return nil
	}
	if home := homeOf(n.uid); n.kind == dir && !n.last && !p.owner(n) && below(hop, home) {
		remedy = "choose a place outside of " + shellWord(home) // to take it from its user would be worse
	} else if remedy != "" {
		remedy += " " + shellWord(hop)
	}
	return &Error{Path: path, Hop: hop, Owner: n.uid, Other: !p.owner(n), Reason: reason, Remedy: remedy}
}

func nodeOf(st *unix.Stat_t) node {
	n := node{uid: st.Uid, gid: st.Gid, mode: uint32(st.Mode) & 0o7777}
	switch uint32(st.Mode) & unix.S_IFMT {
	case unix.S_IFDIR:
		n.kind = dir
	case unix.S_IFLNK:
		n.kind = link
	}
	return n
}

// openFolder opens a folder to go on from, also one that may be passed and not read.
func openFolder(at int, name string) (fd int, err error) {
	err = retry(func() (err error) {
		fd, err = unix.Openat(at, name, searchOnly|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		return err
	})
	return fd, err
}

// retry repeats a call that a signal interrupted.
func retry(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}
