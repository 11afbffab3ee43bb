package desired

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// drawTree draws some files with names that often meet: duplicates, clashes by
// case, supervisors and dependencies.
func drawTree(t *rapid.T, label string) map[string]string {
	folder := rapid.SampledFrom([]string{"", "a/", "A/", "a/b/", "web/"})
	name := rapid.SampledFrom([]string{"web", "Web", "db", "x", "a", "root"})
	files := map[string]string{}
	for i := range rapid.IntRange(0, 8).Draw(t, label) {
		text := ""
		for range rapid.IntRange(1, 2).Draw(t, "documents") {
			text += "---\nname: " + name.Draw(t, "name") + "\n"
			switch rapid.IntRange(0, 5).Draw(t, "kind") {
			case 0:
				text += "kind: supervisor\ndefaults: {shutdown: {graceful_timeout_secs: 7}}\n"
			case 1:
				text += "dependencies: [" + name.Draw(t, "dependency") + "]\n"
			case 2:
				text += "command: [" + name.Draw(t, "command") + "]\n"
			case 3:
				text += "work_role: sidecar\nsidecar_of: " + name.Draw(t, "primary") + "\n"
			}
		}
		files[fmt.Sprintf("%sf%d.yaml", folder.Draw(t, "folder"), i)] = text
	}
	return files
}

// drawRequests draws some children by request, whose names meet those of the files.
func drawRequests(t *rapid.T, label string) (all []Request) {
	taken := map[child.ID]bool{}
	for range rapid.IntRange(0, 3).Draw(t, label) {
		id := rapid.SampledFrom([]child.ID{"web", "Web", "db", "a", "a/x", "a/b/db", "gone/x"}).Draw(t, "id")
		text := "name: " + id.Name() + "\n"
		switch rapid.IntRange(0, 3).Draw(t, "kind") {
		case 0:
			text += "dependencies: [" + rapid.SampledFrom([]string{"web", "db", "x", "a/x"}).Draw(t, "dependency") + "]\n"
		case 1:
			text += "work_role: sidecar\nsidecar_of: " + rapid.SampledFrom([]string{"web", "db"}).Draw(t, "primary") + "\n"
		}
		r, problems := NewRequest(id, false, []byte(text))
		if len(problems) == 0 && !taken[id] {
			all = append(all, r)
		}
		taken[id] = true
	}
	return all
}

// breakSome makes some of the files unreadable for YAML.
func breakSome(t *rapid.T, files map[string]string) map[string]string {
	after := maps.Clone(files)
	for _, name := range sortedNames(files) {
		switch rapid.IntRange(0, 3).Draw(t, "break "+name) {
		case 0:
			after[name] = "name: ["
		case 1:
			after[name] = ""
		case 2:
			after[name] += "\nnonsense: true\n"
		}
	}
	return after
}

// TestBrokenAndEmptyNeverRemove: whatever breaks, every child that was in force
// stays, with the spec that it had.
func TestBrokenAndEmptyNeverRemove(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		files := drawTree(t, "files")
		last := Merge(nil, seenOf(files), Policy{})

		seen := []Scan{seenOf(breakSome(t, files)), {missing: true}, {fault: &Problem{Reason: "unreadable"}}}
		if len(leaves(last)) > 1 {
			seen = append(seen, seenOf(nil))
		}
		for i, scan := range seen {
			next := Merge(last, scan, Policy{MaxRemovals: MaxRemovals{set: true, percent: 100, isShare: true}})

			for _, id := range leaves(last) {
				before, _ := last.Get(id)
				after, there := next.Get(id)
				if !there {
					t.Fatalf("look %d: %s is gone after a mistake", i, id)
				}
				if after.Origin.Generation != before.Origin.Generation && after.Origin.File == before.Origin.File && len(after.Problems) > 0 {
					t.Fatalf("look %d: %s changed with the problems %v", i, id, after.Problems)
				}
			}
		}
	})
}

// TestMergeIsIdempotent: a second look at the same files changes no entry, and a
// third one nothing at all. (Problems may differ once: a folder that lost its last
// child is in force no more, and then a clash of its name is all that is said.)
func TestMergeIsIdempotent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		last := Merge(nil, seenOf(drawTree(t, "before")), Policy{})
		files, p := drawTree(t, "after"), Policy{Requests: drawRequests(t, "requests")}

		once := Merge(last, seenOf(files), p)
		again := Merge(once, seenOf(files), p)

		third := Merge(again, seenOf(files), p)
		if !slices.EqualFunc(once.Entries, again.Entries, func(a, b Entry) bool { return a.ID == b.ID && a.Spec == b.Spec && a.Origin == b.Origin }) || !sameSet(again, third) {
			t.Fatalf("once: %+v %v %v\nagain: %+v %v %v\n(-once +again): %s", ids(once), texts(once), once.Stalls, ids(again), texts(again), again.Stalls, cmp.Diff(once.Entries, again.Entries))
		}
	})
}

// TestEntriesAreWellFormed: sorted, one an ID, each supervisor of a child there,
// no two ids that differ by case only, no circle, no limit broken.
func TestEntriesAreWellFormed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before := Merge(nil, seenOf(drawTree(t, "before")), Policy{Requests: drawRequests(t, "requests before")})
		set := Merge(before, seenOf(drawTree(t, "after")), Policy{Requests: drawRequests(t, "requests after")})

		if !slices.IsSortedFunc(set.Entries, compareEntries) {
			t.Fatalf("not sorted: %v", ids(set))
		}
		for i, e := range set.Entries {
			if i > 0 && set.Entries[i-1].ID == e.ID {
				t.Fatalf("%s is there twice", e.ID)
			}
			for folder := e.ID.Folder(); folder != ""; folder = folder.Folder() {
				if s, ok := set.Get(folder); !ok || s.Spec.Kind != child.Supervisor {
					t.Fatalf("%s stands in %s, which is no supervisor", e.ID, folder)
				}
			}
			if primary, ok := set.Get(e.Spec.SidecarOf); ok && (primary.Spec.SidecarOf != "" || primary.Spec.Kind == child.Supervisor) {
				t.Fatalf("%s is a sidecar of %s, which is %s", e.ID, primary.ID, primary.Spec.Kind)
			}
			if e.Origin.Generation == 0 || e.Origin.Hash != e.Spec.Hash() {
				t.Fatalf("the origin of %s is %+v, its hash %s", e.ID, e.Origin, e.Spec.Hash())
			}
		}
		if m := (&merger{entries: set.items}); len(m.circles()) > 0 {
			t.Fatalf("a circle is in force: %v", m.circles())
		}
	})
}

// TestFileNamesDoNotMatter: the same documents under other names of files in the
// same folders declare the same children, and nothing restarts. Only duplicates
// depend on who was in force.
func TestFileNamesDoNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		files := drawTree(t, "files")
		set := Merge(nil, seenOf(files), Policy{})
		renamed := map[string]string{}
		for name, text := range files {
			renamed[name[:len(name)-len("f0.yaml")]+"z"+name[len(name)-len("0.yaml"):]] = text
		}

		moved := Merge(set, seenOf(renamed), Policy{})

		if !slices.Equal(ids(set), ids(moved)) {
			t.Fatalf("entries %v became %v", ids(set), ids(moved))
		}
		for _, e := range set.Entries {
			after, _ := moved.Get(e.ID)
			if after.Spec != e.Spec || after.Origin.Generation != e.Origin.Generation {
				t.Fatalf("%s changed: %+v became %+v", e.ID, e.Origin, after.Origin)
			}
		}
	})
}
