package desired

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/reconciler-dev/reconciler/internal/trust"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// Scan is what one look at the manifests directory has seen. It is immutable,
// and shares with the Scan before it whatever did not change.
type Scan struct {
	top     *folder  // nil if the root is missing or cannot be read
	missing bool     // there is no root
	fault   *Problem // why the root cannot be read
	trail   []hop    // where the root really is
	busy    bool     // git is at work: what is gone may come back
}

// folder is one folder of the tree.
type folder struct {
	path    string // from the root, with forward slashes; "" is the root
	real    string // absolute, links resolved
	trail   []hop  // set if the folder is a link
	ident   identity
	since   time.Time // when its list of names last changed
	fault   *Problem  // why it cannot be read, or may not be; then it is empty here
	files   []*file   // sorted
	folders []*folder // sorted
	unread  []string  // names that look like those of manifests; sorted
	again   time.Time // when something in it or below must be looked at again; zero: never
	total   int       // files and folders in it and below
}

// file is one file that is named like a manifest.
type file struct {
	name, path string
	real       string // set if the file is a link
	trail      []hop  // likewise
	bad        string // likewise: who on the way is not to be trusted
	ident      identity
	since      time.Time  // when ident was first seen
	waiting    time.Time  // since when ident differs from what content was read from; zero: it does not
	content    *content   // what counts; nil: nothing yet
	inPlace    bool       // content was written where it stands, not renamed to there
	closed     time.Time  // when content was complete, as far as is known
	open       time.Time  // since when somebody was seen writing to it; zero: nobody is
	again      time.Time  // when to look again; zero: never
	requested  *requested // set instead of all others: it is none of the directory
}

// content is what a file declares.
type content struct {
	sum       [32]byte // of the text
	manifests []Manifest
	problems  []Problem
}

// name is the last part of the folder's path.
func (f *folder) name() string { return f.path[strings.LastIndexByte(f.path, '/')+1:] }

// id is the folder as a supervisor.
func (f *folder) id() child.ID {
	if f.path == "" {
		return child.RootSupervisor
	}
	return child.ID(f.path)
}

// finish sums up what stands in f and below.
func (f *folder) finish() *folder {
	f.total = 1 + len(f.files)
	for _, x := range f.files {
		f.again = earlier(f.again, x.again)
	}
	for _, x := range f.folders {
		f.again = earlier(f.again, x.again)
		f.total += x.total
	}
	return f
}

// file is the file of that name, nil if there is none.
func (f *folder) file(name string) *file {
	if f == nil {
		return nil
	}
	if i, ok := find(f.files, name, fileName); ok {
		return f.files[i]
	}
	return nil
}

// folder is the folder of that name, nil if there is none.
func (f *folder) folder(name string) *folder {
	if f == nil {
		return nil
	}
	if i, ok := find(f.folders, name, (*folder).name); ok {
		return f.folders[i]
	}
	return nil
}

// nearest is the folder of that path, or the last one on the way to it that is
// there.
func (f *folder) nearest(path string) *folder {
	for path != "" {
		var name string
		name, path, _ = strings.Cut(path, "/")
		next := f.folder(name)
		if next == nil {
			return f
		}
		f = next
	}
	return f
}

func fileName(f *file) string { return f.name }

func find[T any](sorted []T, name string, of func(T) string) (int, bool) {
	return slices.BinarySearchFunc(sorted, name, func(x T, name string) int { return strings.Compare(of(x), name) })
}

// put replaces the element of that name in a sorted slice that is ours to write;
// present says whether there is one from now on.
func put[T any](sorted []T, x T, name string, of func(T) string, present bool) []T {
	i, ok := find(sorted, name, of)
	switch {
	case ok && present:
		sorted[i] = x
	case ok:
		return slices.Delete(sorted, i, i+1)
	case present:
		return slices.Insert(sorted, i, x)
	}
	return sorted
}

// maxFolderDepth is how many folders may stand in each other: the last segment of
// an ID is the child's name.
const maxFolderDepth = child.MaxDepth - 1

// maxTree is how many files and folders a tree may hold. It leaves room for 10,000
// children in 10,000 folders of their own, and for 10,000 files that are broken.
const maxTree = 30_000

// maxSame is how often links may bring one folder into the tree. Without that, 20
// folders with two links each to the next make a million.
const maxSame = 32

// reader takes one look.
type reader struct {
	disk   disk
	root   string // absolute
	now    time.Time
	timing Timing
	trust  *trust.Policy // whose word counts; nil: everybody's

	left    int               // of maxTree
	times   map[[2]uint64]int // how often a folder was met, by dev and ino
	swapped bool              // below a link that leads elsewhere now: what is there was made before
	changed bool              // what counts differs from the scan before
	moved   bool              // what must be watched does
}

// read looks at the dirty part of the tree and at what waits for its time.
func (r *reader) read(prev Scan, d *dirt) Scan {
	r.left, r.times = maxTree, map[[2]uint64]int{}
	at, err := r.find(r.root)
	defer at.close()
	seen := Scan{trail: at.trail, busy: r.gitAtWork()}
	r.moved = r.moved || !slices.Equal(at.trail, prev.trail)
	if err == nil {
		seen.top = r.folder(prev.top, location{real: at.real, bad: at.bad, open: at.folder}, d, nil)
		if seen.top == nil {
			err = fs.ErrNotExist
		} else if seen.top.fault != nil {
			seen.top, seen.fault = nil, seen.top.fault
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		seen.missing = true
	} else if err != nil {
		seen.fault = &Problem{Reason: "the manifests directory cannot be read: " + cause(err), Hint: r.root}
	}
	r.changed = r.changed || seen.missing != prev.missing || !sameProblem(seen.fault, prev.fault) || seen.busy != prev.busy
	return seen
}

func sameProblem(a, b *Problem) bool { return a == b || a != nil && b != nil && *a == *b }

// location is where a folder stands: its path in the tree and on disk, and how it is
// opened, which costs something only if it must be looked at.
type location struct {
	path, real string
	trail      []hop
	bad        *trust.Error // who on the way to it is not to be trusted
	open       func() (handle, error)
}

// folder looks at one folder; nil if it is not there. outer are the folders that
// it stands in.
func (r *reader) folder(prev *folder, at location, d *dirt, outer []identity) *folder {
	if prev != nil && prev.real != at.real {
		defer func(was bool) { r.swapped = was }(r.swapped)
		r.swapped, d = true, everything()
	}
	if prev != nil && d == nil && !due(prev.again, r.now) {
		r.left -= prev.total
		return prev
	}
	dir, m, err := at.enter()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		defer dir.Close()
	}
	f := &folder{path: at.path, real: at.real, trail: at.trail, ident: m.identity, since: changeTime(m.identity, r.now)}
	if prev != nil && prev.ident == f.ident {
		f.since = prev.since
	}
	f.fault = r.folderFault(&at, m, err, outer)
	if f.fault == nil {
		f.fault = r.folderOwner(&at, dir, m)
	}
	if f.fault == nil {
		outer = append(outer[:len(outer):len(outer)], m.identity)
		f.fault = r.fill(&opened{folder: f, dir: dir, prev: prev, dirt: d, outer: outer})
	}
	if f.fault != nil {
		f.files, f.folders = nil, nil
	}
	r.left--
	r.changed = r.changed || prev == nil || !sameProblem(prev.fault, f.fault)
	r.moved = r.moved || prev == nil || prev.real != f.real || !prev.ident.sameObject(f.ident) || !slices.Equal(prev.trail, f.trail)
	return f.finish()
}

// enter opens the folder. Its state is that of what was opened.
func (at *location) enter() (handle, meta, error) {
	dir, err := at.open()
	if err != nil {
		return nil, meta{}, err
	}
	m, err := dir.Stat()
	if err != nil {
		dir.Close()
	}
	return dir, m, err
}

// folderFault says why a folder must not be read.
func (r *reader) folderFault(at *location, m meta, err error, outer []identity) *Problem {
	p := &Problem{File: at.path}
	object := [2]uint64{m.dev, m.ino}
	r.times[object]++
	switch {
	case errors.Is(err, unix.ENOTDIR):
		p.Reason = r.label(at.path, at.real) + " is not a folder"
	case err != nil:
		p.Reason = "the folder cannot be read: " + cause(err)
		p.Hint = "its children are kept as they are"
	case slices.ContainsFunc(outer, m.sameObject):
		p.Reason, p.Hint = "the link leads back to a folder that it stands in", "remove the link"
	case strings.Count(at.path, "/")+1 > maxFolderDepth:
		p.Reason, p.Hint = "folders may be 32 levels deep at most, the child's name included", "move it up"
	case r.times[object] > maxSame:
		p.Reason, p.Hint = fmt.Sprintf("links bring this folder into the tree more than %d times", maxSame), "remove some of them"
	case r.left <= 0:
		p.Reason, p.Hint = fmt.Sprintf("there are more than %d files and folders; the rest is not read", maxTree), "move what is no manifest elsewhere"
	default:
		return nil
	}
	return p
}

// folderOwner refuses a folder in which others may put manifests, or which others may
// exchange for another one.
func (r *reader) folderOwner(at *location, dir handle, m meta) *Problem {
	bad := at.bad
	if bad == nil && !errors.As(r.judge(m, at.real, true, dir.ReadOnly), &bad) {
		return nil
	}
	return distrusted(at.path, bad)
}

// joinPath is name in a folder of the tree.
func joinPath(folder, name string) string {
	if folder == "" {
		return name
	}
	return folder + "/" + name
}

// label is how people call a folder: its path in the tree, or on disk.
func (r *reader) label(path, real string) string {
	if path == "" {
		return real
	}
	return path
}

// cause is an error without the name of the system call and the path.
func cause(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return err.Error()
}
