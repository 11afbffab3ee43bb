package shim

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/reconciler-dev/reconciler/internal/trust"
)

// maxExtra holds what the kernel adds to a message: who sent it, a pidfd of that,
// and the descriptors that came with it, 253 at most (SCM_MAX_FD). What does not fit
// would be closed by the kernel within recvmsg: see closer.
const maxExtra = 2048

// datagram is one message.
type datagram struct {
	text   []byte
	pid    int // as seen from here; 0: of a PID namespace that is not below ours
	uid    uint32
	pidfd  int   // of the sender, alive or not; -1: the kernel gives none (before Linux 6.5)
	rights []int // descriptors, to be closed
}

func (d datagram) closePidfd() {
	if d.pidfd >= 0 {
		unix.Close(d.pidfd)
	}
}

// openNotify makes the socket of an attempt: nobody but the user that at names, and
// root, may ever send to it.
func openNotify(at address) (fd int, err error) {
	dir, name, err := openDirOf(at.Path)
	if err != nil {
		return -1, err
	}
	defer dir.Close()
	if fd, err = newNotify(); err != nil {
		return -1, err
	}
	defer func() {
		if err != nil {
			unix.Close(fd)
			fd = -1
		}
	}()
	in := int(dir.Fd())
	if err := unix.Unlinkat(in, name, 0); err != nil && err != unix.ENOENT {
		return fd, err
	}
	// The file takes the mode that the socket has (unix_bind in net/unix/af_unix.c),
	// so there is no moment in which others may send.
	if err := unix.Fchmod(fd, 0o600); err != nil {
		return fd, err
	}
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: fmt.Sprintf("/proc/self/fd/%d/%s", in, name)}); err != nil {
		return fd, err
	}
	if int(at.UID) == os.Geteuid() {
		return fd, nil
	}
	if err := unix.Fchownat(in, name, int(at.UID), -1, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		_ = unix.Unlinkat(in, name, 0)
		return fd, fmt.Errorf("give it to user %d: %w", at.UID, err)
	}
	return fd, nil
}

// openAbstract is openNotify for an attempt that an earlier version of the shim
// started. Anybody may send there.
func openAbstract(name string) (int, error) {
	fd, err := newNotify()
	if err != nil {
		return -1, err
	}
	if err = unix.Bind(fd, &unix.SockaddrUnix{Name: name}); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func newNotify() (int, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, err
	}
	if err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PASSCRED, 1); err != nil {
		unix.Close(fd)
		return -1, err
	}
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PASSPIDFD, 1) // before Linux 6.5 there is none
	return fd, nil
}

// openDirOf opens the folder of a socket, if it still is one that nobody else can
// have made.
func openDirOf(path string) (dir *os.File, name string, err error) {
	folder, name := filepath.Split(path)
	dir, err = trust.Own().Open(folder, unix.O_RDONLY|unix.O_DIRECTORY)
	return dir, name, err
}

// receive takes one message into buf; false: there is none. One that does not fit is
// longer than maxNotice then.
func receive(fd int, buf, extra []byte) (datagram, bool) {
	n, m, _, _, err := unix.Recvmsg(fd, buf, extra, unix.MSG_DONTWAIT|unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		return datagram{}, false
	}
	d := datagram{text: buf[:n], pidfd: -1}
	parts, _ := unix.ParseSocketControlMessage(extra[:m])
	for i := range parts {
		switch p := &parts[i]; p.Header.Type {
		case unix.SCM_CREDENTIALS:
			if cred, err := unix.ParseUnixCredentials(p); err == nil {
				d.pid, d.uid = int(cred.Pid), cred.Uid
			}
		case unix.SCM_RIGHTS:
			if got, err := unix.ParseUnixRights(p); err == nil {
				d.rights = append(d.rights, got...)
			}
		case unix.SCM_PIDFD:
			d.pidfd = pidfdIn(p.Data)
		}
	}
	return d, true
}
