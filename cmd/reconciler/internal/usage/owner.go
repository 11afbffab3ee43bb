package usage

import (
	"path"
	"strings"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// maxAncestors bounds the way up: what /proc showed at different moments may hold
// a circle.
const maxAncestors = 128

// owner is the child that p belongs to.
func owner(p process, byPID map[int]process, owners map[int]child.ID, groups map[string]child.ID) (child.ID, bool) {
	for group := p.group; len(group) > 1; group = path.Dir(group) {
		if id, ok := groups[group]; ok {
			return id, true
		}
	}
	at := p
	for range maxAncestors {
		if id, ok := owners[at.pid]; ok {
			return id, true
		}
		if id, ok := owners[at.session]; ok {
			return id, true
		}
		up, ok := byPID[at.parent]
		if !ok {
			break
		}
		at = up
	}
	return "", false
}

// recognised is how much of an id is compared with the name of a cgroup: the shim
// shortens what is very long.
const recognised = 150

// ownsGroup reports whether a cgroup is one attempt's own: the shim calls it
// "payments:worker.7.3". Elsewhere a child stands in the cgroup of the shim.
func ownsGroup(id child.ID, group string) bool {
	name := strings.ReplaceAll(string(id), "/", ":")
	if len(name) > recognised {
		return strings.HasPrefix(path.Base(group), name[:recognised])
	}
	return strings.HasPrefix(path.Base(group), name+".")
}
