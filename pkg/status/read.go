package status

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

const (
	suffix      = ".json"
	runtimeName = "reconciler"
	runtimeFile = runtimeName + suffix

	// maxSize bounds what is read of one file; the largest that Writer makes,
	// with ten exits and their last lines, is far below.
	maxSize = 4 << 20
)

// fileName is where the status of a child stands, relative to the directory.
func fileName(id child.ID) string { return string(id) + suffix }

// ReadChild reads the status of one child. It is an error that errors.Is
// fs.ErrNotExist when there is no such child, or no such directory.
func ReadChild(dir string, id child.ID) (*Child, error) {
	if _, err := child.ParseID(string(id)); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir + "/.") // no FIFO and no device is opened in its place: ENOTDIR
	if err != nil {
		return nil, fmt.Errorf("read status of %s: %w", id, err)
	}
	defer root.Close()
	return readChild(root, id)
}

// ReadAll reads the status of every child, supervisors included, sorted by ID.
// A child that goes away meanwhile is left out.
func ReadAll(dir string) ([]*Child, error) {
	root, err := os.OpenRoot(dir + "/.") // no FIFO and no device is opened in its place: ENOTDIR
	if err != nil {
		return nil, fmt.Errorf("read status: %w", err)
	}
	defer root.Close()
	found, err := list(root)
	if err != nil {
		return nil, fmt.Errorf("read status: %w", err)
	}
	var all []*Child
	for _, id := range found.children {
		c, err := readChild(root, id)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errNotOurs) {
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

// ReadRuntime reads reconciler.json. It is an error that errors.Is
// fs.ErrNotExist when no reconciler has written to dir yet.
func ReadRuntime(dir string) (*Runtime, error) {
	root, err := os.OpenRoot(dir + "/.") // no FIFO and no device is opened in its place: ENOTDIR
	if err != nil {
		return nil, fmt.Errorf("read status of the reconciler: %w", err)
	}
	defer root.Close()
	b, err := read(root, runtimeFile)
	if err != nil {
		return nil, fmt.Errorf("read status of the reconciler: %w", err)
	}
	r := &Runtime{}
	if err := decode(b, r, &r.SchemaVersion); err != nil {
		return nil, fmt.Errorf("read status of the reconciler: %s: %w", runtimeFile, err)
	}
	return r, nil
}

func readChild(root *os.Root, id child.ID) (*Child, error) {
	b, err := read(root, fileName(id))
	if err != nil {
		return nil, fmt.Errorf("read status of %s: %w", id, err)
	}
	c := &Child{}
	if err := decode(b, c, &c.SchemaVersion); err != nil {
		return nil, fmt.Errorf("read status of %s: %w", id, err)
	}
	if c.ID != id {
		return nil, fmt.Errorf("read status of %s: %w: it names the child %.80q", id, errNotOurs, c.ID)
	}
	return c, nil
}

// errNotOurs says that a file in the place of a status file is something else.
var errNotOurs = errors.New("not a status file of this version")

// decode reads v, whose field version is.
func decode(b []byte, v any, version *string) error {
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%w: %v", errNotOurs, err)
	}
	if *version != SchemaVersion {
		return fmt.Errorf("%w: it has the version %.20q", errNotOurs, *version)
	}
	return nil
}

// read reads a regular file, and never waits on a FIFO that was put in its place.
func read(root *os.Root, name string) ([]byte, error) {
	info, err := root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: %w: it is no regular file", name, errNotOurs)
	}
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if len(b) > maxSize {
		return nil, fmt.Errorf("%s: %w: it is larger than %d bytes", name, errNotOurs, maxSize)
	}
	return b, err
}

// listing is what stands in the directory, by name only.
type listing struct {
	children []child.ID // sorted
	temps    []string   // temporary files that a killed writer left
	folders  []child.ID // sorted: outer ones before inner ones
}

// list walks the directory. Names that are not of our layout, and symbolic
// links, are passed over.
func list(root *os.Root) (listing, error) {
	var l listing
	err := l.walk(root, "")
	slices.Sort(l.children)
	slices.Sort(l.folders)
	return l, err
}

func (l *listing) walk(root *os.Root, folder child.ID) error {
	entries, err := fs.ReadDir(root.FS(), path.Join(".", string(folder)))
	if err != nil && folder != "" && errors.Is(err, fs.ErrNotExist) {
		return nil // it went away between two looks
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := e.Name()
		switch {
		case e.IsDir():
			id := child.Join(folder, name)
			if _, err := child.ParseID(string(id)); err != nil {
				continue
			}
			l.folders = append(l.folders, id)
			if err := l.walk(root, id); err != nil {
				return err
			}
		case !e.Type().IsRegular():
		case isTemp(name):
			l.temps = append(l.temps, path.Join(string(folder), name))
		case strings.HasSuffix(name, suffix) && (folder != "" || name != runtimeFile):
			id := child.Join(folder, strings.TrimSuffix(name, suffix))
			if _, err := child.ParseID(string(id)); err == nil {
				l.children = append(l.children, id)
			}
		}
	}
	return nil
}
