package runtime

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

// at is where a path of a spec leads. It is the same one whatever the links on it lead
// to, so that a swapped link is no other file of a child that runs; the kernel follows
// them when the path is used, and .. behind them.
func (h Host) at(path string) string {
	base := h.ManifestsDir
	if base == "" {
		base = h.WorkingDir
	}
	return below(base, path)
}

// below is absolute, but for .. : what is before it may be a link.
func below(base, path string) string {
	if filepath.IsAbs(path) || !climbs(path) {
		return absolute(base, path)
	}
	return strings.TrimSuffix(base, "/") + "/" + path
}

func climbs(path string) bool {
	for part := range strings.SplitSeq(path, "/") {
		if part == ".." {
			return true
		}
	}
	return false
}

// commandFile is the executable that a command with a slash names. A relative one begins
// in working_dir, as execve(2) would have it after chdir(2); without one, at the folder
// of its manifest.
func (h Host) commandFile(s machine.Start, dir, name string) (string, error) {
	if filepath.IsAbs(name) || s.Spec.WorkingDir != "" || h.ManifestsDir == "" {
		return absolute(dir, name), nil
	}
	file := below(filepath.Join(h.ManifestsDir, filepath.FromSlash(string(s.Key.ID.Folder()))), name)
	return file, h.checkMoved(s.Key.ID, name, file)
}

// checkMoved refuses a command where the directory that the reconciler was started in has
// another file of that name: earlier versions took that, so either may be meant.
func (h Host) checkMoved(id child.ID, name, file string) error {
	before := absolute(h.WorkingDir, name)
	was, err := os.Stat(before)
	if err != nil || isExecutable(before) != nil {
		return nil
	}
	is, err := os.Stat(file)
	switch {
	case err == nil && os.SameFile(was, is):
		return nil
	case err == nil:
		return fmt.Errorf("command %s may be %s or %s: it begins at the folder of the manifest of %s now, and earlier versions took it from the directory that the reconciler was started in; write the absolute path, or a working_dir", name, file, before, id)
	}
	return fmt.Errorf("command %s: no such file; a relative command begins at the folder of its manifest now, earlier versions took %s: write that path, or working_dir: %s", file, before, h.WorkingDir)
}
