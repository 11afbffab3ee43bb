package shim

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/reconciler-dev/reconciler/internal/trust"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// Notify sockets must be where a child's user can come to them, where nobody else
// can put another in their place, and under a path that fits into an address (108
// bytes, unix(7)). The state directory is root's alone, so root's are below
// /run/reconciler-notify, in folders of mode 0711: whoever may send is decided by the
// mode of the socket, and its name is no secret. A user's own reconciler has no
// children of other users, and uses its state directory, or $XDG_RUNTIME_DIR where
// that path is too long. Where neither can be had there is /tmp, with a name that
// nobody can take in advance.
//
// The next shim finds the same place, and learns from its table at which path each
// living child was told to speak.

// runNotify is root's place, beside everything that others call /run/reconciler.
const runNotify = "/run/reconciler-notify"

// runtimeDirVariable names the place of a user's own sockets (XDG Base Directory).
const runtimeDirVariable = "XDG_RUNTIME_DIR"

// places are the folders in which a shim may have its sockets, best first, and the
// mode that they get. tag is of notifyTag.
type places struct {
	list []string
	temp string // below it, as a last resort, one with the prefix
	tag  string
	mode os.FileMode
}

func placesFor(stateDir, tag, runtimeDir, temp string, root bool) places {
	p := places{temp: temp, tag: tag, mode: 0o700}
	if root {
		p.mode = 0o711
		p.list = []string{filepath.Join(runNotify, tag)}
		return p
	}
	if own := filepath.Join(shimDir(stateDir), "notify"); len(own)+1+notifyNameLength <= maxSocketPath {
		p.list = append(p.list, own)
	}
	if filepath.IsAbs(runtimeDir) && len(runtimeDir) < maxSocketPath/2 {
		p.list = append(p.list, filepath.Join(runtimeDir, filepath.Base(runNotify), tag))
	}
	return p
}

func (s *server) places() places {
	// Not $TMPDIR, which may be as long as the state directory.
	return placesFor(s.cfg.StateDir, s.longTag, os.Getenv(runtimeDirVariable), "/tmp", os.Geteuid() == 0)
}

// make finds or makes the folder. What belongs to somebody else is passed over.
func (p places) make() (string, error) {
	var failed error
	for _, dir := range p.list {
		err := p.prepare(dir)
		if errors.Is(err, fs.ErrNotExist) { // another shim just cleaned up above it
			err = p.prepare(dir)
		}
		if err == nil {
			return dir, nil
		}
		failed = errors.Join(failed, err)
	}
	for _, dir := range p.temporary() {
		if p.prepare(dir) == nil {
			return dir, nil
		}
	}
	dir, err := os.MkdirTemp(p.temp, p.prefix())
	if err == nil {
		if err = p.prepare(dir); err == nil {
			return dir, nil
		}
	}
	return "", errors.Join(failed, err)
}

func (p places) prefix() string { return "reconciler-" + p.tag + "-" }

func (p places) temporary() []string {
	dirs, _ := filepath.Glob(filepath.Join(p.temp, p.prefix()+"*")) // the pattern is well formed
	return dirs
}

// prepare makes a folder, with the one above it, and judges what is there then.
func (p places) prepare(dir string) error {
	for _, d := range []string{filepath.Dir(dir), dir} {
		err := os.Mkdir(d, 0o700)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return err
		}
		if err := os.Chmod(d, p.mode); err != nil { // whatever the umask is
			return err
		}
	}
	f, err := trust.Own().Open(dir, os.O_RDONLY|syscall.O_DIRECTORY)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Chmod(p.mode)
}

// clean removes all sockets but those that are wanted and, with none, the folders.
func (p places) clean(keep map[string]bool) error {
	var failed error
	for _, dir := range append(p.temporary(), p.list...) {
		f, err := trust.Own().Open(dir, os.O_RDONLY|syscall.O_DIRECTORY)
		if err != nil {
			continue // it is not there, or not ours
		}
		f.Close()
		failed = errors.Join(failed, removeAll(dir, keep))
		if len(keep) == 0 {
			_ = os.Remove(dir)
			if above := filepath.Dir(dir); filepath.Base(above) == filepath.Base(runNotify) {
				_ = os.Remove(above) // as long as nothing else is in it
			}
		}
	}
	return failed
}

// notifyNameLength is that of a name of notifyFile.
const notifyNameLength = 24

// notifyFile is the name of the socket of an attempt.
func notifyFile(key child.Key) string {
	sum := sha256.Sum256([]byte(entryName(key)))
	return hex.EncodeToString(sum[:notifyNameLength/2])
}

// abstractName is the name that earlier versions gave a socket.
func abstractName(key child.Key, tag string) string {
	return "@reconciler/" + tag + "/" + notifyFile(key)
}

// giveAddress gives a new attempt a place to say how it is, if it wants one.
func (s *server) giveAddress(a *attempt, l Launch) (err error) {
	if !l.Notify {
		return nil
	}
	if why := a.unit.cannotClose(); why != "" {
		return errors.New(why)
	}
	a.ear.talks = true
	a.ear.address, err = s.addressFor(l)
	return err
}

// addressFor is where a new attempt may say how it is.
func (s *server) addressFor(l Launch) (*address, error) {
	dir, err := s.places().make()
	if err != nil {
		return nil, fmt.Errorf("make a folder for its notify socket: %w", err)
	}
	at := &address{Path: filepath.Join(dir, notifyFile(l.Key)), UID: uint32(os.Geteuid())}
	if l.Credential != nil {
		at.UID = l.Credential.UID
	}
	return at, nil
}

// findAddress is where an attempt that no table knows was told to speak; nil if it
// was not.
func (s *server) findAddress(key child.Key) *address {
	p := s.places()
	for _, dir := range append(p.list, p.temporary()...) {
		at := &address{Path: filepath.Join(dir, notifyFile(key))}
		fi, err := os.Lstat(at.Path)
		if err != nil || fi.Mode().Type() != fs.ModeSocket {
			continue
		}
		if st, ok := fi.Sys().(*syscall.Stat_t); ok {
			at.UID = st.Uid
			return at
		}
	}
	return nil
}

// remove removes the socket's file.
func (at *address) remove() {
	if at != nil {
		_ = os.Remove(at.Path)
	}
}

// reopenNotify goes on listening where the child was told to speak.
func (a *attempt) reopenNotify(tag string) (err error) {
	if a.ear.address == nil {
		a.ear.fd, err = openAbstract(abstractName(a.Key, tag))
	} else {
		a.ear.fd, err = openNotify(*a.ear.address)
	}
	return err
}
