package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/reconciler-dev/reconciler/internal/account"
	"github.com/reconciler-dev/reconciler/internal/private"
	"github.com/reconciler-dev/reconciler/pkg/control"
)

// socket is the socket in its place.
type socket struct {
	path     string
	listener *net.UnixListener
	own      os.FileInfo
}

// bind makes the socket. It is born in a directory of its own, with nobody's
// umask to guess, gets its mode and its group, and only then its name: there is no
// moment at which others could connect. The rename replaces what is left of a
// daemon that was killed, and follows no link.
func bind(path string, gid int) (*socket, error) {
	if err := mayReplace(path); err != nil {
		return nil, err
	}
	cradle, err := os.MkdirTemp(filepath.Dir(path), ".control-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(cradle)
	born := filepath.Join(cradle, "s")
	s := &socket{path: path}
	err = control.WithAddress(born, func(address string) (err error) {
		s.listener, err = net.ListenUnix("unix", &net.UnixAddr{Name: address, Net: "unix"})
		return err
	})
	if err != nil {
		return nil, err
	}
	s.listener.SetUnlinkOnClose(false)
	if err := s.place(born, gid); err != nil {
		_ = s.listener.Close()
		return nil, err
	}
	return s, nil
}

func (s *socket) place(born string, gid int) error {
	mode := fs.FileMode(0o600)
	if gid >= 0 {
		mode = 0o660
		if err := os.Lchown(born, -1, gid); err != nil {
			return fmt.Errorf("give it to the group: %w", err)
		}
	}
	// At each start, also without a group: an earlier start may have let one in.
	if err := private.Admit(filepath.Dir(s.path), gid); err != nil {
		return fmt.Errorf("access to the state directory: %w", err)
	}
	if err := os.Chmod(born, mode); err != nil {
		return err
	}
	if err := os.Rename(born, s.path); err != nil {
		return err
	}
	var err error
	s.own, err = os.Lstat(s.path)
	return err
}

// mayReplace says why what stands at path must stay; nil if it may go, or if
// nothing is there.
func mayReplace(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() == fs.ModeSymlink:
		return fmt.Errorf("%s is a symbolic link, which is not followed: remove it", path)
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("%s is no socket: move it away", path)
	}
	switch err := answers(path); {
	case err == nil:
		return fmt.Errorf("somebody answers at %s: stop that program, or choose another --state", path)
	case errors.Is(err, syscall.ECONNREFUSED):
		return nil // nobody is there any more
	default:
		return fmt.Errorf("whether somebody answers at %s cannot be known: %w", path, err)
	}
}

// answers connects, and hangs up.
func answers(path string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	return control.WithAddress(path, func(address string) error {
		var d net.Dialer
		c, err := d.DialContext(ctx, "unix", address)
		if err == nil {
			_ = c.Close()
		}
		return err
	})
}

// close takes the socket away, if it is still the one that was made.
func (s *socket) close() error {
	err := s.listener.Close()
	if errors.Is(err, net.ErrClosed) {
		err = nil
	}
	if now, e := os.Lstat(s.path); e == nil && os.SameFile(now, s.own) {
		err = errors.Join(err, os.Remove(s.path))
	}
	return err
}

// groupID is the number of a group, given by name or number; -1 for "". A name
// service that does not answer is waited for as long as account does: 15 s.
func groupID(name string) (int, error) {
	if name == "" {
		return -1, nil
	}
	gid, err := account.Database{}.Group(context.Background(), name)
	if err != nil {
		return -1, fmt.Errorf("--control-group %q: %w; make it (groupadd), or name another one", name, err)
	}
	return int(gid), nil
}

// lookEvery is how often the socket is looked at. A second is soon enough for people,
// and costs one lstat(2).
const lookEvery = time.Second

// stands reports whether the socket that we made is in its place.
func (s *socket) stands() bool {
	now, err := os.Lstat(s.path)
	return err == nil && os.SameFile(now, s.own)
}

// bindAgain makes the socket again that somebody took away or replaced. What stands in
// its place and may not go stays, and that is told once.
func (s *Server) bindAgain() {
	if s.socket.stands() {
		s.lost = ""
		return
	}
	again, err := bind(s.o.Socket, s.access.group)
	if err != nil {
		if s.lost != err.Error() {
			s.lost = err.Error()
			s.o.Log.Error(err, "the control socket was taken away and cannot be made again yet")
		}
		return
	}
	s.conns.moveTo(again.listener)
	s.socket, s.lost = again, ""
	s.o.Log.Info("the control socket was taken away; it is made again", "file", s.o.Socket)
}
