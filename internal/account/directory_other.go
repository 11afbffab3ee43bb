//go:build !linux

package account

import (
	"context"
	"errors"
	"os/user"
)

// hasServices: on macOS users stand in Open Directory, which os/user asks without
// cgo too.
func (d Database) hasServices() bool { return true }

func (d Database) groupsElsewhere() bool { return true }

func (d Database) askUser(_ context.Context, name string) (User, error) {
	look := user.Lookup
	if IsNumber(name) {
		look = user.LookupId
	}
	u, err := look(name)
	if err != nil {
		return User{}, unknown(err)
	}
	uid, err1 := Number(u.Uid)
	gid, err2 := Number(u.Gid)
	return User{Name: u.Username, UID: uid, GID: gid, Home: u.HomeDir, elsewhere: true}, errors.Join(err1, err2)
}

func (d Database) askGroup(_ context.Context, name string) (uint32, error) {
	g, err := user.LookupGroup(name)
	if err != nil {
		return 0, unknown(err)
	}
	return Number(g.Gid)
}

func (d Database) askGroups(_ context.Context, name string) ([]uint32, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return nil, unknown(err)
	}
	ids, err := u.GroupIds()
	if err != nil {
		return nil, err
	}
	groups := make([]uint32, 0, len(ids))
	for _, id := range ids {
		gid, err := Number(id)
		if err != nil {
			return nil, err
		}
		groups = append(groups, gid)
	}
	return groups, nil
}

// unknown tells the one answer that callers look at from all the others.
func unknown(err error) error {
	var u user.UnknownUserError
	var n user.UnknownUserIdError
	var g user.UnknownGroupError
	if errors.As(err, &u) || errors.As(err, &n) || errors.As(err, &g) {
		return ErrUnknown
	}
	return err
}
