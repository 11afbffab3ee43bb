package desired

import (
	"maps"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// seenOf is the look at a tree of these files, by path.
func seenOf(files map[string]string) Scan {
	top := &folder{}
	for name, text := range files {
		f := top.make(strings.TrimSuffix(path.Dir(name), "."))
		x := &file{name: path.Base(name), path: name, content: &content{}}
		x.content.manifests, x.content.problems = Decode(name, []byte(text))
		f.files = append(f.files, x)
	}
	return Scan{top: top.sorted()}
}

// make is the folder of that path, made if need be.
func (f *folder) make(path string) *folder {
	for done := ""; path != ""; {
		var name string
		name, path, _ = strings.Cut(path, "/")
		done = joinPath(done, name)
		i := slices.IndexFunc(f.folders, func(x *folder) bool { return x.path == done })
		if i < 0 {
			f.folders = append(f.folders, &folder{path: done})
			i = len(f.folders) - 1
		}
		f = f.folders[i]
	}
	return f
}

func (f *folder) sorted() *folder {
	slices.SortFunc(f.files, func(a, b *file) int { return strings.Compare(a.name, b.name) })
	slices.SortFunc(f.folders, func(a, b *folder) int { return strings.Compare(a.name(), b.name()) })
	for _, sub := range f.folders {
		sub.sorted()
	}
	return f.finish()
}

// firstLook is the desired state after a first look at these files.
func firstLook(t *testing.T, files map[string]string) *Set {
	t.Helper()
	set := Merge(nil, seenOf(files), Policy{})
	if len(set.Problems)+len(set.Stalls) > 0 {
		t.Fatalf("the files are not valid: %v %v", set.Problems, set.Stalls)
	}
	return set
}

// leaves are the children of a set, without supervisors.
func leaves(s *Set) []child.ID {
	var all []child.ID
	for _, e := range s.Entries {
		if e.Spec.Kind != child.Supervisor {
			all = append(all, e.ID)
		}
	}
	return all
}

// texts are the problems of a set, a line each.
func texts(s *Set) []string {
	var all []string
	for _, p := range s.Problems {
		all = append(all, p.String())
	}
	return all
}

// many are n manifests in one folder.
func many(n int) map[string]string {
	files := map[string]string{}
	for i := range n {
		name := "w" + strings.Repeat("x", i)
		files[name+".yaml"] = "name: " + name
	}
	return files
}

// less are the files but for some.
func less(files map[string]string, names ...string) map[string]string {
	left := map[string]string{}
	for name, text := range files {
		if !slices.Contains(names, name) {
			left[name] = text
		}
	}
	return left
}

// plus are the files and one more, or another text of one.
func plus(files map[string]string, name, text string) map[string]string {
	more := less(files)
	more[name] = text
	return more
}

func sortedNames(files map[string]string) []string { return slices.Sorted(maps.Keys(files)) }
