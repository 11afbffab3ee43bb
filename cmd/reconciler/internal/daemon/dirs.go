package daemon

import (
	"fmt"

	"github.com/reconciler-dev/reconciler/cmd/reconciler/internal/cli"
	"github.com/reconciler-dev/reconciler/internal/private"
	"github.com/reconciler-dev/reconciler/internal/trust"
)

// makeDirs makes the directories that we write to, where they are missing. Nobody but
// those whom p trusts can have made them, or can put others in their place: what the
// state says is run, and what the status files say is believed.
func makeDirs(dirs cli.Dirs, p trust.Policy) error {
	if err := private.Dir(dirs.State, p); err != nil {
		return fmt.Errorf("state directory: %w, or choose another --state", err)
	}
	if err := private.Shared(dirs.Status, p); err != nil {
		return fmt.Errorf("status directory: %w, or choose another --status", err)
	}
	return nil
}

// mayHold judges a folder that somebody chose for a socket of ours: nobody else can
// take from it what is ours. A sticky one passes, as /tmp.
func mayHold(dir string, p trust.Policy) error {
	_, err := p.CheckWay(dir)
	return err
}
