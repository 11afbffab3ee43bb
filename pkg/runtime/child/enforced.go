package child

import "slices"

// unenforced is the one list of what this version accepts and checks but does
// not act on. A field leaves it together with the code that acts on it.
var unenforced = []fieldUse{
	{"command_permissions", (*Spec).hasCommandPermissions},
	{"resource_limits", (*Spec).hasResourceLimits},
	{"run_as.no_new_privs", (*Spec).hasNoNewPrivs},
	{"run_as.umask", (*Spec).hasUmask},
}

// hashedAsUnenforced is what the first release did not enforce. It said so within
// the spec, in not_enforced, so it stands in the hash of every child that runs since
// then. It never changes: with it the hash of a manifest does not depend on what a
// version enforces, and an upgrade to one that enforces more touches no child.
var hashedAsUnenforced = []fieldUse{
	{"command_permissions", (*Spec).hasCommandPermissions},
	{"resource_limits", (*Spec).hasResourceLimits},
	{"run_as.no_new_privs", (*Spec).hasNoNewPrivs},
	{"run_as.umask", (*Spec).hasUmask},
}

// fieldUse is a field of the manifest, by path, and whether a spec sets it.
type fieldUse struct {
	path string
	used func(*Spec) bool
}

func (s *Spec) hasCommandPermissions() bool { return s.CommandPermissions != nil }
func (s *Spec) hasResourceLimits() bool     { return s.ResourceLimits != nil }
func (s *Spec) hasNoNewPrivs() bool         { return s.RunAs != nil && s.RunAs.NoNewPrivs }
func (s *Spec) hasUmask() bool              { return s.RunAs != nil && s.RunAs.Umask != "" }

// NotEnforced are the fields of s, by path, that this version accepts and checks
// but does not act on yet, sorted. Status shows them as a condition. It is no part
// of the spec: the same manifest means the same child in every version.
func (s *Spec) NotEnforced() []string { return s.pathsOf(unenforced) }

// IsEnforced reports whether this version acts on the field with this path.
func IsEnforced(path string) bool {
	return !slices.ContainsFunc(unenforced, func(u fieldUse) bool { return u.path == path })
}

func (s *Spec) pathsOf(fields []fieldUse) (paths []string) {
	for _, f := range fields {
		if f.used(s) {
			paths = append(paths, f.path)
		}
	}
	return paths
}
