package daemon

import (
	"fmt"
	"os/user"
	"strconv"
)

// statusGroup is the number of the group of --status-group; nil without one.
func statusGroup(name string) (*int, error) {
	if name == "" {
		return nil, nil
	}
	if n, err := strconv.ParseUint(name, 10, 31); err == nil {
		gid := int(n)
		return &gid, nil
	}
	g, err := user.LookupGroup(name)
	if err != nil {
		return nil, fmt.Errorf("--status-group %q: %w", name, err)
	}
	gid, err := strconv.Atoi(g.Gid)
	return &gid, err
}
