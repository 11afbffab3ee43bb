package server

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// maxGroups is how many groups of a peer are looked at (NGROUPS_MAX is 65,536).
const maxGroups = 1024

func credentials(fd int) (peer, error) {
	cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return peer{}, err
	}
	p := peer{uid: int(cred.Uid), groups: []int{int(cred.Gid)}}
	var ids [maxGroups]uint32
	size := uint32(unsafe.Sizeof(ids))
	// unix has no wrapper for this option; before Linux 4.13 there is none to wrap,
	// and the group of the process itself must do.
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_PEERGROUPS,
		uintptr(unsafe.Pointer(&ids)), uintptr(unsafe.Pointer(&size)), 0)
	if errno == 0 {
		for _, id := range ids[:size/4] {
			p.groups = append(p.groups, int(id))
		}
	}
	return p, nil
}
