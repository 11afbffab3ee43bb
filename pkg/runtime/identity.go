package runtime

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/reconciler-dev/reconciler/internal/account"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/shim"
)

// identity is a user as the shim and the environment need it.
type identity struct {
	credential *shim.Credential // nil: the reconciler's own

	// other is true for a child with run_as.user, whoever that is: nothing of the
	// reconciler's own identity is for it. user is nil if no database knows it.
	other bool
	user  *account.User
}

// identify finds the user and the groups of a child, as systemd does for User=,
// Group= and SupplementaryGroups=: the named group takes the place of the user's
// own, and the named supplementary groups are added to those that the user has.
// None are inherited from the reconciler. It looks at every start, so that a group
// that somebody joined is there at the next one.
func identify(ctx context.Context, db account.Database, us self, r *child.RunAs) (identity, error) {
	if r == nil || r.User == "" && r.Group == "" && len(r.SupplementaryGroups) == 0 {
		return identity{}, nil
	}
	id := identity{credential: &shim.Credential{UID: us.uid, GID: us.gid}, other: r.User != ""}
	if r.User != "" {
		if err := id.findUser(ctx, db, r); err != nil {
			return identity{}, err
		}
	}
	if r.Group != "" {
		gid, err := db.Group(ctx, r.Group)
		if err != nil {
			return identity{}, groupError("group", r.Group, err)
		}
		id.credential.GID = gid
	}
	if err := id.findGroups(ctx, db, r.SupplementaryGroups); err != nil {
		return identity{}, err
	}
	if us.uid == 0 {
		return id, nil
	}
	if err := us.mayBe(ctx, db, id.credential, r); err != nil {
		return identity{}, err
	}
	id.credential = nil
	return id, nil
}

// findUser looks the user up. A number that nobody has says nothing about a group:
// Docker takes group 0 then, which is root's, and the same number may be the group
// of strangers. systemd refuses, and so do we.
func (id *identity) findUser(ctx context.Context, db account.Database, r *child.RunAs) error {
	u, err := db.User(ctx, r.User)
	switch {
	case err == nil:
		id.credential.UID, id.credential.GID, id.user = u.UID, u.GID, &u
		return nil
	case errors.Is(err, account.ErrUnknown) && account.IsNumber(r.User):
		uid, err := account.Number(r.User)
		if r.Group == "" && uid != id.credential.UID {
			return fmt.Errorf("run_as.user: no user on this machine has the number %d, so nothing says which group is its own; add run_as.group", uid)
		}
		id.credential.UID = uid
		return err
	case errors.Is(err, account.ErrUnknown):
		return fmt.Errorf("run_as.user: no user %q on this machine; make it (useradd), or name another one", r.User)
	}
	return fmt.Errorf("run_as.user %s: %w", r.User, err)
}

// findGroups are the groups of the user, and those of the manifest.
func (id *identity) findGroups(ctx context.Context, db account.Database, named []string) error {
	var groups []uint32
	if id.user != nil {
		own, err := db.Groups(ctx, *id.user, id.credential.GID)
		if err != nil {
			return fmt.Errorf("run_as.user: %w", err)
		}
		groups = own
	}
	for _, name := range named {
		gid, err := db.Group(ctx, name)
		if err != nil {
			return groupError("supplementary_groups", name, err)
		}
		groups = append(groups, gid)
	}
	slices.Sort(groups)
	id.credential.Groups = slices.Compact(groups)
	return nil
}

// self is who the reconciler is.
type self struct {
	uid, gid uint32
	groups   []int // supplementary; root's matter to nobody
}

func whoWeAre() (self, error) {
	us := self{uid: uint32(os.Getuid()), gid: uint32(os.Getgid())}
	if us.uid == 0 {
		return us, nil
	}
	var err error
	us.groups, err = os.Getgroups()
	return us, err
}

// mayBe reports, without the right to change it, whether a child can be who the
// reconciler is already. Only root may set groups: those of the user stay as they
// were at the reconciler's own login, and those that the manifest names must be
// among them.
func (us self) mayBe(ctx context.Context, db account.Database, want *shim.Credential, r *child.RunAs) error {
	if want.UID != us.uid || r.Group != "" && want.GID != us.gid {
		return fmt.Errorf("run_as: only root can run a child as another user or group (uid %d, gid %d); the reconciler runs as uid %d, gid %d: run the reconciler as root, or take run_as out", want.UID, want.GID, us.uid, us.gid)
	}
	for _, name := range r.SupplementaryGroups {
		gid, err := db.Group(ctx, name)
		if err != nil {
			return groupError("supplementary_groups", name, err)
		}
		if gid != us.gid && !slices.Contains(us.groups, int(gid)) {
			return fmt.Errorf("run_as.supplementary_groups: only root can give a child the group %s (%d), which the reconciler has not: run the reconciler as root, let its user be a member of the group at its start, or take the group out", name, gid)
		}
	}
	return nil
}

func groupError(field, name string, err error) error {
	if errors.Is(err, account.ErrUnknown) {
		return fmt.Errorf("run_as.%s: no group %q on this machine; make it (groupadd), or name another one", field, name)
	}
	return fmt.Errorf("run_as.%s %s: %w", field, name, err)
}
