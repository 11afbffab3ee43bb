package desired

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

const asSidecar = "\nwork_role: sidecar\nsidecar_of: "

func TestSidecarNamesItsPrimaryBesideItOrByID(t *testing.T) {
	set := firstLook(t, map[string]string{
		"eu/web.yaml":   "name: web",
		"eu/proxy.yaml": "name: proxy" + asSidecar + "web",
		"tail.yaml":     "name: tail" + asSidecar + "eu/web",
	})

	for _, id := range []child.ID{"eu/proxy", "tail"} {
		if e, _ := set.Get(id); e.Spec == nil || e.Spec.SidecarOf != "eu/web" || e.Spec.RestartPolicy != child.Permanent {
			t.Errorf("%s = %+v; want a sidecar of eu/web with the defaults of its role", id, e.Spec)
		}
	}
}

func TestSidecarsOfWhatIsNoPrimaryAreProblems(t *testing.T) {
	base := map[string]string{"web.yaml": "name: web", "eu/db.yaml": "name: db", "proxy.yaml": "name: proxy" + asSidecar + "web"}
	for _, test := range []struct {
		name, file, text string
		problem          string
		children         []child.ID
	}{
		{"itself", "x.yaml", "name: x" + asSidecar + "x", "x.yaml:3:13: sidecar_of: a child cannot be its own sidecar (name the child that it accompanies)", []child.ID{"eu/db", "proxy", "web"}},
		{"its folder", "eu/x.yaml", "name: x" + asSidecar + "eu", "eu/x.yaml:3:13: sidecar_of: eu is the folder it stands in, not a child (name a child of that folder)", []child.ID{"eu/db", "proxy", "web"}},
		{"a folder", "x.yaml", "name: x" + asSidecar + "eu", "x.yaml:3:13: sidecar_of: eu is a folder; a sidecar belongs to a child (name one of its children)", []child.ID{"eu/db", "proxy", "web"}},
		{"a new sidecar of a sidecar", "x.yaml", "name: x" + asSidecar + "proxy", "x.yaml:3:13: sidecar_of: proxy is a sidecar itself (of web); a sidecar cannot have one (name the child that both accompany)", []child.ID{"eu/db", "proxy", "web"}},
		{"a primary that becomes a sidecar", "web.yaml", "name: web" + asSidecar + "eu/db", "web.yaml:3:13: sidecar_of: proxy is its sidecar; a child that has one cannot be one (remove sidecar_of, or give that sidecar another child)", []child.ID{"eu/db", "proxy", "web"}},
		{"nobody: it waits", "x.yaml", "name: x" + asSidecar + "nobody", "x.yaml:3:13: sidecar_of: nobody is declared nowhere (x waits until it is)", []child.ID{"eu/db", "proxy", "web", "x"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			last := firstLook(t, base)

			got := Merge(last, seenOf(plus(base, test.file, test.text)), Policy{})

			if diff := cmp.Diff([]string{test.problem}, texts(got)); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.children, leaves(got)); diff != "" {
				t.Errorf("children (-want +got):\n%s", diff)
			}
			if web, _ := got.Get("web"); web.Spec.SidecarOf != "" {
				t.Errorf("web became a sidecar of %s", web.Spec.SidecarOf)
			}
		})
	}
}

func TestPrimaryThatWaitsForItsSidecarIsACircle(t *testing.T) {
	base := map[string]string{"web.yaml": "name: web", "proxy.yaml": "name: proxy" + asSidecar + "web"}
	last := firstLook(t, base)

	got := Merge(last, seenOf(plus(base, "web.yaml", "name: web\ndependencies: [db]\n---\nname: db\ndependencies: [proxy]")), Policy{})

	want := []string{
		"proxy.yaml:3:13: sidecar_of: the dependencies form a circle: db → proxy → web → db (remove one of them; what was in force stays)",
		"web.yaml:2:1: dependencies: the dependencies form a circle: db → proxy → web → db (remove one of them; what was in force stays)",
		"web.yaml:5:1: dependencies: the dependencies form a circle: db → proxy → web → db (remove one of them; what was in force stays)",
	}
	if diff := cmp.Diff(want, texts(got)); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]child.ID{"proxy", "web"}, leaves(got)); diff != "" {
		t.Errorf("children (-want +got):\n%s", diff)
	}
}

// What must be taken back, but was a folder before, has nothing to go back to. A
// merge that tried anyhow did not end.
func TestFoldersThatBecomeChildrenThatCannotBeAreNotThere(t *testing.T) {
	last := firstLook(t, map[string]string{"a/x.yaml": "name: x", "b/x.yaml": "name: x", "db.yaml": "name: db", "eu/y.yaml": "name: y"})

	for name, files := range map[string]map[string]string{
		"a circle":              {"a.yaml": "name: a\ndependencies: [b]", "b.yaml": "name: b\ndependencies: [a]"},
		"sidecars of a folder":  {"a.yaml": "name: a" + asSidecar + "eu", "b.yaml": "name: b" + asSidecar + "eu"},
		"sidecars of a sidecar": {"a.yaml": "name: a" + asSidecar + "b", "b.yaml": "name: b" + asSidecar + "a"},
	} {
		files["db.yaml"], files["eu/y.yaml"] = "name: db", "name: y"

		got := Merge(last, seenOf(files), Policy{})

		for _, id := range []child.ID{"a", "b"} {
			if e, ok := got.Get(id); ok && e.Spec.SidecarOf != "b" && e.Spec.SidecarOf != "a" {
				t.Errorf("%s: %s is there: %+v", name, id, e.Spec)
			}
		}
		if len(got.Problems) == 0 {
			t.Errorf("%s: nobody says why", name)
		}
	}
}

func TestSidecarsOfEachOtherAreBothRefused(t *testing.T) {
	got := Merge(nil, seenOf(map[string]string{"a.yaml": "name: a" + asSidecar + "b", "b.yaml": "name: b" + asSidecar + "a", "c.yaml": "name: c"}), Policy{})

	if len(got.Problems) == 0 {
		t.Error("nobody says that a and b are sidecars of each other")
	}
	for _, id := range leaves(got) {
		if e, _ := got.Get(id); e.Spec.SidecarOf != "" {
			if primary, ok := got.Get(e.Spec.SidecarOf); ok && primary.Spec.SidecarOf != "" {
				t.Errorf("%s is a sidecar of a sidecar", id)
			}
		}
	}
}

func TestFailureGroupsReachTheSpecSortedByTag(t *testing.T) {
	got := specOf(t, "name: payments\nkind: supervisor\nfailure_groups: [{tag: web, restart_limit: {}}, {tag: mail, restart_limit: {max_restarts: 3, window_secs: 5}}]")

	want := []child.FailureGroup{
		{Tag: "mail", RestartLimit: child.RestartLimit{MaxRestarts: 3, Window: seconds(5)}},
		{Tag: "web", RestartLimit: child.RestartLimit{MaxRestarts: 10, Window: seconds(60)}},
	}
	if diff := cmp.Diff(want, got.FailureGroups); diff != "" {
		t.Errorf("failure groups (-want +got):\n%s", diff)
	}
}

func TestRequestedSidecarsKeepTheSameRules(t *testing.T) {
	seen := seenOf(map[string]string{"web.yaml": "name: web", "eu/db.yaml": "name: db", "proxy.yaml": "name: proxy" + asSidecar + "web"})
	last := Merge(nil, seen, Policy{})
	for text, want := range map[string]string{
		"name: x" + asSidecar + "web":    "",
		"name: x" + asSidecar + "nobody": "",
		"name: x" + asSidecar + "x":      "a child cannot be its own sidecar",
		"name: x" + asSidecar + "eu":     "eu is a folder; a sidecar belongs to a child",
		"name: x" + asSidecar + "proxy":  "proxy is a sidecar itself (of web); a sidecar cannot have one",
		"name: x\nwork_role: sidecar":    "a sidecar belongs to another child, and none is named",
		"name: x\nsidecar_of: web":       "is a field of sidecars",
	} {
		r, problems := NewRequest("x", false, []byte(text))
		if len(problems) == 0 {
			problems = tryRequest(last, seen, Policy{}, r).problems
		}

		got := ""
		if len(problems) > 0 {
			got = problems[0].Reason
		}
		if got != want {
			t.Errorf("%s\nproblem %q, want %q", text, got, want)
		}
	}
}
