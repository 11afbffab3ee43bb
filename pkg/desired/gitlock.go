package desired

import (
	"path/filepath"
	"strings"
)

// gitAtWork reports whether git is changing the files below the root: whether an
// index.lock stands in the repository whose work tree the root is, or is part of. A
// checkout holds it from its first removed file to its last new one. The ".git"
// of a linked work tree or a submodule is a file that names the folder
// (gitrepository-layout(5)). As for git itself, a repository of somebody who is not
// trusted is none: a ".git" in /tmp would hold removals back for good.
func (r *reader) gitAtWork() bool {
	for dir := r.root; ; dir = filepath.Dir(dir) {
		if git, found := r.gitFolder(filepath.Join(dir, ".git")); found {
			return r.isThere(filepath.Join(git, "index.lock"))
		}
		if dir == filepath.Dir(dir) {
			return false
		}
	}
}

// gitFolder is the folder of the repository whose ".git" is at path.
func (r *reader) gitFolder(path string) (git string, found bool) {
	if _, err := r.disk.Stat(path); err != nil {
		return "", false // nearly always: spare the walk
	}
	at, err := r.find(path)
	defer at.close()
	switch {
	case err != nil || at.bad != nil || r.judge(at.meta, at.real, true, nil) != nil:
		return "", false
	case at.name == "" || !at.meta.mode.IsRegular():
		return path, true
	}
	text, _, err := at.dir.Read(at.name, 4096, nil)
	target, ok := strings.CutPrefix(strings.TrimSpace(string(text)), "gitdir: ")
	switch {
	case err != nil || !ok:
		return path, true
	case filepath.IsAbs(target):
		return target, true
	}
	return filepath.Join(filepath.Dir(path), target), true
}

func (r *reader) isThere(path string) bool {
	at, err := r.find(path)
	at.close()
	return err == nil
}
