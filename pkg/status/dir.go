package status

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"regexp"
	"syscall"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// folder is the status directory as Writer needs it. Names are relative, with
// forward slashes.
type folder interface {
	// Replace gives name the content b: whole, or not at all.
	Replace(name string, b []byte) error
	// Remove takes a file away, and the folders that are empty without it. A file
	// that is not there is no error.
	Remove(name string) error
	// Read returns the content of a regular file.
	Read(name string) ([]byte, error)
	// Fits reports whether a file has the mode and group that Replace would give it.
	Fits(name string) bool
	// List says what stands in the directory.
	List() (listing, error)
	// RemoveFolder takes a folder away if it is empty.
	RemoveFolder(id child.ID) error
	// Intact reports whether the directory is still the one that is written to.
	Intact() bool
	// Reopen makes the directory again, and begins to write to the new one.
	Reopen() error
	Close() error
}

// directory is a folder on a file system. It never leaves its root, whatever
// symbolic links somebody puts there: every step goes through os.Root.
type directory struct {
	path string
	root *os.Root

	// group may read the files, and nobody else; nil: everybody may.
	group *int

	// prepare makes the directory anew, judges it and takes it; nil: it is only made.
	prepare func() error

	// create opens the temporary file; tests put a full disk here.
	create func(root *os.Root, name string) (io.WriteCloser, error)
}

// openDirectory makes the directory where it is missing, with its parents.
func openDirectory(dir string, group *int) (*directory, error) {
	d := &directory{path: dir, group: group, create: createFile}
	if group != nil {
		d.create = d.createClosed
	}
	if err := d.Reopen(); err != nil {
		return nil, err
	}
	if err := d.tryGroup(); err != nil {
		d.root.Close()
		return nil, err
	}
	return d, nil
}

func createFile(root *os.Root, name string) (io.WriteCloser, error) {
	return root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW, 0o644)
}

// groupMode is that of files that a group may read.
const groupMode = 0o640

// createClosed makes a file that is closed to all until it is the group's: what is
// written to it later was never open to others.
func (d *directory) createClosed(root *os.Root, name string) (io.WriteCloser, error) {
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	if err = f.Chown(-1, *d.group); err == nil {
		err = f.Chmod(groupMode)
	}
	if err != nil {
		f.Close()
		return nil, errors.Join(err, ignoreMissing(root.Remove(name)))
	}
	return f, nil
}

// tryGroup finds out at the start whether files can be given to the group.
func (d *directory) tryGroup() error {
	if d.group == nil {
		return nil
	}
	temp := tempName("group" + suffix)
	f, err := d.create(d.root, temp)
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("its files cannot be given to the group %d: %w; be a member of it, or root", *d.group, err)
	} else if err != nil {
		return err
	}
	return errors.Join(f.Close(), d.root.Remove(temp))
}

func (d *directory) Fits(name string) bool {
	info, err := d.root.Lstat(name)
	if err != nil || d.group == nil {
		return err == nil
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(owner.Gid) == *d.group && info.Mode() == groupMode
}

func (d *directory) Reopen() error {
	prepare := func() error { return os.MkdirAll(d.path, 0o755) }
	if d.root != nil && d.prepare != nil {
		prepare = d.prepare // who made what stands there now is not known
	}
	if err := prepare(); err != nil {
		return err
	}
	root, err := os.OpenRoot(d.path + "/.") // see ReadChild
	if err != nil {
		return err
	}
	if err := private(root, d.path); err != nil {
		root.Close()
		return err
	}
	if d.root != nil {
		d.root.Close()
	}
	d.root = root
	return nil
}

// private refuses a directory in which everybody may plant files.
func private(root *os.Root, dir string) error {
	info, err := root.Stat(".")
	if err == nil && info.Mode().Perm()&0o002 != 0 {
		return fmt.Errorf("%s may be written by everybody; run: chmod go-w %s", dir, dir)
	}
	return err
}

func (d *directory) Close() error { return d.root.Close() }

func (d *directory) Intact() bool {
	there, err := os.Stat(d.path)
	if err != nil {
		return false
	}
	ours, err := d.root.Stat(".")
	return err == nil && os.SameFile(there, ours)
}

func (d *directory) Replace(name string, b []byte) error {
	if err := d.makeFolder(path.Dir(name)); err != nil {
		return err
	}
	temp := tempName(name)
	f, err := d.create(d.root, temp)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = d.root.Rename(temp, name)
	}
	if err != nil {
		return errors.Join(err, ignoreMissing(d.root.Remove(temp)))
	}
	return nil
}

// makeFolder makes a folder, with its parents, unless it is there. A symbolic
// link in the place of one is refused, also if it stays within the directory.
func (d *directory) makeFolder(name string) error {
	if name == "." {
		return nil
	}
	if err := d.makeFolder(path.Dir(name)); err != nil {
		return err
	}
	info, err := d.root.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return d.root.Mkdir(name, 0o755)
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s is no folder but stands where one must be; remove it", name)
	}
	return nil
}

func (d *directory) Remove(name string) error {
	if err := ignoreMissing(d.root.Remove(name)); err != nil {
		return err
	}
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if err := d.root.Remove(dir); err != nil {
			return nil // it is not empty: others stand there
		}
	}
	return nil
}

func (d *directory) RemoveFolder(id child.ID) error {
	return d.root.Remove(string(id))
}

func (d *directory) Read(name string) ([]byte, error) { return read(d.root, name) }

func (d *directory) List() (listing, error) { return list(d.root) }

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

var tempRE = regexp.MustCompile(`^\.[A-Za-z_][A-Za-z0-9_-]*\.json\.tmp-[0-9a-f]{16}$`)

// tempName is a name beside name that nobody can guess. Its leading dot keeps it
// out of the way of readers.
func tempName(name string) string {
	var random [8]byte
	rand.Read(random[:]) // never fails
	return path.Join(path.Dir(name), "."+path.Base(name)+".tmp-"+hex.EncodeToString(random[:]))
}

func isTemp(name string) bool { return tempRE.MatchString(name) }
