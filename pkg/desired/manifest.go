package desired

import (
	"fmt"
	"strings"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// Kind says what runs the child that m declares.
func (m *Manifest) Kind() child.Kind {
	if m.fields.Kind == nil || *m.fields.Kind == "" {
		return child.AsyncWorker
	}
	return *m.fields.Kind
}

// Dependency is one dependency of a manifest, as it was written.
type Dependency struct {
	Name   string // beside the child, or an ID from the root
	Field  string // its path, such as "dependencies[1]"
	Line   int
	Column int
}

// Dependencies are m's, in the order in which they were written.
func (m *Manifest) Dependencies() []Dependency {
	places := map[string]position{} // one pass over pos, where find would be one each
	for _, p := range m.pos {
		if strings.HasPrefix(p.path, "dependencies[") {
			places[strings.TrimSuffix(p.path, ".name")] = p.at
		}
	}
	var all []Dependency
	for i, d := range m.fields.Dependencies {
		field := fmt.Sprintf("dependencies[%d]", i)
		all = append(all, Dependency{Name: d.Name, Field: field, Line: places[field].line, Column: places[field].column})
	}
	return all
}

// Position is where a field stands in m's file: the value of a field, the key
// of a section, else the nearest parent that was written, else the document.
func (m *Manifest) Position(field string) (line, column int) {
	at := m.pos.find(field)
	return at.line, at.column
}

// Resolve is the ID that name means for a child of folder: the child beside it,
// else the one at the root; with a slash it is an ID from the root. A name that
// nothing has is taken for one beside the child.
func Resolve(name string, folder child.ID, exists func(child.ID) bool) child.ID {
	beside := child.Join(folder, name)
	switch id := child.ID(name); {
	case id.Folder() != "":
		return id
	case !exists(beside) && exists(id):
		return id
	}
	return beside
}
