package desired

import (
	"slices"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// unenforced is the one list of what this version accepts and checks but does
// not act on. A field leaves it together with the code that acts on it.
var unenforced = []struct {
	field string
	used  func(*child.Spec) bool
}{
	{"command_permissions", func(s *child.Spec) bool { return s.CommandPermissions != nil }},

	{"resource_limits", func(s *child.Spec) bool { return s.ResourceLimits != nil }},
	{"run_as.no_new_privs", func(s *child.Spec) bool { return s.RunAs != nil && s.RunAs.NoNewPrivs }},
	{"run_as.umask", func(s *child.Spec) bool { return s.RunAs != nil && s.RunAs.Umask != "" }},
}

// notEnforced are the paths of s that nothing acts on yet, sorted.
func notEnforced(s *child.Spec) []string {
	var paths []string
	for _, u := range unenforced {
		if u.used(s) {
			paths = append(paths, u.field)
		}
	}
	slices.Sort(paths)
	return paths
}
