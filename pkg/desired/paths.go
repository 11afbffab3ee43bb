package desired

import (
	"path"
	"slices"
	"strings"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// A relative path of a manifest begins at the manifest's folder, that of a default at the
// folder which gives it. In a Spec it begins at the manifests directory: where that is,
// and what its links lead to, is seen when a child starts. So a Spec is the same on every
// machine and in every revision of a checkout.

// fromRoot is p, written in a manifest of folder, as it stands in a Spec. What is before
// .. is kept, since it may be a link, and .. then leads to the folder above its target,
// as it does for a shell that stands there.
func fromRoot(folder child.ID, p string) string {
	if path.IsAbs(p) {
		return p
	}
	parts := slices.DeleteFunc(strings.Split(string(folder)+"/"+p, "/"), func(s string) bool { return s == "" || s == "." })
	if len(parts) == 0 {
		return "."
	}
	return strings.Join(parts, "/")
}

func allFromRoot(folder child.ID, paths []string) []string {
	var all []string
	for _, p := range paths {
		all = append(all, fromRoot(folder, p))
	}
	return all
}

// rooted is a copy of f, from a manifest of folder, with paths from the root.
func rooted(folder child.ID, f inheritable) inheritable {
	if f.WorkingDir != nil {
		dir := fromRoot(folder, *f.WorkingDir)
		f.WorkingDir = &dir
	}
	if f.EnvFiles != nil {
		f.EnvFiles = allFromRoot(folder, f.EnvFiles)
	}
	return f
}

// rootedReload is rooted for the files of a reload.
func rootedReload(folder child.ID, r *reload) *reload {
	if r == nil {
		return nil
	}
	from := *r
	from.Files = allFromRoot(folder, r.Files)
	return &from
}

// above is the folder of the nth supervisor on the way from the root to folder.
func above(folder child.ID, n int) child.ID {
	parts := strings.Split(string(folder), "/")
	return child.ID(strings.Join(parts[:min(n, len(parts))], "/"))
}
