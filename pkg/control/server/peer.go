package server

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/user"
	"slices"
	"strconv"
	"unicode"

	"github.com/reconciler-dev/reconciler/pkg/control"
)

// peer is who is at the other end of a connection, as the kernel says.
type peer struct {
	uid    int
	name   string // "": looked up when it is wanted
	groups []int
}

// String is the user as the journal names it: "root(0)", or "uid(1234)" for one
// without a name.
func (p peer) String() string {
	if p.name != "" {
		return fmt.Sprintf("%s(%d)", p.name, p.uid)
	}
	if u, err := user.LookupId(strconv.Itoa(p.uid)); err == nil {
		return fmt.Sprintf("%s(%d)", u.Username, p.uid)
	}
	return fmt.Sprintf("uid(%d)", p.uid)
}

// access says who may use the socket. The mode of its file says so too; this holds
// also when somebody changes that.
type access struct{ group int } // -1: none

// owns reports whether p is root or the daemon's own user: who may add, change and
// remove what runs.
func (access) owns(p peer) bool { return p.uid == 0 || p.uid == os.Getuid() }

// allows reports whether p may look and command.
func (a access) allows(p peer) bool {
	return a.owns(p) || a.group >= 0 && slices.Contains(p.groups, a.group)
}

// asker is p with what it claims behind it, for the journal.
func asker(p peer, claim string) (string, error) {
	const most = 128
	switch {
	case claim == "":
		return p.String(), nil
	case len(claim) > most:
		return "", invalid("requested_by", fmt.Sprintf("requested_by has %d bytes; at most %d are allowed", len(claim), most))
	}
	for _, r := range claim {
		if !unicode.IsPrint(r) {
			return "", invalid("requested_by", fmt.Sprintf("requested_by holds the character %U, which cannot be printed", r))
		}
	}
	return p.String() + " for " + claim, nil
}

// identify asks the kernel.
func identify(c net.Conn) (p peer, err error) {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return peer{uid: -1}, errors.New("not a unix socket: nobody knows who connects")
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return peer{uid: -1}, err
	}
	var failed error
	err = raw.Control(func(fd uintptr) { p, failed = credentials(int(fd)) })
	if err == nil {
		err = failed
	}
	if err != nil {
		return peer{uid: -1}, fmt.Errorf("ask who connects: %w", err)
	}
	return p, nil
}

func notPermitted(p peer, what string) error {
	return &control.Error{
		Status: 403, Code: control.CodeNotPermitted, Message: fmt.Sprintf("%s may not %s", p, what),
		Hint: "root and the reconciler's own user may",
	}
}
