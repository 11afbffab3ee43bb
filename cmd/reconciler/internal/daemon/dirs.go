package daemon

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"github.com/reconciler-dev/reconciler/cmd/reconciler/internal/cli"
	"github.com/reconciler-dev/reconciler/internal/private"
	"github.com/reconciler-dev/reconciler/internal/trust"
)

// makeDirs makes the directories that we write to, where they are missing. Nobody but
// those whom p trusts can have made them, or can put others in their place: what the
// state says is run, and what the status files say is believed.
func makeDirs(dirs cli.Dirs, p trust.Policy) error {
	if err := makeState(dirs.State, p); err != nil {
		return err
	}
	return makeStatus(dirs.Status, p)
}

func makeState(state string, p trust.Policy) error {
	if err := private.Dir(state, p); err != nil {
		return fmt.Errorf("state directory: %w%s, or choose another --state", err, wayOut(err, state))
	}
	if err := private.Here(state); err != nil {
		return fmt.Errorf("state directory: %w%s, or choose another --state", err, wayOut(err, state))
	}
	return nil
}

func makeStatus(dir string, p trust.Policy) error {
	if err := private.Shared(dir, p); err != nil {
		return fmt.Errorf("status directory: %w%s, or choose another --status", err, wayOut(err, dir))
	}
	if err := private.Here(dir); err != nil {
		return fmt.Errorf("status directory: %w%s, or choose another --status", err, wayOut(err, dir))
	}
	return nil
}

// ownersOfWay is who may own what leads to our directories: owners of manifests too,
// who can have us run anything as it is. It makes sudo make run in one's own clone
// possible. The directories themselves are ours alone all the same.
func ownersOfWay(owners cli.Owners) trust.Policy {
	p := trust.Own()
	if len(owners) > 0 {
		p = trust.Obey(owners)
		p.ReadOnly = false
	}
	return p
}

// wayOut is for where somebody else owns what leads to a directory of root, and for
// who is not root after a run as root.
func wayOut(err error, dir string) string {
	var bad *trust.Error
	switch root := os.Geteuid() == 0; {
	case root && errors.As(err, &bad) && bad.Other:
		return ", or trust this user with --manifests-owner " + bad.Name()
	case !root && errors.Is(err, fs.ErrPermission) && isRoots(dir):
		return fmt.Sprintf("; %s is root's, as after a run with sudo: run it so again, remove the directory, or take it (sudo chown -R %d %s)", dir, os.Geteuid(), dir)
	}
	return ""
}

func isRoots(dir string) bool {
	fi, err := os.Stat(dir)
	if err != nil {
		return false
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	return ok && st.Uid == 0
}

// mayHold judges a folder that somebody chose for a socket of ours: nobody else can
// take from it what is ours. A sticky one passes, as /tmp.
func mayHold(dir string, p trust.Policy) error {
	_, err := p.CheckWay(dir)
	return err
}
