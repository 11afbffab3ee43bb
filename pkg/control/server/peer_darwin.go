package server

import "golang.org/x/sys/unix"

func credentials(fd int) (peer, error) {
	cred, err := unix.GetsockoptXucred(fd, unix.SOL_LOCAL, unix.LOCAL_PEERCRED)
	if err != nil {
		return peer{}, err
	}
	p := peer{uid: int(cred.Uid)}
	for _, id := range cred.Groups[:max(0, min(int(cred.Ngroups), len(cred.Groups)))] {
		p.groups = append(p.groups, int(id))
	}
	return p, nil
}
