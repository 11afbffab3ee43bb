package desired

import (
	"fmt"
	"slices"
	"strings"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// Outside is the entry that one document from elsewhere would be as the child id,
// in the folders of s and with the defaults that they give. It is not in s. The
// name of file says whether text is YAML or JSON; problems name it. The entry has
// no generation: who keeps it counts.
func (s *Set) Outside(id child.ID, file string, text []byte) (Entry, []Problem) {
	manifests, problems := Decode(file, text)
	if len(problems) > 0 {
		return Entry{}, problems
	}
	m := &manifests[0]
	if len(manifests) > 1 {
		return Entry{}, []Problem{m.at("", fmt.Sprintf("these are %d documents", len(manifests)), "send one")}
	}
	if bad := s.misplaced(m, id); bad != nil {
		return Entry{}, []Problem{*bad}
	}
	chain, bad := s.chainTo(id.Folder(), file)
	if bad != nil {
		return Entry{}, []Problem{*bad}
	}
	spec, problems := m.Spec(id.Folder(), chain, func(other child.ID) bool { _, ok := s.Get(other); return ok })
	if len(problems) > 0 {
		return Entry{}, problems
	}
	if bad := s.chained(m, id, spec); bad != nil {
		return Entry{}, []Problem{*bad}
	}
	return Entry{ID: id, Spec: spec, Origin: child.Origin{ByRequest: true, Hash: spec.Hash()}}, nil
}

// misplaced says why m cannot be the child id; nil if it can.
func (s *Set) misplaced(m *Manifest, id child.ID) *Problem {
	problem := func(field, reason, hint string) *Problem { p := m.at(field, reason, hint); return &p }
	if _, err := child.ParseID(string(id)); err != nil {
		return problem("name", err.Error(), "")
	}
	switch {
	case m.Kind() == child.Supervisor:
		return problem("kind", "a supervisor is declared by a file in its folder", "put the file there")
	case m.Name != id.Name():
		return problem("name", fmt.Sprintf("the name is %q, and the id ends with %q", m.Name, id.Name()), "they must be the same")
	case id.Folder() == "" && isReserved(m.Name):
		p := reserved(m)
		return &p
	}
	for _, e := range s.Entries {
		if e.ID != id && strings.EqualFold(string(e.ID), string(id)) {
			return problem("name", fmt.Sprintf("%s differs from %s by case only", id, e.ID), "choose another name")
		}
	}
	return nil
}

// chainTo are the documents of the supervisors around the children of a folder,
// from the root down, nil where one has none.
func (s *Set) chainTo(folder child.ID, file string) ([]*Manifest, *Problem) {
	var chain []*Manifest
	for at := folder; ; at = at.Folder() {
		id := at
		if at == "" {
			id = child.RootSupervisor
		}
		document, known := s.documentOf(id)
		if !known && at != "" {
			return nil, &Problem{File: file, Reason: fmt.Sprintf("%s is no folder of the manifests whose supervisor is known", id), Hint: "make the folder first, with a manifest in it, or mend that"}
		}
		chain = append(chain, document)
		if at == "" {
			slices.Reverse(chain)
			return chain, nil
		}
	}
}

// documentOf is the document in force of a supervisor, nil if it has none; known is
// false if there is no such supervisor, or if what it gives its children is not known.
func (s *Set) documentOf(id child.ID) (document *Manifest, known bool) {
	if d := s.folders[id]; d != nil {
		return d, true
	}
	i := s.items[id]
	switch {
	case i == nil || i.Spec.Kind != child.Supervisor:
		return nil, false
	case i.made != nil:
		return i.made.document, true
	}
	return nil, i.Origin.File == ""
}
