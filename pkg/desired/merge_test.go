package desired

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

var ignoreProblems = cmpopts.IgnoreFields(Entry{}, "Problems")

func TestWhatStaysInForce(t *testing.T) {
	base := map[string]string{
		"web.yaml":             "name: web\ncommand: [web]",
		"payments/worker.yaml": "name: worker\ncommand: [worker]",
		"payments/db.yaml":     "name: db\ncommand: [db]",
	}
	for _, test := range []struct {
		name  string
		files map[string]string
		want  []child.ID
	}{
		{"a file that YAML cannot read keeps its child", plus(base, "web.yaml", "name: [web"), []child.ID{"payments/db", "payments/worker", "web"}},
		{"a file with an unknown field keeps its child", plus(base, "web.yaml", "name: web\ncomand: [web]"), []child.ID{"payments/db", "payments/worker", "web"}},
		{"an empty file keeps its child", plus(base, "web.yaml", ""), []child.ID{"payments/db", "payments/worker", "web"}},
		{"a file whose name became reserved keeps its child", plus(base, "web.yaml", "name: reconciler"), []child.ID{"payments/db", "payments/worker", "web"}},
		{"a broken document that still says its name keeps its child, whatever the file",
			plus(less(base, "web.yaml"), "site.yaml", "name: web\ncomand: [web]"), []child.ID{"payments/db", "payments/worker", "web"}},
		{"a deleted file removes its child", less(base, "web.yaml"), []child.ID{"payments/db", "payments/worker"}},
		{"a deleted file removes its child although another is broken", plus(less(base, "web.yaml"), "new.yaml", "name: ["), []child.ID{"payments/db", "payments/worker"}},
		{"a new child is added although another is broken", plus(plus(base, "web.yaml", "name: ["), "new.yaml", "name: new"), []child.ID{"new", "payments/db", "payments/worker", "web"}},
		{"a folder with an impossible name is not read", plus(base, "a.b/x.yaml", "name: x"), []child.ID{"payments/db", "payments/worker", "web"}},
		{"reserved names at the root are refused", plus(base, "r.yaml", "name: reconciler\n---\nname: root"), []child.ID{"payments/db", "payments/worker", "web"}},
		{"reserved names below the root are names", plus(base, "payments/r.yaml", "name: reconciler\n---\nname: root"),
			[]child.ID{"payments/db", "payments/reconciler", "payments/root", "payments/worker", "web"}},
		{"reserved folders at the root are refused", plus(base, "root/x.yaml", "name: x"), []child.ID{"payments/db", "payments/worker", "web"}},
		{"the one in force stays when another declares the same", plus(base, "web2.yaml", "name: web\ncommand: [other]"), []child.ID{"payments/db", "payments/worker", "web"}},
		{"a child that differs by case only is refused beside one in force", plus(base, "Web.yaml", "name: Web"), []child.ID{"payments/db", "payments/worker", "web"}},
		{"two new children that differ by case only are refused", plus(plus(base, "A.yaml", "name: A"), "a1.yaml", "name: a"), []child.ID{"payments/db", "payments/worker", "web"}},
		{"a folder named like a child in force is refused", plus(base, "web/x.yaml", "name: x"), []child.ID{"payments/db", "payments/worker", "web"}},
		{"a child named like a folder in force is refused", plus(base, "p.yaml", "name: payments"), []child.ID{"payments/db", "payments/worker", "web"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			last := firstLook(t, base)

			got := Merge(last, seenOf(test.files), Policy{})

			if diff := cmp.Diff(test.want, leaves(got)); diff != "" {
				t.Errorf("children in force (-want +got):\n%s\nproblems: %s", diff, strings.Join(texts(got), "\n"))
			}
			for _, id := range leaves(last) {
				before, _ := last.Get(id)
				if after, ok := got.Get(id); ok && after.Spec != before.Spec {
					t.Errorf("%s has another spec", id)
				}
			}
			if len(got.Stalls) > 0 {
				t.Errorf("stalls = %v, want none", got.Stalls)
			}
		})
	}
}

func TestProblemsSayWhereAndWhat(t *testing.T) {
	for _, test := range []struct {
		name  string
		last  map[string]string
		files map[string]string
		want  []string
	}{
		{"a duplicate", nil, map[string]string{"a.yaml": "name: web\ncommand: [a]", "b.yaml": "kind: async_worker\nname: web"}, []string{
			"a.yaml:1:7: name: web is also declared by b.yaml:2; the one in force stays (keep one of them)",
			"b.yaml:2:7: name: web is also declared by a.yaml:1; the one in force stays (keep one of them)"}},
		{"names that differ by case", nil, map[string]string{"a.yaml": "name: web", "b.yaml": "name: Web"}, []string{
			`a.yaml:1:7: name: the child "web" stands beside the child "Web"; they must differ by more than case (rename one of them)`,
			`b.yaml:1:7: name: the child "Web" stands beside the child "web"; they must differ by more than case (rename one of them)`}},
		{"a child beside a folder", nil, map[string]string{"a.yaml": "name: web", "web/x.yaml": "name: x"}, []string{
			`a.yaml:1:7: name: the child "web" stands beside the folder "web"; a child and a folder of one name cannot stand side by side (rename one of them)`,
			`web: the folder "web" stands beside the child "web"; a child and a folder of one name cannot stand side by side (rename one of them)`}},
		{"a dependency declared nowhere", nil, map[string]string{"a.yaml": "name: web\ndependencies: [cache]"}, []string{
			"a.yaml:2:16: dependencies[0]: cache is declared nowhere (web waits until it is)"}},
		{"a circle", nil, map[string]string{"a.yaml": "name: a\ndependencies: [b]", "b.yaml": "name: b\ndependencies: [c]", "c.yaml": "name: c\ndependencies: [a]"}, []string{
			"a.yaml:2:1: dependencies: the dependencies form a circle: a → b → c → a (remove one of them; what was in force stays)",
			"b.yaml:2:1: dependencies: the dependencies form a circle: a → b → c → a (remove one of them; what was in force stays)",
			"c.yaml:2:1: dependencies: the dependencies form a circle: a → b → c → a (remove one of them; what was in force stays)"}},
		{"a supervisor with another name", nil, map[string]string{"pay/s.yaml": "name: payments\nkind: supervisor"}, []string{
			`pay/s.yaml:1:7: name: a supervisor is called like its folder: "pay", not "payments" (write name: pay)`}},
		{"the root's supervisor with another name", nil, map[string]string{"s.yaml": "name: main\nkind: supervisor"}, []string{
			`s.yaml:1:7: name: a supervisor is called like its folder: "root", not "main" (write name: root)`}},
		{"two supervisors of a folder", nil, map[string]string{"pay/s.yaml": "name: pay\nkind: supervisor\n---\nname: pay\nkind: supervisor"}, []string{
			"pay/s.yaml:1:7: name: pay is also declared by pay/s.yaml:4; the one in force stays (keep one of them)",
			"pay/s.yaml:4:7: name: pay is also declared by pay/s.yaml:1; the one in force stays (keep one of them)"}},
		{"a reserved name", nil, map[string]string{"r.yaml": "name: reconciler"}, []string{
			`r.yaml:1:7: name: "reconciler" is reserved here (choose another name, or put it into a folder)`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := Merge(nil, seenOf(test.files), Policy{})

			if diff := cmp.Diff(test.want, texts(got)); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAManifestTurnsNoChildIntoASupervisor(t *testing.T) {
	base := map[string]string{"web.yaml": "name: web\ncommand: [web]", "payments/payments.yaml": "name: payments\ncommand: [pay]"}
	last := firstLook(t, base)

	files := plus(base, "web.yaml", "name: web\nkind: supervisor\n")
	got := Merge(last, seenOf(plus(files, "payments/payments.yaml", "name: payments\nkind: supervisor\nstrategy: one_for_all\n")), Policy{})

	want := []string{
		"payments/payments.yaml:2:7: kind: payments/payments is a child; its manifest cannot turn it into a supervisor (take this document away first, which stops the child; a supervisor is a folder: payments/payments/ with manifests in it)",
		"web.yaml:2:7: kind: web is a child; its manifest cannot turn it into a supervisor (take this document away first, which stops the child; a supervisor is a folder: web/ with manifests in it)",
	}
	if diff := cmp.Diff(want, texts(got)); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	for _, id := range []child.ID{"web", "payments/payments"} {
		before, _ := last.Get(id)
		if after, ok := got.Get(id); !ok || after.Spec != before.Spec || len(after.Problems) != 1 {
			t.Errorf("%s = %+v; want it as it was, with its problem", id, after)
		}
	}
	if folder, _ := got.Get("payments"); folder.Spec.Strategy != child.OneForOne {
		t.Errorf("strategy of payments = %s; want the default, its manifest is refused", folder.Spec.Strategy)
	}

	removed := Merge(got, seenOf(map[string]string{"payments/x.yaml": "name: x", "web.yaml": base["web.yaml"]}), Policy{})
	after := Merge(removed, seenOf(map[string]string{"payments/payments.yaml": "name: payments\nkind: supervisor\nstrategy: one_for_all\n", "payments/x.yaml": "name: x", "web.yaml": base["web.yaml"]}), Policy{})

	if folder, _ := after.Get("payments"); folder.Spec.Strategy != child.OneForAll || len(after.Problems) > 0 {
		t.Errorf("once the child is gone the folder has strategy %s, problems %v; want the manifest obeyed", folder.Spec.Strategy, texts(after))
	}
}

func TestEntryOfBrokenFileCarriesItsProblems(t *testing.T) {
	last := firstLook(t, map[string]string{"web.yaml": "name: web\n---\nname: other"})

	got := Merge(last, seenOf(map[string]string{"web.yaml": "name: web\ncomand: [x]\n---\nname: other"}), Policy{})

	web, _ := got.Get("web")
	if len(web.Problems) != 1 || web.Problems[0].Field != "comand" {
		t.Errorf("problems of web = %v, want the unknown field", web.Problems)
	}
	if other, _ := got.Get("other"); len(other.Problems) != 0 {
		t.Errorf("problems of other = %v, want none: its document is valid", other.Problems)
	}
}

func TestDuplicatesThatSayTheSameRun(t *testing.T) {
	got := Merge(nil, seenOf(map[string]string{"a.yaml": "name: web\ncommand: [x]", "b.yaml": "command: ['x']\nname: web"}), Policy{})

	if e, ok := got.Get("web"); !ok || e.Origin.File != "a.yaml" || len(got.Problems) != 2 {
		t.Errorf("web = %v, %v; problems = %v; want the first one in force and both reported", e, ok, got.Problems)
	}
}

func TestCircleMembersKeepWhatTheyHad(t *testing.T) {
	last := firstLook(t, map[string]string{"a.yaml": "name: a", "b.yaml": "name: b\ndependencies: [a]", "d.yaml": "name: d"})

	got := Merge(last, seenOf(map[string]string{
		"a.yaml": "name: a\ncommand: [new]\ndependencies: [b, n]", "b.yaml": "name: b\ncommand: [new]\ndependencies: [a]",
		"n.yaml": "name: n\ndependencies: [a]", "d.yaml": "name: d\ndependencies: [a]",
	}), Policy{})

	if diff := cmp.Diff([]child.ID{"a", "b", "d"}, leaves(got)); diff != "" {
		t.Errorf("children (-want +got):\n%s", diff)
	}
	for _, id := range []child.ID{"a", "b"} {
		before, _ := last.Get(id)
		if after, _ := got.Get(id); after.Spec != before.Spec || len(after.Problems) == 0 {
			t.Errorf("%s = %+v, want what it had, with the problem", id, after)
		}
	}
	if d, _ := got.Get("d"); len(d.Spec.Dependencies) != 1 || len(d.Problems) != 0 {
		t.Errorf("d only depends on a circle: %+v, want its new spec", d)
	}
}

func TestGenerationCountsChangesOfTheSpec(t *testing.T) {
	generation := func(s *Set) (uint64, string) {
		e, _ := s.Get("web")
		return e.Origin.Generation, e.Origin.File
	}
	set := firstLook(t, map[string]string{"web.yaml": "name: web\ncommand: [a]"})
	for _, step := range []struct {
		name, file, text string
		want             uint64
	}{
		{"a comment", "web.yaml", "# hello\nname: web\ncommand: [a]", 1},
		{"another format", "web.json", `{"command": ["a"], "name": "web"}`, 1},
		{"another file", "site/../x.yaml", "name: web\ncommand: [a]", 1},
		{"another command", "x.yaml", "name: web\ncommand: [b]", 2},
		{"broken", "x.yaml", "name: web\ncommand: [b", 2},
		{"mended as it was", "x.yaml", "name: web\ncommand: [b]", 2},
		{"a field that changes nothing at run time", "x.yaml", "name: web\ncommand: [b]\ntags: [x]", 3},
	} {
		step.file = strings.TrimPrefix(step.file, "site/../")
		set = Merge(set, seenOf(map[string]string{step.file: step.text}), Policy{})
		if got, file := generation(set); got != step.want || file != step.file {
			t.Errorf("after %s: generation %d from %s, want %d from %s", step.name, got, file, step.want, step.file)
		}
	}
}

func TestSupervisorsAreTheFoldersThatDeclareSomething(t *testing.T) {
	got := Merge(nil, seenOf(map[string]string{
		"a/b/x.yaml": "name: x", "s.yaml": "name: root\nkind: supervisor\nstrategy: one_for_all",
		"alone/s.yaml": "name: alone\nkind: supervisor", "broken/x.yaml": "name: [",
	}), Policy{})

	if diff := cmp.Diff([]child.ID{"a", "a/b", "a/b/x", "alone", "root"}, ids(got)); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
	root, _ := got.Get("root")
	if root.Spec.Strategy != child.OneForAll || root.Origin.File != "s.yaml" {
		t.Errorf("root = %+v, want its document", root)
	}
	if a, _ := got.Get("a"); a.Spec.Kind != child.Supervisor || a.Origin.File != "" || a.Origin.Hash == "" {
		t.Errorf("a = %+v, want a supervisor with the defaults", a)
	}
}

func TestBrokenSupervisorKeepsWhatItGives(t *testing.T) {
	files := map[string]string{
		"pay/s.yaml": "name: pay\nkind: supervisor\ndefaults: {shutdown: {graceful_timeout_secs: 9}}",
		"pay/w.yaml": "name: w",
	}
	last := firstLook(t, files)
	broken := plus(files, "pay/s.yaml", "name: pay\nkind: supervisor\ndefaults: {shutdown: [")

	got := Merge(last, seenOf(plus(broken, "pay/new.yaml", "name: new")), Policy{})

	before, _ := last.Get("pay/w")
	if after, _ := got.Get("pay/w"); after.Spec != before.Spec {
		t.Errorf("pay/w = %+v, want the inherited default in force", after.Spec)
	}
	if e, ok := got.Get("pay/new"); !ok || e.Spec.Shutdown.GracefulTimeout != before.Spec.Shutdown.GracefulTimeout {
		t.Errorf("pay/new = %v, want it with the last valid defaults; problems %v", ok, texts(got))
	}
}

func TestAfterARestartABrokenSupervisorStartsNothingNew(t *testing.T) {
	files := map[string]string{
		"pay/s.yaml": "name: pay\nkind: supervisor\ndefaults: {run_as: {user: app}}",
		"pay/w.yaml": "name: w",
	}
	last := &Set{Entries: firstLook(t, files).Entries} // as the state directory has it
	broken := plus(files, "pay/s.yaml", "name: pay\nkind: supervisor\ndefaults: {run_as: {usr: app}}")

	got := Merge(last, seenOf(plus(broken, "pay/new.yaml", "name: new")), Policy{})

	before, _ := last.Get("pay/w")
	if after, _ := got.Get("pay/w"); after.Spec != before.Spec {
		t.Errorf("pay/w = %+v, want it unchanged", after.Spec)
	}
	if _, ok := got.Get("pay/new"); ok {
		t.Errorf("pay/new is in force, without the user that its folder may say")
	}
	if all := strings.Join(texts(got), "\n"); !strings.Contains(all, "children wait for this manifest of their folder: pay/new") {
		t.Errorf("problems = %s, want one that says who waits", all)
	}
}

func TestEmptyLookNeverEmpties(t *testing.T) {
	three := map[string]string{"a.yaml": "name: a", "b/b.yaml": "name: b", "c.yaml": "name: c"}
	none := seenOf(nil)
	unreadable := Scan{fault: &Problem{Reason: "the folder cannot be read"}}
	for _, test := range []struct {
		name   string
		files  map[string]string
		seen   Scan
		policy Policy
		want   string // the stall
		left   int
	}{
		{"all are gone", three, none, Policy{}, StallEmptySource, 3},
		{"all are gone, which is allowed", three, none, Policy{AllowEmpty: true}, "", 0},
		{"the only one is gone", map[string]string{"a.yaml": "name: a"}, none, Policy{}, "", 0},
		{"the last two are gone", less(three, "a.yaml"), none, Policy{}, StallEmptySource, 2},
		{"the root is missing", three, Scan{missing: true}, Policy{}, StallEmptySource, 3},
		{"the root is missing with one child", map[string]string{"a.yaml": "name: a"}, Scan{missing: true}, Policy{}, StallEmptySource, 1},
		{"the root is missing, which is allowed", three, Scan{missing: true}, Policy{AllowEmpty: true}, "", 0},
		{"the root cannot be read", three, unreadable, Policy{}, StallEmptySource, 3},
		{"the root cannot be read, and empty is allowed", three, unreadable, Policy{AllowEmpty: true}, StallUnreadable, 3},
		{"what is left is broken", three, seenOf(map[string]string{"a.yaml": "name: ["}), Policy{}, "", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			last := firstLook(t, test.files)

			got := Merge(last, test.seen, test.policy)
			again := Merge(got, test.seen, test.policy)

			for _, set := range []*Set{got, again} {
				reason := ""
				if len(set.Stalls) > 0 {
					reason = set.Stalls[0].Reason
				}
				if reason != test.want || len(leaves(set)) != test.left || !set.Complete {
					t.Errorf("stall %q with %v, want %q with %d children", reason, leaves(set), test.want, test.left)
				}
			}
		})
	}
}

func TestStallEndsWhenTheManifestsAreBack(t *testing.T) {
	files := map[string]string{"a.yaml": "name: a", "b.yaml": "name: b"}
	stalled := Merge(firstLook(t, files), seenOf(nil), Policy{})

	got := Merge(stalled, seenOf(files), Policy{})

	if len(got.Stalls) != 0 || len(leaves(got)) != 2 {
		t.Errorf("stalls %v, children %v; want both children and no stall", got.Stalls, leaves(got))
	}
}

func TestLargeRemovalAsksFirst(t *testing.T) {
	count := func(n int) MaxRemovals { return MaxRemovals{set: true, count: n} }
	percent := func(n float64) MaxRemovals { return MaxRemovals{set: true, percent: n, isShare: true} }
	for _, test := range []struct {
		had, gone int
		max       MaxRemovals
		held      bool
	}{
		{10, 5, MaxRemovals{}, false},
		{10, 6, MaxRemovals{}, true},
		{5, 3, MaxRemovals{}, true},
		{4, 3, MaxRemovals{}, false},
		{10, 2, count(2), false},
		{10, 3, count(2), true},
		{3, 1, count(0), true},
		{10, 2, percent(10), true},
		{10, 1, percent(10), false},
		{10, 9, percent(100), false},
	} {
		t.Run(fmt.Sprintf("%d of %d, max %s", test.gone, test.had, test.max), func(t *testing.T) {
			files := many(test.had)
			names := sortedNames(files)

			got := Merge(firstLook(t, files), seenOf(less(files, names[:test.gone]...)), Policy{MaxRemovals: test.max})

			held := len(got.Stalls) == 1 && got.Stalls[0].Reason == StallTooManyRemovals
			want := test.had - test.gone
			if test.held {
				want = test.had
			}
			if held != test.held || len(leaves(got)) != want {
				t.Errorf("held = %v, %d left; want %v, %d", held, len(leaves(got)), test.held, want)
			}
			if held && len(got.Stalls[0].Held) != test.gone {
				t.Errorf("named are %v, want %d children", got.Stalls[0].Held, test.gone)
			}
		})
	}
}

func TestHeldRemovalsStayHeldUntilBackOrConfirmed(t *testing.T) {
	files := many(10)
	names := sortedNames(files)
	held := Merge(firstLook(t, files), seenOf(less(files, names[:6]...)), Policy{})

	// Two are back: four of ten would not have asked.
	fewer := Merge(held, seenOf(less(files, names[:4]...)), Policy{})
	if len(leaves(fewer)) != 10 || len(fewer.Stalls) != 1 || len(fewer.Stalls[0].Held) != 4 {
		t.Fatalf("%d children, stalls %v; want all ten, and four held", len(leaves(fewer)), fewer.Stalls)
	}

	confirmed := map[child.ID]bool{}
	for _, id := range fewer.Stalls[0].Held {
		confirmed[id] = true
	}
	got := Merge(fewer, seenOf(less(files, names[:4]...)), Policy{Confirmed: confirmed})
	if len(leaves(got)) != 6 || len(got.Stalls) != 0 {
		t.Errorf("%d children, stalls %v; want six and none", len(leaves(got)), got.Stalls)
	}
	back := Merge(held, seenOf(files), Policy{})
	if len(leaves(back)) != 10 || len(back.Stalls) != 0 {
		t.Errorf("%d children, stalls %v; want ten and none", len(leaves(back)), back.Stalls)
	}
}

func TestAFolderWaitsForTheChildWhoseNameItTakes(t *testing.T) {
	last := firstLook(t, many(6))
	taken := leaves(last)[0]
	files := map[string]string{string(taken) + "/x.yaml": "name: x"}

	held := Merge(last, seenOf(files), Policy{})
	confirmed := map[child.ID]bool{}
	for _, id := range leaves(last) {
		confirmed[id] = true
	}
	after := Merge(held, seenOf(files), Policy{Confirmed: confirmed})

	if diff := cmp.Diff(leaves(last), leaves(held)); diff != "" {
		t.Errorf("children while the removal is held (-want +got):\n%s", diff)
	}
	if len(held.Problems) != 1 || !strings.Contains(held.Problems[0].Reason, "still has the name of this folder") {
		t.Errorf("problems = %v; want one that says why x is not there", texts(held))
	}
	if diff := cmp.Diff([]child.ID{taken + "/x"}, leaves(after)); diff != "" {
		t.Errorf("children after the confirmation (-want +got):\n%s", diff)
	}
}

func TestOnlyRunningChildrenMakeARemovalLarge(t *testing.T) {
	files := many(10)
	names := sortedNames(files)
	running := func(id child.ID) bool { return len(id) > 8 } // the last two of ten

	got := Merge(firstLook(t, files), seenOf(less(files, names[:9]...)), Policy{Running: running})

	if len(got.Stalls) != 0 || len(leaves(got)) != 1 {
		t.Errorf("stalls %v, children %v; want the removal done: two running children are few", got.Stalls, leaves(got))
	}
}

func TestProtectedChildrenAskNobody(t *testing.T) {
	last := firstLook(t, map[string]string{"a.yaml": "name: a\nprotect: true", "b.yaml": "name: b\nprotect: true"})

	got := Merge(last, seenOf(nil), Policy{})

	if len(got.Stalls) != 0 || len(got.Entries) != 0 {
		t.Errorf("stalls %v, entries %v; want none: the runtime keeps protected children", got.Stalls, ids(got))
	}
}

func TestAnEmptyLookKeepsTheLastTwoAlsoIfOneIsProtected(t *testing.T) {
	files := map[string]string{"a.yaml": "name: a\nprotect: true", "b.yaml": "name: b"}
	set := firstLook(t, files)
	for range 3 { // once told, it must not be forgotten
		set = Merge(set, seenOf(nil), Policy{})
		if got := leaves(set); !slices.Equal(got, []child.ID{"a", "b"}) || len(set.Stalls) != 1 || set.Stalls[0].Reason != StallEmptySource {
			t.Fatalf("children %v, stalls %v; want both, and EmptySource", got, set.Stalls)
		}
	}

	confirmed := Merge(set, seenOf(nil), Policy{Confirmed: map[child.ID]bool{"a": true, "b": true}})

	if got := leaves(confirmed); len(got) != 0 || len(confirmed.Stalls) != 0 {
		t.Errorf("once confirmed: children %v, stalls %v; want none", got, confirmed.Stalls)
	}
}

func TestWhoStaysWithoutAManifestSaysWhy(t *testing.T) {
	files := many(10)
	names := sortedNames(files)
	set := firstLook(t, files)

	held := Merge(set, seenOf(less(files, names[:6]...)), Policy{})
	back := Merge(held, seenOf(files), Policy{})

	for _, e := range held.Entries {
		want := ""
		if slices.Contains(names[:6], string(e.ID)+".yaml") {
			want = StallTooManyRemovals
		}
		if e.Held != want {
			t.Errorf("%s is held by %q, want %q", e.ID, e.Held, want)
		}
	}
	for _, e := range back.Entries {
		if e.Held != "" {
			t.Errorf("%s is back and still held by %q", e.ID, e.Held)
		}
	}
}

func TestFolderThatCannotBeReadKeepsItsChildren(t *testing.T) {
	files := map[string]string{"a.yaml": "name: a", "pay/s.yaml": "name: pay\nkind: supervisor", "pay/w.yaml": "name: w", "pay/eu/x.yaml": "name: x"}
	last := firstLook(t, files)
	seen := seenOf(files)
	seen.top.folders[0] = &folder{path: "pay", fault: &Problem{File: "pay", Reason: "the folder cannot be read: permission denied"}}

	got := Merge(last, seen, Policy{})

	if diff := cmp.Diff(last.Entries, got.Entries, ignoreProblems); diff != "" {
		t.Errorf("entries changed (-want +got):\n%s", diff)
	}
	want := []Stall{{Reason: StallUnreadable, Held: []child.ID{"pay", "pay/eu/x", "pay/w"},
		Message: "a folder cannot be read; its children are kept: pay, pay/eu/x, pay/w"}}
	if diff := cmp.Diff(want, got.Stalls); diff != "" {
		t.Errorf("stalls (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"pay: the folder cannot be read: permission denied"}, texts(got)); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

func TestOverTheLimitNewChildrenAreRefused(t *testing.T) {
	text := func(from, to int) string {
		var b strings.Builder
		for i := from; i < to; i++ {
			fmt.Fprintf(&b, "---\nname: w%05d\n", i)
		}
		return b.String()
	}
	full := map[string]string{"b.yaml": text(1, MaxChildren+1)}
	last := firstLook(t, full)

	got := Merge(last, seenOf(plus(full, "a.yaml", "name: a0\n---\nname: a1")), Policy{})

	if n := len(leaves(got)); n != MaxChildren {
		t.Errorf("%d children, want %d", n, MaxChildren)
	}
	if diff := cmp.Diff([]string{
		"a.yaml:1:7: name: there are more than 10000 children (start a second reconciler with a directory of its own)",
		"a.yaml:3:7: name: there are more than 10000 children (start a second reconciler with a directory of its own)",
	}, texts(got)); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

func TestMaxRemovalsAreReadAndWritten(t *testing.T) {
	for text, want := range map[string]string{"20": "20", "0": "0", "50%": "50%", "12.5 %": "12.5%", "-1": "", "101%": "", "many": "", "": "", "NaN%": ""} {
		got, err := ParseMaxRemovals(text)
		if (err != nil) != (want == "") || err == nil && got.String() != want {
			t.Errorf("ParseMaxRemovals(%q) = %v, %v; want %q", text, got, err, want)
		}
	}
	if got := (MaxRemovals{}).String(); got != "50%" {
		t.Errorf("the default is %q, want 50%%", got)
	}
}
