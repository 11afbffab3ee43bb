package peercred

import (
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"

	"github.com/reconciler-dev/reconciler/internal/trust"
)

// Of is the user at the other end of a connection.
func Of(c syscall.Conn) (uid int, err error) { return ask(c, UID) }

// ProcessOf is the process at the other end of a connection.
func ProcessOf(c syscall.Conn) (pid int, err error) { return ask(c, PID) }

func ask(c syscall.Conn, question func(fd int) (int, error)) (answer int, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return -1, err
	}
	failed := raw.Control(func(fd uintptr) { answer, err = question(int(fd)) })
	if failed != nil {
		return -1, failed
	}
	return answer, err
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
	return fmt.Sprintf("%s %s, who is not you and not root: what it says is not believed (if you mean this user's reconciler: %s reconciler …, or have it run with --control-group and a group of yours; if not, somebody put it there: remove it)",
		e.What, name, run)
}

// Is makes errors.Is find fs.ErrPermission.
func (e *StrangerError) Is(target error) bool { return target == fs.ErrPermission }

// Trust says whether the server at a socket, which uid runs, may be believed by us: it
// is root's or ours.
func Trust(socket string, uid int) error { return trustBoth(socket, uid, uid, os.Geteuid(), false) }

// TrustOrMember is Trust for those who may also use a socket of another user, as the
// members of a group may: that user has let us in (see letsIn), and owns the directory
// of the socket, too. Root is no such member: what it is told to ask must be root's. A
// directory of somebody else than the server may hold a link to a server that was never
// meant.
func TrustOrMember(socket string, uid int) error {
	above, err := os.Stat(filepath.Dir(socket))
	if err != nil {
		return err
	}
	info, err := os.Lstat(socket)
	if err != nil {
		return err
	}
	us := os.Geteuid()
	return trustBoth(socket, uid, int(above.Sys().(*syscall.Stat_t).Uid), us, us != 0 && letsIn(info, uid, ourGroups(us)))
}

func trustBoth(socket string, uid, owner, us int, letIn bool) error {
	known := func(who, other int) bool { return who == 0 || who == us || letIn && us != 0 && who == other }
	switch {
	case !known(uid, owner):
		return &StrangerError{What: "the program that answers at " + socket + " is run by", UID: uid}
	case !known(owner, uid):
		return &StrangerError{What: filepath.Dir(socket) + ", where a socket answers, belongs to", UID: owner}
	}
	return nil
}

// letsIn reports whether a socket of uid's is open to one of the groups, and to nobody
// else, as run --control-group makes it. A user can give a file to groups of his own
// alone (chown(2)), so a stranger cannot invite us.
func letsIn(socket fs.FileInfo, uid int, groups []int) bool {
	st, ok := socket.Sys().(*syscall.Stat_t)
	return ok && socket.Mode().Type() == fs.ModeSocket && int(st.Uid) == uid &&
		socket.Mode().Perm()&^0o660 == 0 && slices.Contains(groups, int(st.Gid))
}

// ourGroups are the groups that we share with others: not the one that is ours alone.
func ourGroups(us int) []int {
	groups, _ := os.Getgroups() // without them we are in fewer groups
	groups = append(groups, os.Getegid())
	if own, ok := trust.PrivateGroup(uint32(us)); ok {
		groups = slices.DeleteFunc(groups, func(gid int) bool { return gid == int(own) })
	}
	return groups
}
