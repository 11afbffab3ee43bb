package desired

import (
	"fmt"
	"maps"
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
	inForce   func(child.ID) (child.Kind, bool)
}

// place finds the ID of every document below top. inForce tells which ids are
// the desired state now: what is in force wins against what is new.
func place(top *folder, inForce func(child.ID) (child.Kind, bool)) *placement {
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
	workers, supervisors := p.documentsOf(f)
	p.supervisor(f, supervisors)
	folders := p.foldersOf(f)
	void := p.clashes(f, workers, folders)
	for _, name := range slices.Sorted(maps.Keys(workers)) {
		id := child.Join(child.ID(f.path), name)
		if len(workers[name]) > 1 {
			p.twice(id, workers[name])
		} else if !void[claimant{name, false}] {
			p.claims[id] = workers[name][0]
		}
	}
	for _, sub := range folders {
		if !void[claimant{sub.name(), true}] {
			p.folder(sub)
		}
	}
}

// documentsOf are the documents of f's files: workers by name, and supervisors.
func (p *placement) documentsOf(f *folder) (workers map[string][]*Manifest, supervisors []*Manifest) {
	workers = make(map[string][]*Manifest, len(f.files))
	for _, x := range f.files {
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
				workers[m.Name] = append(workers[m.Name], m)
			}
		}
	}
	return workers, supervisors
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

// supervisor places the document that declares f itself.
func (p *placement) supervisor(f *folder, documents []*Manifest) {
	want := f.name()
	if f.path == "" {
		want = string(child.RootSupervisor)
	}
	documents = slices.DeleteFunc(documents, func(m *Manifest) bool {
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

// claimant is one who wants a name of a folder.
type claimant struct {
	name     string
	isFolder bool
}

// clashes finds names of a folder that a file system without case, or a reader,
// takes for one: those that differ only by case, and a child and a folder of one
// name. Who is in force stays; the others are void.
func (p *placement) clashes(f *folder, workers map[string][]*Manifest, folders []*folder) (void map[claimant]bool) {
	groups := make(map[string][]claimant, len(workers)+len(folders))
	clash := false
	join := func(c claimant) {
		key := strings.ToLower(c.name)
		groups[key] = append(groups[key], c)
		clash = clash || len(groups[key]) > 1
	}
	for name := range workers {
		join(claimant{name, false})
	}
	for _, sub := range folders {
		join(claimant{sub.name(), true})
	}
	if !clash {
		return nil
	}
	void = map[claimant]bool{}
	for _, key := range slices.Sorted(maps.Keys(groups)) {
		if group := groups[key]; len(group) > 1 {
			slices.SortFunc(group, func(a, b claimant) int { return strings.Compare(a.describe(), b.describe()) })
			p.clash(f, group, workers, void)
		}
	}
	return void
}

func (p *placement) clash(f *folder, group []claimant, workers map[string][]*Manifest, void map[claimant]bool) {
	for i, c := range group {
		var others []string
		for j, o := range group {
			if j != i {
				others = append(others, o.describe())
			}
		}
		id := child.Join(child.ID(f.path), c.name)
		reason := fmt.Sprintf("the %s stands beside the %s; %s", c.describe(), strings.Join(others, " and the "), rule(group))
		kind, ok := p.inForce(id)
		void[c] = !ok || (kind == child.Supervisor) != c.isFolder
		bad := Problem{File: string(id), Child: id, Reason: reason, Hint: "rename one of them"}
		if !c.isFolder {
			bad = workers[c.name][0].at("name", reason, "rename one of them")
		}
		p.dispute(id, bad)
		if c.isFolder && void[c] {
			p.closed[string(id)] = append(p.closed[string(id)], bad)
		}
	}
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
	if c.isFolder {
		return fmt.Sprintf("folder %q", c.name)
	}
	return fmt.Sprintf("child %q", c.name)
}
