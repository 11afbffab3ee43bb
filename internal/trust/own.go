package trust

import (
	"bytes"
	"os"
	"os/user"
	"strconv"
	"strings"
	"sync"
)

// Own is the policy for what belongs to this process: its state, its sockets, its
// status files. The effective user owns them or root does; the user's own private
// group may write, so that a umask of 0002 is no reason to refuse.
func Own() Policy {
	euid := uint32(os.Geteuid())
	p := Policy{Unmapped: hidden()}
	if euid == 0 {
		return p
	}
	p.Owners = []uint32{euid}
	if gid, ok := PrivateGroup(euid); ok {
		p.Groups = []uint32{gid}
	}
	return p
}

// hidden is asked once: a process stays in its user namespace.
var hidden = sync.OnceValue(unmapped)

// Obey is the policy of root for what it is told to run, and for all that such a thing
// is made of: root wrote it, or one of the owners, who with that are as good as root. A
// mount that is read-only excuses modes, as those of a ConfigMap's volume are. (Who is
// not root obeys itself and root; what it runs it could run anyway.)
func Obey(owners []uint32) Policy { return obey(Own(), owners) }

// ObeyAsRoot is the Obey of a process of root, for a process that is not: to say what
// root would refuse.
func ObeyAsRoot(owners []uint32) Policy { return obey(Policy{Unmapped: hidden()}, owners) }

func obey(p Policy, owners []uint32) Policy {
	p = p.Also(owners...)
	p.ReadOnly = true
	for _, uid := range owners {
		if gid, ok := PrivateGroup(uid); ok {
			p.Groups = append(p.Groups, gid)
		}
	}
	return p
}

// Also is p with more owners.
func (p Policy) Also(owners ...uint32) Policy {
	p.Owners = append(append([]uint32(nil), p.Owners...), owners...)
	return p
}

// PrivateGroup is the primary group of a user if it is the user's alone: it has the
// user's name (the convention of useradd and of pam_umask's usergroups), and in
// /etc/group and /etc/passwd nobody else is in it. A user or a group that is not in
// these files has none: who else is a member cannot be known from here.
func PrivateGroup(uid uint32) (gid uint32, ok bool) {
	u, err := user.LookupId(strconv.FormatUint(uint64(uid), 10))
	if err != nil {
		return 0, false
	}
	users, err := os.ReadFile("/etc/passwd")
	if err != nil {
		return 0, false
	}
	groups, err := os.ReadFile("/etc/group")
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil || n == 0 || !private(u.Username, u.Gid, users, groups) {
		return 0, false
	}
	return uint32(n), true
}

// private reports whether group gid is named as the user is, and has no other member
// by the text of passwd(5) and group(5).
func private(name, gid string, passwd, group []byte) bool {
	for line := range bytes.Lines(passwd) {
		f := strings.Split(strings.TrimSpace(string(line)), ":")
		if len(f) > 3 && f[3] == gid && f[0] != name {
			return false
		}
	}
	found := false
	for line := range bytes.Lines(group) {
		f := strings.Split(strings.TrimSpace(string(line)), ":")
		if len(f) < 4 || f[2] != gid {
			continue
		}
		if f[0] != name || f[3] != "" && f[3] != name {
			return false
		}
		found = true
	}
	return found
}
