package daemon

import (
	"errors"
	"fmt"
	"os"

	"github.com/reconciler-dev/reconciler/cmd/reconciler/internal/cli"
	"github.com/reconciler-dev/reconciler/internal/private"
	"github.com/reconciler-dev/reconciler/internal/trust"
)

// makeDirs makes the directories that we write to, where they are missing. Nobody but
// those whom p trusts can have made them, or can put others in their place: what the
// state says is run, and what the status files say is believed.
func makeDirs(dirs cli.Dirs, p trust.Policy) error {
	if err := private.Dir(dirs.State, p); err != nil {
		return fmt.Errorf("state directory: %w%s, or choose another --state", err, trusting(err))
	}
	if err := private.Here(dirs.State); err != nil {
		return fmt.Errorf("state directory: %w, or choose another --state", err)
	}
	return makeStatus(dirs.Status, p)
}

func makeStatus(dir string, p trust.Policy) error {
	if err := private.Shared(dir, p); err != nil {
		return fmt.Errorf("status directory: %w%s, or choose another --status", err, trusting(err))
	}
	if err := private.Here(dir); err != nil {
		return fmt.Errorf("status directory: %w, or choose another --status", err)
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

// trusting is the way out where somebody else owns what leads to a directory of root.
func trusting(err error) string {
	var bad *trust.Error
	if os.Geteuid() != 0 || !errors.As(err, &bad) || !bad.Other {
		return ""
	}
	return ", or trust this user with --manifests-owner " + bad.Name()
}

// mayHold judges a folder that somebody chose for a socket of ours: nobody else can
// take from it what is ours. A sticky one passes, as /tmp.
func mayHold(dir string, p trust.Policy) error {
	_, err := p.CheckWay(dir)
	return err
}
