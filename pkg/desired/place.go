package desired

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// placement is where the documents of a tree belong: at most one for each ID.
type placement struct {
	claims map[child.ID]*Manifest // by the ID that it declares, supervisors included

	// disputed are ids that must not change now, because several claim them or
	// one that differs by case only; broken are the problems of documents that
	// cannot be taken as they are, by file. What is in force stays for both.
	disputed map[child.ID][]Problem
	broken   map[string][]Problem

	// closed are folders that are not read although they are there, by path.
	closed map[string][]Problem

	// named are the problems of documents that say which child they are, and
	// rivals the documents that declare one ID, both by ID.
	named  map[child.ID][]Problem
	rivals map[child.ID][]*Manifest

	documents int // of all kinds, valid or not
	problems  []Problem
	inForce   func(child.ID) *Entry
}

// place finds the ID of every document below top. inForce is what the desired
// state now has under an ID, nil if nothing: it wins against what is new.
func place(top *folder, inForce func(child.ID) *Entry) *placement {
	p := &placement{
		claims:   make(map[child.ID]*Manifest, top.total),
		disputed: map[child.ID][]Problem{},
		broken:   map[string][]Problem{},
		closed:   map[string][]Problem{},
		named:    map[child.ID][]Problem{},
		rivals:   map[child.ID][]*Manifest{},
		inForce:  inForce,
	}
	p.folder(top)
	return p
}

// report keeps a problem that makes its document void.
func (p *placement) report(bad Problem) {
	p.problems = append(p.problems, bad)
	p.broken[bad.File] = append(p.broken[bad.File], bad)
	if bad.Child != "" {
		p.named[bad.Child] = append(p.named[bad.Child], bad)
	}
}

// dispute keeps a problem of several; what has the ID now keeps it.
func (p *placement) dispute(id child.ID, bad Problem) {
	p.problems = append(p.problems, bad)
	p.disputed[id] = append(p.disputed[id], bad)
}

// close keeps the problem of a folder that is not read. What is in force in it
// stays.
func (p *placement) close(bad Problem) {
	p.problems = append(p.problems, bad)
	p.closed[bad.File] = append(p.closed[bad.File], bad)
}

func (p *placement) folder(f *folder) {
	all := p.claimantsOf(f)
	slices.SortFunc(all, func(a, b claimant) int { return cmp.Or(compareClaimants(a, b), compareDocuments(a.worker, b.worker)) })
	for len(all) > 0 {
		n := 1
		for n < len(all) && all[n].key == all[0].key {
			n++
		}
		p.group(f, all[:n])
		all = all[n:]
	}
}

// claimant is one who wants a name of a folder: a document, or a folder.
type claimant struct {
	key    string // its name in lower case
	name   string
	worker *Manifest
	folder *folder // nil for a worker
}

func compareClaimants(a, b claimant) int {
	if c := strings.Compare(a.key, b.key); c != 0 {
		return c
	}
	if c := strings.Compare(a.name, b.name); c != 0 {
		return c
	}
	switch {
	case (a.folder == nil) == (b.folder == nil):
		return 0
	case a.folder == nil:
		return -1
	}
	return 1
}

// compareDocuments puts documents into the order in which they are read.
func compareDocuments(a, b *Manifest) int {
	if a == nil || b == nil {
		return 0
	}
	return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Document, b.Document))
}

// claimantsOf are the workers and the folders of f. Supervisors are placed.
func (p *placement) claimantsOf(f *folder) []claimant {
	all := make([]claimant, 0, len(f.files)+len(f.folders))
	var supervisors []*Manifest
	for _, x := range f.files {
		if x.requested != nil {
			all = append(all, p.requestsOf(f, x.requested)...)
		}
		if x.content == nil {
			continue
		}
		p.documents += len(x.content.manifests) + len(x.content.problems)
		for _, bad := range x.content.problems {
			p.report(bad)
		}
		for i := range x.content.manifests {
			m := &x.content.manifests[i]
			switch {
			case m.Kind() == child.Supervisor:
				supervisors = append(supervisors, m)
			case f.path == "" && isReserved(m.Name):
				p.report(reserved(m))
			default:
				all = append(all, claimant{key: strings.ToLower(m.Name), name: m.Name, worker: m})
			}
		}
	}
	p.supervisor(f, supervisors, all)
	for _, sub := range p.foldersOf(f) {
		all = append(all, claimant{key: strings.ToLower(sub.name()), name: sub.name(), folder: sub})
	}
	return all
}

// group places those whose names are the same but for case: nearly always one.
func (p *placement) group(f *folder, group []claimant) {
	if len(group) == 1 {
		p.settle(f, group)
		return
	}
	parties := slices.CompactFunc(slices.Clone(group), func(a, b claimant) bool { return compareClaimants(a, b) == 0 })
	for len(group) > 0 {
		n := 1
		for n < len(group) && compareClaimants(group[n], group[0]) == 0 {
			n++
		}
		if len(parties) == 1 || p.clash(f, group[0], parties) {
			p.settle(f, group[:n])
		}
		group = group[n:]
	}
}

// settle places one claimant, or reports several documents of one name.
func (p *placement) settle(f *folder, same []claimant) {
	id := child.Join(child.ID(f.path), same[0].name)
	switch {
	case same[0].folder != nil:
		p.folder(same[0].folder)
	case len(same) == 1:
		p.claims[id] = same[0].worker
	default:
		var rivals []*Manifest
		for _, c := range same {
			rivals = append(rivals, c.worker)
		}
		p.twice(id, rivals)
	}
}

// isReserved reports whether a name means something else at the root.
func isReserved(name string) bool {
	return name == "reconciler" || name == string(child.RootSupervisor)
}

func reserved(m *Manifest) Problem {
	return m.at("name", fmt.Sprintf("%q is reserved here", m.Name), "choose another name, or put it into a folder")
}

// at is a problem of m at one of its fields.
func (m *Manifest) at(field, reason, hint string) Problem {
	line, column := m.Position(field)
	return m.problem(Problem{Line: line, Column: column, Field: field, Reason: reason, Hint: hint})
}

// supervisor places the document that declares f itself. workers stand beside it.
func (p *placement) supervisor(f *folder, documents []*Manifest, workers []claimant) {
	want := f.name()
	if f.path == "" {
		want = string(child.RootSupervisor)
	}
	documents = slices.DeleteFunc(documents, func(m *Manifest) bool {
		if bad, ok := p.turned(f, m, workers); ok {
			p.report(bad)
			return true
		}
		if m.Name == want {
			return false
		}
		bad := m.at("name", fmt.Sprintf("a supervisor is called like its folder: %q, not %q", want, m.Name), "write name: "+want)
		p.report(bad)
		return true
	})
	switch len(documents) {
	case 0:
	case 1:
		p.claims[f.id()] = documents[0]
	default:
		p.twice(f.id(), documents)
	}
}

// turned is the problem of a document that declared a child and now says that it
// is a supervisor. A process cannot become a folder: the child stays as it is.
func (p *placement) turned(f *folder, m *Manifest, workers []claimant) (Problem, bool) {
	id := child.Join(child.ID(f.path), m.Name)
	e := p.inForce(id)
	if e == nil || e.Spec.Kind == child.Supervisor || e.Origin.File != m.File {
		return Problem{}, false
	}
	if slices.ContainsFunc(workers, func(c claimant) bool { return c.name == m.Name }) {
		return Problem{}, false // another document declares the child
	}
	bad := m.at("kind", fmt.Sprintf("%s is a child; its manifest cannot turn it into a supervisor", id),
		fmt.Sprintf("take this document away first, which stops the child; a supervisor is a folder: %s/ with manifests in it", id))
	bad.Child = id
	return bad, true
}

// twice reports documents that declare one ID.
func (p *placement) twice(id child.ID, documents []*Manifest) {
	p.rivals[id] = documents
	for _, m := range documents {
		var others []string
		for _, o := range documents {
			if o != m {
				line, _ := o.Position("name")
				others = append(others, fmt.Sprintf("%s:%d", o.File, line))
			}
		}
		p.dispute(id, m.at("name", fmt.Sprintf("%s is also declared by %s; the one in force stays", id, strings.Join(others, ", ")), "keep one of them"))
	}
}

// foldersOf are the folders in f that are supervisors: those in which something
// is declared, or may be.
func (p *placement) foldersOf(f *folder) []*folder {
	var folders []*folder
	for _, sub := range f.folders {
		if sub.fault != nil && child.CheckName(sub.name()) == nil {
			p.close(*sub.fault)
			continue
		}
		if !sub.declares() {
			continue
		}
		if err := child.CheckName(sub.name()); err != nil {
			p.close(Problem{File: sub.path, Reason: "the folder cannot be a supervisor: " + err.Error(), Hint: "rename it; its manifests are not read"})
		} else if f.path == "" && isReserved(sub.name()) {
			p.close(Problem{File: sub.path, Reason: fmt.Sprintf("%q is reserved here", sub.name()), Hint: "rename the folder; its manifests are not read"})
		} else {
			folders = append(folders, sub)
		}
	}
	return folders
}

// declares reports whether manifests stand in f or below.
func (f *folder) declares() bool {
	return len(f.files) > 0 || slices.ContainsFunc(f.folders, (*folder).declares)
}

// clash reports that c shares its name, but for case, with others. Who is in force
// stays, which it returns; what is new is not read.
func (p *placement) clash(f *folder, c claimant, parties []claimant) (inForce bool) {
	var others []string
	for _, o := range parties {
		if o.name != c.name || o.folder != c.folder {
			others = append(others, o.describe())
		}
	}
	id := child.Join(child.ID(f.path), c.name)
	reason := fmt.Sprintf("the %s stands beside the %s; %s", c.describe(), strings.Join(others, " and the "), rule(parties))
	e := p.inForce(id)
	inForce = e != nil && (e.Spec.Kind == child.Supervisor) == (c.folder != nil)
	if c.worker != nil {
		p.dispute(id, c.worker.at("name", reason, "rename one of them"))
		return inForce
	}
	bad := Problem{File: string(id), Child: id, Reason: reason, Hint: "rename one of them"}
	p.dispute(id, bad)
	if !inForce {
		p.closed[string(id)] = append(p.closed[string(id)], bad)
	}
	return inForce
}

// rule is what a group of claimants breaks.
func rule(group []claimant) string {
	for _, c := range group {
		if c.name != group[0].name {
			return "they must differ by more than case"
		}
	}
	return "a child and a folder of one name cannot stand side by side"
}

func (c claimant) describe() string {
	if c.folder != nil {
		return fmt.Sprintf("folder %q", c.name)
	}
	return fmt.Sprintf("child %q", c.name)
}
