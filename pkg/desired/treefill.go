package desired

import (
	"io/fs"
	"path/filepath"
	"slices"
)

// fill looks at what stands in f: at everything, if the folder is new or dirty as
// a whole, else at what was touched and what waits for its time.
func (r *reader) fill(f, prev *folder, d *dirt, outer []identity) *Problem {
	if prev == nil || prev.fault != nil || !prev.ident.sameObject(f.ident) || d != nil && d.whole {
		return r.fillWhole(f, prev, d, outer)
	}
	r.fillPart(f, prev, d, outer)
	return nil
}

func (r *reader) fillWhole(f, prev *folder, d *dirt, outer []identity) *Problem {
	entries, err := r.disk.List(f.real)
	if err != nil {
		return &Problem{File: f.path, Reason: "the folder cannot be read: " + cause(err), Hint: "its children are kept as they are"}
	}
	for _, e := range entries {
		x, sub := r.entry(f, prev, e, d, outer)
		if x != nil {
			f.files = append(f.files, x)
			r.left--
		}
		if sub != nil {
			f.folders = append(f.folders, sub)
		}
	}
	r.changed = r.changed || prev != nil && (lost(prev.files, f.files, fileName) || lost(prev.folders, f.folders, (*folder).name))
	r.moved = r.moved || prev != nil && lost(prev.folders, f.folders, (*folder).name)
	return nil
}

// fillPart costs as much as what it looks at, and one copy of the folder's list.
func (r *reader) fillPart(f, prev *folder, d *dirt, outer []identity) {
	f.files, f.folders = slices.Clone(prev.files), slices.Clone(prev.folders)
	r.left -= prev.total - 1
	for _, name := range partial(prev, d, r) {
		if sub := prev.folder(name); sub != nil {
			r.left += sub.total
		}
		e := dirEntry{name: name}
		m, err := r.disk.Lstat(filepath.Join(f.real, name))
		var x *file
		var sub *folder
		if err == nil {
			e.mode = m.mode.Type()
			x, sub = r.entry(f, prev, e, d, outer)
		}
		r.changed = r.changed || x == nil && prev.file(name) != nil || sub == nil && prev.folder(name) != nil
		r.moved = r.moved || sub == nil && prev.folder(name) != nil
		f.files = put(f.files, x, name, fileName, x != nil)
		f.folders = put(f.folders, sub, name, (*folder).name, sub != nil)
	}
}

// partial lists, sorted, the names in a folder that must be looked at.
func partial(prev *folder, d *dirt, r *reader) []string {
	var names []string
	if d != nil {
		for name := range d.names {
			names = append(names, name)
		}
		for name := range d.below {
			names = append(names, name)
		}
	}
	for _, x := range prev.files {
		if due(x.again, r.now) {
			names = append(names, x.name)
		}
	}
	for _, x := range prev.folders {
		if due(x.again, r.now) {
			names = append(names, x.name())
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// lost reports whether a name of old is not in now.
func lost[T any](old, now []T, name func(T) string) bool {
	for _, x := range old {
		if _, ok := find(now, name(x), name); !ok {
			return true
		}
	}
	return false
}

// entry looks at one name of a folder. It is a file, a folder, or nothing to us.
func (r *reader) entry(f, prev *folder, e dirEntry, d *dirt, outer []identity) (*file, *folder) {
	if isHidden(e.name) {
		return nil, nil
	}
	at := location{path: joinPath(f.path, e.name), real: filepath.Join(f.real, e.name)}
	isLink := e.mode&fs.ModeSymlink != 0
	var err error
	if isLink {
		at.real, at.trail, err = follow(r.disk, f.real, e.name)
	}
	if isManifest(e.name) {
		return r.file(sighting{folder: f, name: e.name, at: at, prev: prev.file(e.name), lost: err, placed: d.placed(e.name)}), nil
	}
	if !isLink && !e.mode.IsDir() || err != nil {
		return nil, nil
	}
	if isLink {
		if m, err := r.disk.Stat(at.real); err != nil || !m.mode.IsDir() {
			return nil, nil
		}
	}
	return nil, r.folder(prev.folder(e.name), at, below(d, e.name), outer)
}

// below is the dirt of a folder; one that was touched itself is dirty all through,
// because another folder may stand there now.
func below(d *dirt, name string) *dirt {
	if d != nil {
		if _, touched := d.names[name]; touched {
			return everything()
		}
	}
	return d.in(name)
}
