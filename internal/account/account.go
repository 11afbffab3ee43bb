package account

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// ErrUnknown is the reason when nobody on this machine has the name or the number.
var ErrUnknown = errors.New("unknown on this machine")

// ErrElsewhere is the reason when a name service must be asked, and may not be.
var ErrElsewhere = errors.New("a name service must be asked")

// None is the number that setuid(2) and setgid(2) take for "as it is": it is
// nobody's.
const None = 1<<32 - 1

// User is one entry of the user database.
type User struct {
	Name     string
	UID, GID uint32
	Home     string
	Shell    string

	elsewhere bool // a name service has it, not the file
}

// Database is where users and groups are looked up. The zero Database is that of
// this machine.
type Database struct {
	PasswdFile string // instead of /etc/passwd
	GroupFile  string // instead of /etc/group
	SwitchFile string // instead of /etc/nsswitch.conf
	Getent     string // instead of /usr/bin/getent

	// FilesOnly leaves name services alone: what the files do not know is
	// ErrElsewhere where there is somebody to ask.
	FilesOnly bool

	wait time.Duration // instead of maxWait
}

// User finds a user by name, or by number if name is one.
func (d Database) User(ctx context.Context, name string) (User, error) {
	var uid uint32
	byNumber := IsNumber(name)
	if byNumber {
		var err error
		if uid, err = Number(name); err != nil {
			return User{}, err
		}
		name = strconv.FormatUint(uint64(uid), 10) // without zeros in front
	}
	var found *User
	err := lines(or(d.PasswdFile, "/etc/passwd"), name, func(line string) bool {
		u, ok := parseUser(line)
		if ok && (byNumber && u.UID == uid || !byNumber && u.Name == name) {
			found = &u
		}
		return found == nil
	})
	if found != nil {
		return *found, nil
	}
	if err = errors.Join(err, d.notInFiles()); err != nil {
		return User{}, err
	}
	u, err := d.askUser(ctx, name)
	if err == nil && (byNumber && u.UID != uid || !byNumber && u.Name != name) {
		return User{}, fmt.Errorf("asked for the user %s, the name service answered with %s (%d)", name, u.Name, u.UID)
	}
	return u, err
}

// Group finds the number of a group. A number needs no entry: it is its own answer.
func (d Database) Group(ctx context.Context, name string) (uint32, error) {
	if IsNumber(name) {
		return Number(name)
	}
	var found *group
	err := lines(or(d.GroupFile, "/etc/group"), name, func(line string) bool {
		if g, ok := parseGroup(line); ok && g.name == name {
			found = &g
		}
		return found == nil
	})
	if found != nil {
		return found.gid, nil
	}
	if err = errors.Join(err, d.notInFiles()); err != nil {
		return 0, err
	}
	return d.askGroup(ctx, name)
}

// notInFiles is the answer when the files know nobody; nil: somebody is to be asked.
func (d Database) notInFiles() error {
	switch {
	case !d.hasServices():
		return ErrUnknown
	case d.FilesOnly:
		return ErrElsewhere
	}
	return nil
}

// Groups are the groups that count u among their members, and gid: what
// initgroups(3) gives a process. They are sorted. The group of u's own entry is
// among them only if it is gid, or names u as well.
func (d Database) Groups(ctx context.Context, u User, gid uint32) ([]uint32, error) {
	groups := []uint32{gid}
	if d.hasServices() && (u.elsewhere || d.groupsElsewhere()) {
		if d.FilesOnly {
			return nil, ErrElsewhere
		}
		asked, err := d.askGroups(ctx, u.Name)
		if err != nil {
			return nil, fmt.Errorf("groups of %s: %w", u.Name, err)
		}
		groups = append(groups, asked...)
	} else if err := lines(or(d.GroupFile, "/etc/group"), u.Name, func(line string) bool {
		if g, ok := parseGroup(line); ok && slices.Contains(g.members, u.Name) {
			groups = append(groups, g.gid)
		}
		return true
	}); err != nil {
		return nil, err
	}
	slices.Sort(groups)
	return slices.Compact(groups), nil
}

// IsNumber reports whether s is written as a number, in or out of range.
func IsNumber(s string) bool {
	for _, r := range s {
		if r < '0' || r > '9' {
			return false
		}
	}
	return s != ""
}

// Number reads the number of a user or a group.
func Number(s string) (uint32, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil || n == None {
		return 0, fmt.Errorf("%s is nobody's number: want one from 0 to %d", s, None-1)
	}
	return uint32(n), nil
}

func or(path, otherwise string) string {
	if path == "" {
		return otherwise
	}
	return path
}
