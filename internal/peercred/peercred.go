package peercred

import (
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// Of is the user at the other end of a connection.
func Of(c syscall.Conn) (uid int, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return -1, err
	}
	failed := raw.Control(func(fd uintptr) { uid, err = UID(int(fd)) })
	if failed != nil {
		return -1, failed
	}
	return uid, err
}

// StrangerError says that a server, or the directory of its socket, is of somebody who
// is not trusted. It is a fs.ErrPermission.
type StrangerError struct {
	What string // "the program that answers at /run/app/s is run by"
	UID  int
}

// Error says who it is, and the way out.
func (e *StrangerError) Error() string {
	id := strconv.Itoa(e.UID)
	name, run := "user "+id, "sudo -u '#"+id+"'"
	if u, err := user.LookupId(id); err == nil {
		name, run = u.Username, "sudo -u "+u.Username
	}
	return fmt.Sprintf("%s %s, who is not you and not root: what it says is not believed (if you mean this user's reconciler: %s reconciler …; if not, somebody put it there: remove it)",
		e.What, name, run)
}

// Is makes errors.Is find fs.ErrPermission.
func (e *StrangerError) Is(target error) bool { return target == fs.ErrPermission }

// Trust says whether the server at a socket, which uid runs, may be believed by us: it
// is root's or ours.
func Trust(socket string, uid int) error { return trustBoth(socket, uid, uid, os.Geteuid(), false) }

// TrustOrOwner is Trust for those who may also use a socket of another user, as the
// members of a group may: that user owns the directory of the socket, too. Root is no
// such member: what it is told to ask must be root's. A directory of somebody else than
// the server may hold a link to a server that was never meant.
func TrustOrOwner(socket string, uid, owner int) error {
	return trustBoth(socket, uid, owner, os.Geteuid(), true)
}

func trustBoth(socket string, uid, owner, us int, members bool) error {
	known := func(who, other int) bool { return who == 0 || who == us || members && us != 0 && who == other }
	switch {
	case !known(uid, owner):
		return &StrangerError{What: "the program that answers at " + socket + " is run by", UID: uid}
	case !known(owner, uid):
		return &StrangerError{What: filepath.Dir(socket) + ", where a socket answers, belongs to", UID: owner}
	}
	return nil
}
