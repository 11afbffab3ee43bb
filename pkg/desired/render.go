package desired

import (
	"fmt"
	"slices"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// rendered is a spec, and all that it was made from: as long as that is the same,
// so is the spec.
type rendered struct {
	document *Manifest
	chain    []*Manifest
	asked    []answer
	spec     *child.Spec // nil with problems
	hash     string
	problems []Problem
}

// answer is what a manifest was told about another child.
type answer struct {
	id     child.ID
	exists bool
}

// chain are the supervisor documents around a child, from the root down.
type chain struct {
	documents []*Manifest

	// unknown are problems of a document that was never seen valid. What it gives
	// its children is not known, perhaps another user to run as: new children
	// wait for it.
	unknown []Problem
}

// exists reports whether id is declared, be it twice, or stays.
func (m *merger) exists(id child.ID) bool {
	return m.placed.claims[id] != nil || m.placed.rivals[id] != nil || m.entries[id] != nil ||
		m.top.nearest(string(id)).path == string(id)
}

// chainOf are the supervisor documents above the children of a folder.
func (m *merger) chainOf(folder child.ID) chain {
	if c, ok := m.chains[folder]; ok {
		return c
	}
	var c chain
	id := child.RootSupervisor
	if folder != "" {
		c, id = m.chainOf(folder.Folder()), folder
	}
	document, problems := m.documentOf(id)
	if document != nil {
		m.next.folders[id] = document
	}
	if c.unknown == nil {
		c.unknown = problems
	}
	c.documents = append(slices.Clip(c.documents), document)
	m.chains[folder] = c
	return c
}

// documentOf is the document in force of a supervisor; nil if it has none. With
// problems it has one that nobody has seen valid.
func (m *merger) documentOf(id child.ID) (*Manifest, []Problem) {
	if d := m.placed.claims[id]; d != nil {
		return d, nil
	}
	if kept, ok := m.kept[id]; ok {
		if d := m.last.folders[id]; d != nil {
			return d, nil
		}
		bad := Problem{File: kept.Origin.File, Child: id, Reason: "the manifest of the folder is not known"}
		return nil, append(slices.Clip(kept.Problems), bad)
	}
	return nil, append(slices.Clip(m.placed.named[id]), m.placed.disputedTwice(id)...)
}

// disputedTwice are the problems of an ID that several documents declare.
func (p *placement) disputedTwice(id child.ID) []Problem {
	if p.rivals[id] == nil {
		return nil
	}
	return p.disputed[id]
}

// render makes the specs of all children that a document declares.
func (m *merger) render() {
	orphans := map[child.ID][]child.ID{}
	kept := m.keptFolders()
	for id, d := range m.placed.claims { // before any spec asks who is there
		if m.keptInTheWay(id, d, kept) {
			delete(m.placed.claims, id)
		}
	}
	for id, d := range m.placed.claims {
		if d.Kind() != child.Supervisor {
			m.renderOne(id, d, orphans)
		}
	}
	for id, rivals := range m.placed.rivals {
		if m.entries[id] == nil && m.kept[id] == nil && rivals[0].Kind() != child.Supervisor {
			m.renderRivals(id, rivals)
		}
	}
	for folder, ids := range orphans {
		slices.Sort(ids)
		bad := m.chainOf(folder).unknown[0]
		m.next.Problems = append(m.next.Problems, Problem{
			File: bad.File, Line: bad.Line, Column: bad.Column, Child: bad.Child,
			Reason: "children wait for this manifest of their folder: " + names(ids, 10),
			Hint:   "mend it: it may say how they are to run",
		})
	}
}

// keptFolders are the folders in which something stays that no document declares;
// nil if nothing does.
func (m *merger) keptFolders() map[child.ID]bool {
	if len(m.entries) == 0 {
		return nil
	}
	folders := map[child.ID]bool{}
	for id := range m.entries {
		wantAround(folders, id)
	}
	return folders
}

// keptInTheWay reports a document whose place in the tree is still taken by what
// is gone from the directory but kept for now: a child where its folder would be,
// or children in a folder where the child would be.
func (m *merger) keptInTheWay(id child.ID, d *Manifest, kept map[child.ID]bool) bool {
	if kept == nil {
		return false
	}
	reason := ""
	if kept[id] && d.Kind() != child.Supervisor {
		reason = fmt.Sprintf("children of a folder %s still run, although their manifests are gone", id)
	}
	for folder := id.Folder(); folder != ""; folder = folder.Folder() {
		if m.entries[folder] != nil && m.placed.claims[folder] == nil {
			reason = fmt.Sprintf("the child %s still has the name of this folder, although its manifest is gone", folder)
		}
	}
	if reason == "" {
		return false
	}
	m.next.Problems = append(m.next.Problems, d.at("name", reason, "it counts once they are removed"))
	return true
}

func (m *merger) renderOne(id child.ID, d *Manifest, orphans map[child.ID][]child.ID) {
	c := m.chainOf(id.Folder())
	switch before := m.before[id]; {
	case c.unknown != nil && before != nil:
		m.stay(id, c.unknown)
	case c.unknown != nil:
		orphans[id.Folder()] = append(orphans[id.Folder()], id)
	default:
		m.addDocument(id, d, c)
	}
}

// renderRivals puts a child into force that several documents declare, none of
// them in force, if they all say the same.
func (m *merger) renderRivals(id child.ID, rivals []*Manifest) {
	c := m.chainOf(id.Folder())
	var first *rendered
	for _, d := range rivals {
		r := m.spec(id, d, c)
		if first == nil {
			first = r
		}
		if c.unknown != nil || r.spec == nil || r.hash != first.hash {
			return
		}
	}
	m.add(id, first)
	m.entries[id] = &item{Entry: m.entries[id].Entry} // from now on it stays, as any that is disputed
}

// addDocument puts into force what d declares.
func (m *merger) addDocument(id child.ID, d *Manifest, c chain) {
	if r := m.spec(id, d, c); r.spec == nil {
		m.broken(id, r.problems)
	} else {
		m.add(id, r)
	}
}

// spec is what d declares as id, made anew only if something that it depends on
// has changed.
func (m *merger) spec(id child.ID, d *Manifest, c chain) *rendered {
	if before := m.before[id]; before != nil && before.made != nil && m.isCurrent(before.made, d, c) {
		return before.made
	}
	r := &rendered{document: d, chain: c.documents}
	r.spec, r.problems = d.Spec(id.Folder(), c.documents, func(other child.ID) bool {
		r.asked = append(r.asked, answer{other, m.exists(other)})
		return m.exists(other)
	})
	if r.spec != nil {
		r.hash = r.spec.Hash()
	}
	return r
}

// isCurrent reports whether d would be made the same again.
func (m *merger) isCurrent(r *rendered, d *Manifest, c chain) bool {
	return r.document == d && slices.Equal(r.chain, c.documents) &&
		!slices.ContainsFunc(r.asked, func(a answer) bool { return m.exists(a.id) != a.exists })
}

// add puts a valid spec in force. Its generation counts the changes of its hash.
func (m *merger) add(id child.ID, r *rendered) {
	e := &item{made: r, Entry: Entry{ID: id, Spec: r.spec, Problems: m.placed.disputed[id]}}
	e.Origin = child.Origin{Hash: r.hash, Generation: 1}
	if r.document != nil {
		e.Origin.File, e.Origin.Document = r.document.File, r.document.Document
		e.Origin.ByRequest = r.document.request != ""
	}
	if before := m.before[id]; before != nil {
		hash := before.Origin.Hash
		if hash == "" {
			hash = before.Spec.Hash()
		}
		e.Origin.Generation = before.Origin.Generation + 1
		if hash == r.hash {
			e.Spec, e.Origin.Generation = before.Spec, max(1, before.Origin.Generation)
		}
		if before.made == r && sameEntry(before.Entry, e.Entry) {
			e = before
		}
	}
	m.entries[id] = e
}

// broken reports a document that is valid but no spec where it stands. What was
// in force stays.
func (m *merger) broken(id child.ID, problems []Problem) {
	m.next.Problems = append(m.next.Problems, problems...)
	if m.before[id] != nil {
		m.stay(id, problems)
	}
}

// addFolders adds the supervisors: of each folder that declares itself or holds
// something, and of the root if there is anything at all.
func (m *merger) addFolders() {
	want := map[child.ID]bool{}
	for id := range m.entries {
		wantAround(want, id)
	}
	for id, d := range m.placed.claims {
		if d.Kind() == child.Supervisor {
			want[id] = true
			wantAround(want, id)
		}
	}
	var plain *rendered // of folders without a document
	for id := range want {
		if kept := m.kept[id]; kept != nil {
			m.entries[id] = kept
		} else if d := m.placed.claims[id]; d != nil {
			m.addDocument(id, d, chain{})
		}
		if m.entries[id] != nil {
			continue
		}
		if plain == nil {
			plain = &rendered{spec: folderSpec()}
			plain.hash = plain.spec.Hash()
		}
		m.add(id, plain)
	}
}

// wantAround wants the folders in which id stands.
func wantAround(want map[child.ID]bool, id child.ID) {
	want[child.RootSupervisor] = true
	for folder := id.Folder(); folder != "" && !want[folder]; folder = folder.Folder() {
		want[folder] = true
	}
}
