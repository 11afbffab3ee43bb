package desired

import (
	"path/filepath"
	"strings"
)

// gitAtWork reports whether git is changing the files below root: whether an
// index.lock stands in the repository whose work tree root is, or is part of. A
// checkout holds it from its first removed file to its last new one. The ".git"
// of a linked work tree or a submodule is a file that names the folder
// (gitrepository-layout(5)).
func gitAtWork(d disk, root string) bool {
	for dir := root; ; dir = filepath.Dir(dir) {
		git := filepath.Join(dir, ".git")
		if m, err := d.Stat(git); err == nil {
			if m.mode.IsRegular() {
				git = linkedGit(d, git)
			}
			_, err := d.Lstat(filepath.Join(git, "index.lock"))
			return err == nil
		}
		if dir == filepath.Dir(dir) {
			return false
		}
	}
}

// linkedGit is the folder that a ".git" file names.
func linkedGit(d disk, file string) string {
	text, _, err := d.Read(file, 4096)
	target, ok := strings.CutPrefix(strings.TrimSpace(string(text)), "gitdir: ")
	if err != nil || !ok {
		return file
	}
	if filepath.IsAbs(target) {
		return target
	}
	return filepath.Join(filepath.Dir(file), target)
}
