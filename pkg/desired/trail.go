package desired

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
)

// hop is a name in a folder whose change may lead a path elsewhere.
type hop struct{ dir, name string }

// maxLinks is how many symbolic links a path may hold, as in the kernel
// (path_resolution(7)).
const maxLinks = 40

var errLinkLoop = errors.New("too many levels of symbolic links")

// follow resolves path, which begins in the folder dir that holds no links, and
// tells what to watch: each link on the way, and the last name in the folder
// where it really stands. If something on the way is missing, the trail ends
// there, real is "" and err wraps fs.ErrNotExist.
//
// This is how a ConfigMap's "..data" link and git-sync's link of the root are
// noticed: no event ever names the files behind them.
func follow(d disk, dir, path string) (real string, trail []hop, err error) {
	rest := strings.Split(path, "/")
	links := 0
	for len(rest) > 0 {
		part := rest[0]
		rest = rest[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			dir = filepath.Dir(dir)
			continue
		}
		here := filepath.Join(dir, part)
		m, err := d.Lstat(here)
		if err != nil {
			return "", append(trail, hop{dir, part}), err
		}
		if m.mode&fs.ModeSymlink == 0 {
			dir = here
			continue
		}
		trail = append(trail, hop{dir, part})
		if links++; links > maxLinks {
			return "", trail, errLinkLoop
		}
		target, err := d.Readlink(here)
		if err != nil {
			return "", trail, err
		}
		if filepath.IsAbs(target) {
			dir = "/"
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	return dir, append(trail, hop{filepath.Dir(dir), filepath.Base(dir)}), nil
}
