package status

import (
	"crypto/sha256"
	"iter"
	"slices"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/desired"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// compare looks at the whole directory and notes every difference: children
// without a file, and files without a child, which an earlier run left. So a
// change that was missed, or a file that somebody took away, is mended. Before
// the runtime knows its children, only temporary files are looked at.
func (w *Writer) compare(now time.Time) {
	found, err := w.dir.List()
	w.trouble.note(".", err)
	if err != nil {
		return
	}
	for _, name := range found.temps {
		w.trouble.note(name, w.dir.Remove(name))
	}
	if !w.adopted {
		return
	}
	for _, s := range w.o.Children.Children() {
		f := w.files[s.ID]
		if _, there := slices.BinarySearch(found.children, s.ID); !there && f != nil {
			f.known = false
		}
		if f == nil || !f.known {
			w.writeAt(now, s.ID, now)
		}
	}
	w.removeOrphans(found, now)
}

// removeOrphans takes away the files of children that are no more, and folders
// that are empty. A file that is not ours stays.
func (w *Writer) removeOrphans(found listing, now time.Time) {
	for _, id := range found.children {
		_, there := w.o.Children.Child(id)
		if there || w.files[id] != nil || !w.ours(id) {
			continue
		}
		w.writeAt(now, id, now)
	}
	for _, id := range slices.Backward(found.folders) {
		if err := w.dir.RemoveFolder(id); err == nil {
			w.o.Log.V(1).Info("empty status folder removed", "file", string(id))
		}
	}
}

// ours reports whether the file in the place of a child's status is one.
func (w *Writer) ours(id child.ID) bool {
	b, err := w.dir.Read(fileName(id))
	if err != nil {
		return false
	}
	var c Child
	return decode(b, &c, &c.SchemaVersion) == nil && c.ID == id
}

// reopenIfGone makes the directory again if somebody removed or replaced it, and
// lets everything be written anew. It reports whether something was wrong.
func (w *Writer) reopenIfGone(now time.Time) bool {
	if w.intact() {
		return false
	}
	err := w.dir.Reopen()
	w.trouble.note(".", err)
	if err != nil {
		return true
	}
	w.o.Log.Info("status directory, or its lock, was gone; it is taken and written anew")
	w.summary.stale = true
	w.compare(now)
	return true
}

// compareIfIntact leaves a directory alone that is not ours any more, so that what is
// wrong with the one in its place goes on being told.
func (w *Writer) compareIfIntact(now time.Time) {
	if w.intact() {
		w.compare(now)
	}
}

func (w *Writer) intact() bool { return w.dir.Intact() && (w.o.Owned == nil || w.o.Owned()) }

// compareSome compares the content of a part of the files with what was written, all
// of them within wholeLook: who has the right to write there can overwrite one. To
// read ten thousand at once would keep the others waiting for a third of a second.
// It reports whether one was.
func (w *Writer) compareSome(now time.Time) (mended bool) {
	if !w.adopted {
		return false
	}
	if len(w.unread) == 0 {
		for id := range w.files {
			w.unread = append(w.unread, id)
		}
		glances := int(wholeLook / glance)
		w.share = (len(w.unread) + glances - 1) / glances
	}
	for _, id := range w.unread[:min(w.share, len(w.unread))] {
		f := w.files[id]
		if f == nil || !f.known {
			continue
		}
		b, err := w.dir.Read(fileName(id))
		if err == nil && sha256.Sum256(b) == f.sum {
			continue
		}
		w.o.Log.Info("a status file was changed or taken away by somebody else; it is written anew", "child", string(id))
		f.known, mended = false, true
		w.writeAt(now, id, now)
	}
	w.unread = w.unread[min(w.share, len(w.unread)):]
	return mended
}

// changedEntries yields the IDs whose entries differ between two sets.
func changedEntries(a, b *desired.Set) iter.Seq[child.ID] {
	return func(yield func(child.ID) bool) {
		x, y := a.Entries, b.Entries
		for len(x) > 0 || len(y) > 0 {
			switch {
			case len(y) == 0 || len(x) > 0 && x[0].ID < y[0].ID:
				if !yield(x[0].ID) {
					return
				}
				x = x[1:]
			case len(x) == 0 || y[0].ID < x[0].ID:
				if !yield(y[0].ID) {
					return
				}
				y = y[1:]
			default:
				if !sameDeclaration(&x[0], &y[0]) && !yield(x[0].ID) {
					return
				}
				x, y = x[1:], y[1:]
			}
		}
	}
}

func sameDeclaration(a, b *desired.Entry) bool {
	return a.Origin == b.Origin && a.Held == b.Held && slices.Equal(a.Problems, b.Problems)
}
