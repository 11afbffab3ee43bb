package runtime

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/reconciler-dev/reconciler/internal/regular"
)

const (
	// maxReloadFile bounds what is read of one file.
	maxReloadFile = 64 << 20

	// maxListed bounds what is read of one folder, maxMany the files that count of it:
	// each is looked at every second.
	maxListed = 10_000
	maxMany   = 1000
)

// watched is a file that a child must be told about, or several as one.
type watched struct {
	path string

	// names are the files that there are now; many: of a folder or of a pattern. Nil:
	// it is the file at path.
	names func() (paths []string, many bool, err error)

	stat func(path string) (fs.FileInfo, error)
	open func(path string) (*os.File, error)

	// copy writes all that counts as the content of a file.
	copy func(to io.Writer, f *os.File) error
}

func plainFile(path string) watched {
	return watched{
		path: path,
		stat: os.Stat,
		open: func(path string) (*os.File, error) { return regular.Open(path, regular.Follow) },
		copy: copyOpen,
	}
}

func copyOpen(to io.Writer, f *os.File) error {
	_, err := io.Copy(to, io.LimitReader(f, maxReloadFile))
	return err
}

// filesAt is a path of reload.files: a file, a folder, which stands for the files that
// are directly in it, or a pattern.
func filesAt(path string) watched {
	w := plainFile(path)
	w.names = func() ([]string, bool, error) {
		fi, err := os.Stat(path)
		switch {
		case err == nil && fi.IsDir():
			paths, err := filesIn(path, func(name string) bool { return !strings.HasPrefix(name, ".") && !strings.HasSuffix(name, "~") })
			return paths, true, err
		case errors.Is(err, fs.ErrNotExist) && isPattern(filepath.Base(path)):
			paths, err := filesIn(filepath.Dir(path), func(name string) bool { return matches(filepath.Base(path), name) })
			return paths, true, err
		}
		return []string{path}, false, err
	}
	return w
}

func isPattern(name string) bool {
	_, err := filepath.Match(name, "")
	return err == nil && strings.ContainsAny(name, "*?[")
}

// matches is how a shell reads a pattern: a name that begins with a dot is meant only
// by one that does.
func matches(pattern, name string) bool {
	ok, err := filepath.Match(pattern, name)
	return ok && err == nil && (name[0] != '.' || pattern[0] == '.')
}

// tooManyError says that a folder is more than can be looked at every second.
type tooManyError struct{ what string }

func (e tooManyError) Error() string {
	return "holds more than " + e.what + ", so it is not watched: name the files, or a pattern that fits fewer"
}

// filesIn are the regular files of a folder that are wanted, sorted.
func filesIn(dir string, wanted func(name string) bool) ([]string, error) {
	f, err := os.OpenFile(dir, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	names, err := f.Readdirnames(maxListed + 1)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if len(names) > maxListed {
		return nil, tooManyError{fmt.Sprint(maxListed, " names")}
	}
	slices.Sort(names)
	var paths []string
	for _, name := range names {
		path := filepath.Join(dir, name)
		if !wanted(name) {
			continue
		}
		if fi, err := os.Stat(path); err != nil || !fi.Mode().IsRegular() {
			continue
		}
		if paths = append(paths, path); len(paths) > maxMany {
			return nil, tooManyError{fmt.Sprint(maxMany, " files")}
		}
	}
	return paths, nil
}
