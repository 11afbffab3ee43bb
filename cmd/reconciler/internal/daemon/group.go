package daemon

import (
	"context"
	"fmt"

	"github.com/reconciler-dev/reconciler/internal/account"
)

// statusGroup is the number of the group of --status-group; nil without one. A name
// service that does not answer is waited for as long as account does: 15 s.
func statusGroup(name string) (*int, error) {
	if name == "" {
		return nil, nil
	}
	gid, err := account.Database{}.Group(context.Background(), name)
	if err != nil {
		return nil, fmt.Errorf("--status-group %q: %w; make it (groupadd), or name another one", name, err)
	}
	n := int(gid)
	return &n, nil
}

// rateOf is --control-rate as the server takes it: 0 is no limit.
func rateOf(perSecond int) float64 {
	if perSecond == 0 {
		return -1
	}
	return float64(perSecond)
}
