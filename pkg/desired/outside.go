package desired

import (
	"fmt"
	"strings"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// CheckRequest says what speaks against a request in the folders of s, beyond what the
// merge says: it must stand in a folder that is there, and have a name of its own.
func (s *Set) CheckRequest(r Request) []Problem {
	m := r.manifest
	if r.ID.Folder() == "" && isReserved(m.Name) {
		return []Problem{reserved(m)}
	}
	for _, e := range s.Entries {
		if e.ID != r.ID && strings.EqualFold(string(e.ID), string(r.ID)) {
			return []Problem{m.at("name", fmt.Sprintf("%s differs from %s by case only", r.ID, e.ID), "choose another name")}
		}
	}
	for folder := r.ID.Folder(); folder != ""; folder = folder.Folder() {
		if _, known := s.documentOf(folder); !known {
			return []Problem{{Child: r.ID, Reason: fmt.Sprintf("%s is no folder of the manifests whose supervisor is known", folder), Hint: "make the folder first, with a manifest in it, or mend that"}}
		}
	}
	return nil
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
