package desired

import (
	"io/fs"
	"path/filepath"
	"slices"
)

// opened is a folder that is being looked at.
type opened struct {
	*folder
	dir   handle
	prev  *folder    // what the look before knew of it
	dirt  *dirt      // what is to be looked at
	outer []identity // the folder and those that it stands in
}

// fill looks at what stands in the folder: at everything, if it is new or dirty as a
// whole, else at what was touched and what waits for its time.
func (r *reader) fill(v *opened) *Problem {
	if v.prev == nil || v.prev.fault != nil || !v.prev.ident.sameObject(v.ident) || v.dirt != nil && v.dirt.whole {
		return r.fillWhole(v)
	}
	r.fillPart(v)
	return nil
}

func (r *reader) fillWhole(v *opened) *Problem {
	f, prev := v.folder, v.prev
	entries, err := v.dir.List()
	if err != nil {
		return &Problem{File: f.path, Reason: "the folder cannot be read: " + cause(err), Hint: "its children are kept as they are"}
	}
	for _, e := range entries {
		x, sub := r.entry(v, e)
		if x != nil {
			f.files = append(f.files, x)
			r.left--
		}
		if sub != nil {
			f.folders = append(f.folders, sub)
		}
		if isUnread(e) {
			f.unread = append(f.unread, e.name)
		}
	}
	r.changed = r.changed || prev != nil && !slices.Equal(prev.unread, f.unread)
	r.changed = r.changed || prev != nil && (lost(prev.files, f.files, fileName) || lost(prev.folders, f.folders, (*folder).name))
	r.moved = r.moved || prev != nil && lost(prev.folders, f.folders, (*folder).name)
	return nil
}

// fillPart costs as much as what it looks at, and one copy of the folder's list.
func (r *reader) fillPart(v *opened) {
	f, prev := v.folder, v.prev
	f.files, f.folders, f.unread = slices.Clone(prev.files), slices.Clone(prev.folders), slices.Clone(prev.unread)
	r.left -= prev.total - 1
	for _, name := range partial(prev, v.dirt, r) {
		if sub := prev.folder(name); sub != nil {
			r.left += sub.total
		}
		e := dirEntry{name: name}
		m, err := v.dir.Lstat(name)
		var x *file
		var sub *folder
		if err == nil {
			e.mode = m.mode.Type()
			x, sub = r.entry(v, e)
		}
		r.changed = r.changed || x == nil && prev.file(name) != nil || sub == nil && prev.folder(name) != nil
		r.moved = r.moved || sub == nil && prev.folder(name) != nil
		f.unread = put(f.unread, name, name, self, err == nil && isUnread(e))
		f.files = put(f.files, x, name, fileName, x != nil)
		f.folders = put(f.folders, sub, name, (*folder).name, sub != nil)
	}
	r.changed = r.changed || !slices.Equal(prev.unread, f.unread)
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

func self(name string) string { return name }

// isUnread reports whether an entry is a file, or may lead to one, that looks like a
// manifest and is not read.
func isUnread(e dirEntry) bool {
	return (e.mode.IsRegular() || e.mode&fs.ModeSymlink != 0) && looksLikeManifest(e.name)
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
func (r *reader) entry(v *opened, e dirEntry) (*file, *folder) {
	if isHidden(e.name) {
		return nil, nil
	}
	if isManifest(e.name) {
		return r.file(v, e.name), nil
	}
	at := location{path: joinPath(v.path, e.name)}
	switch {
	case e.mode.IsDir():
		at.real = filepath.Join(v.real, e.name)
		at.open = func() (handle, error) { return v.dir.Folder(e.name) }
	case e.mode&fs.ModeSymlink != 0:
		s, err := r.follow(v.dir, v.real, e.name)
		defer s.close()
		if err != nil || s.name != "" {
			return nil, nil
		}
		at.real, at.trail, at.bad, at.open = s.real, s.trail, s.bad, s.folder
	default:
		return nil, nil
	}
	return nil, r.folder(v.prev.folder(e.name), at, below(v.dirt, e.name), v.outer)
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
