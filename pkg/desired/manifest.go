package desired

import "github.com/reconciler-dev/reconciler/pkg/runtime/child"

// manifestFields is a decoded document as it was written.
type manifestFields struct {
	Kind *child.Kind `json:"kind"`
}


// Dependency is one dependency of a manifest, as it was written.
type Dependency struct {
	Name   string // beside the child, or an ID from the root
	Field  string // its path, such as "dependencies[1].name"
	Line   int
	Column int
}

// Kind says what runs the child that m declares.
func (m *Manifest) Kind() child.Kind {
	if m.fields.Kind == nil {
		return child.AsyncWorker
	}
	return *m.fields.Kind
}

// Dependencies are m's, in the order in which they were written.
func (m *Manifest) Dependencies() []Dependency { return nil }

// Position is where a field stands in the file.
func (m *Manifest) Position(field string) (line, column int) { return m.Line, 1 }

// Spec is what m declares.
func (m *Manifest) Spec(folder child.ID, chain []*Manifest, exists func(child.ID) bool) (*child.Spec, []Problem) {
	return &child.Spec{Kind: m.Kind()}, nil
}

// Decode reads every document of a file.
func Decode(file string, data []byte) ([]Manifest, []Problem) { return nil, nil }

// Schema is the JSON Schema of a manifest.
func Schema() ([]byte, error) { return nil, nil }
