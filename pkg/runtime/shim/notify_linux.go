package shim

import (
	"golang.org/x/sys/unix"
)

// openNotify binds the socket of an attempt. The kernel adds to each message who
// sent it.
func openNotify(name string) (int, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, err
	}
	if err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PASSCRED, 1); err == nil {
		err = unix.Bind(fd, &unix.SockaddrUnix{Name: name})
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// receive takes one message; false: there is none. A message that does not fit is
// longer than maxNotice then. close lets the descriptors go that came with it.
func receive(fd int, buf []byte) (message []byte, sender int, close func(), ok bool) {
	var oob [512]byte
	n, oobn, _, _, err := unix.Recvmsg(fd, buf, oob[:], unix.MSG_DONTWAIT|unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		return nil, 0, nil, false
	}
	var fds []int
	parts, _ := unix.ParseSocketControlMessage(oob[:oobn])
	for i := range parts {
		if cred, err := unix.ParseUnixCredentials(&parts[i]); err == nil {
			sender = int(cred.Pid)
		} else if got, err := unix.ParseUnixRights(&parts[i]); err == nil {
			fds = append(fds, got...)
		}
	}
	return buf[:n], sender, func() {
		for _, fd := range fds {
			unix.Close(fd)
		}
	}, true
}

// owns reports whether a process belongs to an attempt without a cgroup.
func (s *server) owns(a *attempt, pid int) bool {
	stat, err := readStat(pid)
	return err == nil && a.owns(pid, stat)
}
