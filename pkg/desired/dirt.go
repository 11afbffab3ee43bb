package desired

import "strings"

// dirt says which parts of a tree must be looked at again. The nil *dirt is
// clean. Its folders are keyed by name, so that a walk of the tree carries the
// part below with it.
type dirt struct {
	whole bool             // list this folder and look at each of its files
	deep  bool             // all below as well
	names map[string]bool  // look at these only; true: it was renamed into place
	below map[string]*dirt // by name of the folder
}

// everything is the dirt of a tree of which nothing is known.
func everything() *dirt { return &dirt{whole: true, deep: true} }

// at is the dirt of the folder of that path, made if it is clean.
func (d *dirt) at(folder string) *dirt {
	for folder != "" {
		var name string
		name, folder, _ = strings.Cut(folder, "/")
		next := d.below[name]
		if next == nil {
			next = &dirt{}
			if d.below == nil {
				d.below = map[string]*dirt{}
			}
			d.below[name] = next
		}
		d = next
	}
	return d
}

// touch marks one file of a folder.
func (d *dirt) touch(folder, name string, placed bool) {
	at := d.at(folder)
	if at.names == nil {
		at.names = map[string]bool{}
	}
	at.names[name] = at.names[name] || placed
}

// in is the part of the dirt that concerns the folder of that name below.
func (d *dirt) in(name string) *dirt {
	switch {
	case d == nil:
		return nil
	case d.deep:
		if below := d.below[name]; below != nil {
			return &dirt{whole: true, deep: true, names: below.names, below: below.below}
		}
		return everything()
	default:
		return d.below[name]
	}
}

// placed reports whether the file of that name was renamed into place.
func (d *dirt) placed(name string) bool { return d != nil && d.names[name] }
