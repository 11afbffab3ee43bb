package peercred

import "golang.org/x/sys/unix"

// UID is the user at the other end of a connected socket.
func UID(fd int) (int, error) {
	cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return -1, err
	}
	return int(cred.Uid), nil
}

// PID is the process at the other end of a connected socket; 0 if that is in a PID
// namespace that cannot be seen from here.
func PID(fd int) (int, error) {
	cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return -1, err
	}
	return int(cred.Pid), nil
}
