package trust

import (
	"fmt"
	"slices"
)

// Policy says to whom the things on a path may belong. The zero value trusts root
// alone.
type Policy struct {
	// Owners are the users besides root who may own what is on the way.
	Owners []uint32

	// Groups are those whose permission to write excuses nobody needs: the private
	// group of a user, of which no other is a member (see PrivateGroup).
	Groups []uint32

	// ReadOnly lets modes pass on a file system that is mounted read-only: nobody
	// writes there, whatever the modes say. Owners are judged all the same, since
	// the owner of the files may have another way to them.
	ReadOnly bool

	// Unmapped lets a folder on the way (not what the path names) belong to this
	// user: the one that the kernel shows in a user namespace for all whom the
	// namespace does not know, the owner of / among them. Who it is cannot be seen
	// from inside; whoever owns / outside can do anything to us anyway. Zero is none.
	Unmapped uint32

	// LinksOnly judges nothing but links, for what is read on behalf of somebody else:
	// a link of one who is not trusted may lead to his own and nowhere else. It is the
	// rule of fs.protected_symlinks (proc_sys_fs(5)), in every folder: without it he
	// has us read, and tell him, what he may not read himself.
	LinksOnly bool
}

// node is what the rule looks at of a thing on the way.
type node struct {
	kind     kind
	uid, gid uint32
	mode     uint32 // permissions, as chmod(1) has them, sticky bit included
	readOnly bool   // its file system is mounted read-only
	last     bool   // the path names it; all else is on the way to it
}

type kind uint8

const (
	other kind = iota // a file, a socket, a device …
	dir
	link
)

const (
	sticky     = 0o1000
	writeGroup = 0o020
	writeOther = 0o002
)

// judge says why a thing is not to be trusted, and what the owner of the machine can
// do about it; an empty reason passes.
func (p Policy) judge(n node) (reason, remedy string) {
	if !p.owner(n) {
		return fmt.Sprintf("belongs to %s", userName(n.uid)), p.remedyOwner(n)
	}
	if n.kind == link || p.ReadOnly && n.readOnly {
		return "", "" // nobody writes a link: who can replace it is said by its folder
	}
	if n.kind == dir && !n.last && n.mode&sticky != 0 {
		return "", "" // its entries can be replaced by their owners alone, and those are judged
	}
	switch {
	case n.mode&writeOther != 0:
		return fmt.Sprintf("may be written by everybody (mode %04o)", n.mode), remedyMode(n)
	case n.mode&writeGroup != 0 && !slices.Contains(p.Groups, n.gid):
		return fmt.Sprintf("may be written by group %s (mode %04o)", groupName(n.gid), n.mode), "chmod g-w"
	}
	return "", ""
}

func (p Policy) owner(n node) bool {
	if n.uid == 0 || slices.Contains(p.Owners, n.uid) {
		return true
	}
	return p.Unmapped != 0 && n.uid == p.Unmapped && n.kind == dir && !n.last && n.mode&(writeGroup|writeOther) == 0
}

// remedyMode takes both away where both may write, so that one command is enough.
func remedyMode(n node) string {
	if n.mode&writeGroup != 0 {
		return "chmod go-w"
	}
	return "chmod o-w"
}

// excused reports whether its group may write, and that is no reason to refuse.
func (p Policy) excused(n node) bool {
	return n.kind != link && n.mode&writeGroup != 0 && slices.Contains(p.Groups, n.gid)
}

// remedyOwner names the owner that would do: the first who is trusted.
func (p Policy) remedyOwner(n node) string {
	to := "root"
	if len(p.Owners) > 0 {
		to = userName(p.Owners[0])
	}
	if n.kind == link {
		return "chown -h " + to
	}
	return "chown " + to
}
