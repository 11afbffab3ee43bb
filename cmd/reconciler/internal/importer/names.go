package importer

import (
	"fmt"
	"strings"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// rename gives every manifest a name that a manifest may have and no other one
// has, and returns the ids by the ids that the source gave them.
func (r *Result) rename() map[string]string {
	ids := map[string]string{}
	taken := map[string]bool{"reconciler": true, "root": true} // lower case: ids may not differ by case alone
	for _, m := range r.Manifests {
		if m.Folder != "" {
			m.Folder = valid(m.Folder)
			taken[strings.ToLower(m.Folder)] = true
		}
	}
	for _, m := range r.Manifests {
		was, wasID := m.Name, m.Name
		m.Name = unique(valid(m.Name), m.Folder, taken)
		if m.Name != was {
			m.note("name", fmt.Sprintf("was %q; a name begins with a letter or _ and holds only letters, digits, _ and -, and no two differ by case alone", was))
		}
		if _, twice := ids[wasID]; !twice {
			ids[wasID] = m.ID()
		}
	}
	return ids
}

// unique is name, or name with a number where another manifest has it.
func unique(name, folder string, taken map[string]bool) string {
	for n := 1; ; n++ {
		candidate := name
		if n > 1 {
			suffix := fmt.Sprintf("-%d", n)
			candidate = name[:min(len(name), child.MaxNameLength-len(suffix))] + suffix
		}
		key := strings.ToLower(string(child.Join(child.ID(folder), candidate)))
		if !taken[key] {
			taken[key] = true
			return candidate
		}
	}
}

// valid is the nearest name that a child or a folder may have.
func valid(name string) string {
	name = strings.Map(func(c rune) rune {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '-':
			return c
		}
		return '-'
	}, strings.ToValidUTF8(name, "-"))
	name = strings.TrimRight(name, "-")
	if name == "" || child.CheckName(name[:1]) != nil {
		name = "_" + name
	}
	return name[:min(len(name), child.MaxNameLength)]
}
