package trust

import (
	"os/user"
	"strconv"
)

// Thing is what is known of a thing on a path by a walk of another package, which
// does more on its way than to judge.
type Thing struct {
	Dir, Link bool
	Last      bool // the path names it; all else is on the way to it
	UID, GID  uint32
	Mode      uint32      // permissions, as chmod(1) has them, sticky bit included
	ReadOnly  func() bool // whether its file system is mounted so; asked where it matters; nil: it is not
}

// JudgeThing is the rule for one thing: hop, on the way to path.
func (p Policy) JudgeThing(t Thing, path, hop string) error {
	n := node{kind: other, uid: t.UID, gid: t.GID, mode: t.Mode, last: t.Last}
	switch {
	case t.Link:
		n.kind = link
	case t.Dir:
		n.kind = dir
	}
	err := p.verdict(n, path, hop)
	if err != nil && p.ReadOnly && t.ReadOnly != nil && p.owner(n) && t.ReadOnly() {
		return nil
	}
	return err
}

// Name is the owner of the hop as a flag takes it: the name of the user, or the number.
func (e *Error) Name() string {
	id := strconv.FormatUint(uint64(e.Owner), 10)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return id
}
