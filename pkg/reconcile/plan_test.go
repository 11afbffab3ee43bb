package reconcile

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/reconciler-dev/reconciler/pkg/desired"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"pgregory.net/rapid"
)

// summary is a plan without what most tests do not look at.
func summary(actions []Action) []string {
	lines := make([]string, 0, len(actions))
	for _, a := range actions {
		lines = append(lines, a.String())
	}
	return lines
}

func TestPlanNamesEveryActionAndItsReason(t *testing.T) {
	worker := entryOf("f/worker", specOf(t, `{"command":["w","--fast"],"tags":["mail"]}`))
	folder := desired.Entry{ID: "f", Spec: specOf(t, `{"kind":"supervisor"}`)}
	movedWorker, movedWithin, newGeneration := worker, worker, worker
	movedWorker.Origin.File = "f/other.yaml"
	movedWithin.Origin.Document = 2
	newGeneration.Origin.Generation = 4
	newRevision := worker
	newRevision.Origin.Revision = "b2c4"
	being := running(worker)
	being.Operation = child.Removed

	for name, tc := range map[string]struct {
		want *desired.Set
		have []*child.Snapshot
		plan []string
	}{
		"a new manifest adds":                       {setOf(worker), nil, []string{"add f/worker: manifest f/worker.yaml was added"}},
		"a new folder adds its supervisor":          {setOf(folder), nil, []string{"add f: folder f was added"}},
		"a vanished manifest removes":               {setOf(), []*child.Snapshot{running(worker)}, []string{"remove f/worker: manifest f/worker.yaml is gone"}},
		"a restart-class change replaces":           {setOf(entryOf("f/worker", specOf(t, `{"command":["w"]}`))), []*child.Snapshot{running(worker)}, []string{"replace f/worker: manifest f/worker.yaml changed: command, tags"}},
		"a live change updates":                     {setOf(entryOf("f/worker", specOf(t, `{"command":["w","--fast"]}`))), []*child.Snapshot{running(worker)}, []string{"update f/worker: manifest f/worker.yaml changed: tags"}},
		"a moved manifest updates":                  {setOf(movedWorker), []*child.Snapshot{running(worker)}, []string{"update f/worker: manifest moved from f/worker.yaml to f/other.yaml"}},
		"a moved document updates":                  {setOf(movedWithin), []*child.Snapshot{running(worker)}, []string{"update f/worker: manifest moved within f/worker.yaml from document 1 to 2"}},
		"a new generation updates":                  {setOf(newGeneration), []*child.Snapshot{running(worker)}, []string{"update f/worker: manifest is generation 4 now, was 1"}},
		"a new revision alone does nothing":         {setOf(newRevision), []*child.Snapshot{running(worker)}, nil},
		"equal content in another value is nothing": {setOf(entryOf("f/worker", specOf(t, `{"command":["w","--fast"],"tags":["mail"]}`))), []*child.Snapshot{running(worker)}, nil},
		"a child being removed is awaited":          {setOf(worker), []*child.Snapshot{being}, nil},
		"a child being removed is not removed":      {setOf(), []*child.Snapshot{being}, nil},
		"an incomplete look plans nothing":          {&desired.Set{}, []*child.Snapshot{running(worker)}, nil},
		"no look plans nothing":                     {nil, []*child.Snapshot{running(worker)}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got := Plan(tc.want, tc.have)

			if diff := cmp.Diff(tc.plan, summary(got), cmp.Transformer("empty", func(s []string) []string { return append([]string{}, s...) })); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
		})
	}
}

func TestProtectedChildStaysWhenItsManifestIsGone(t *testing.T) {
	db := running(entryOf("db", specOf(t, `{"protect":true}`)))
	web := running(entryOf("web", specOf(t, `{}`)))

	plan := Plan(setOf(), []*child.Snapshot{db, web})
	kept := Protected(setOf(), []*child.Snapshot{db, web})

	if diff := cmp.Diff([]string{"remove web: manifest web.yaml is gone"}, summary(plan)); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]child.ID{"db"}, kept); diff != "" {
		t.Errorf("protected (-want +got):\n%s", diff)
	}
}

func TestOrderPutsRemovalsThenSupervisorsThenDependenciesFirst(t *testing.T) {
	on := func(ids ...string) *child.Spec {
		s := &child.Spec{Kind: child.AsyncWorker}
		for _, id := range ids {
			s.Dependencies = append(s.Dependencies, child.Dependency{ID: child.ID(id), Condition: child.WhenReady})
		}
		return s
	}
	folder := &child.Spec{Kind: child.Supervisor}
	unchanged := entryOf("n", on("z")) // a link of the chain m, n, z that needs no action itself
	want := setOf(
		entryOf("root", folder), entryOf("f", folder), entryOf("f/g", folder),
		entryOf("f/g/a", on("z")), entryOf("b", on("f/g/a")), entryOf("m", on("n")), unchanged, entryOf("z", on()), entryOf("a", on()))
	have := []*child.Snapshot{
		running(unchanged),
		running(entryOf("old/db", on())), running(entryOf("old/app", on("old/db"))), running(entryOf("old/web", on("old/app"))),
		running(entryOf("old", folder)), running(entryOf("old/in", folder)), running(entryOf("alone", on())),
	}

	var got []string
	for _, a := range Plan(want, have) {
		got = append(got, fmt.Sprintf("%s %s", a.Verb, a.ID))
	}

	if diff := cmp.Diff([]string{
		"remove alone", "remove old/web", "remove old/app", "remove old/db", "remove old/in", "remove old",
		"add root", "add f", "add f/g",
		"add a", "add z", "add f/g/a", "add b", "add m",
	}, got); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

func TestOrderEndsOnACycle(t *testing.T) {
	want := setOf(
		entryOf("a", specOf(t, `{"dependencies":[{"name":"b"}]}`)),
		entryOf("b", specOf(t, `{"dependencies":[{"name":"a"}]}`)))

	got := Plan(want, nil)

	if len(got) != 2 {
		t.Errorf("actions = %v, want one for each of two", summary(got))
	}
}

func TestActionAsJSONHoldsNoSpecAndNoSecret(t *testing.T) {
	before := entryOf("web", specOf(t, `{"environment":[{"name":"TOKEN","value":"hunter2"}]}`))
	after := entryOf("web", specOf(t, `{"environment":[{"name":"TOKEN","value":"hunter3"}]}`))
	after.Origin.Hash, before.Origin.Hash = "sha256:b", "sha256:a"

	got, err := json.Marshal(Plan(setOf(after), []*child.Snapshot{running(before)}))

	if err != nil {
		t.Fatal(err)
	}
	want := `[{"action":"replace","child_id":"web","manifest":{"file":"web.yaml","document":1,"hash":"sha256:b","generation":1},` +
		`"reason":"manifest web.yaml changed: environment[0].value",` +
		`"differences":[{"field":"environment[0].value","old":"(not shown)","new":"(not shown)","class":"restart"}]}]`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("JSON (-want +got):\n%s", diff)
	}
}

func TestApplyingAPlanGivesWhatIsWanted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := model{}
		m.apply(Plan(drawSet(t), nil))
		want := drawSet(t)

		m.apply(Plan(want, m.children()))

		if got := m.children(); len(got) != len(want.Entries) {
			t.Fatalf("children = %d, want %d", len(got), len(want.Entries))
		}
		for _, e := range want.Entries {
			s := m[e.ID]
			if s == nil || s.Spec.Hash() != e.Spec.Hash() || s.Origin != e.Origin {
				t.Fatalf("%s is %+v, want %+v", e.ID, s, e)
			}
			if !settled(want, e.ID, s) {
				t.Fatalf("%s is not settled after the plan was applied", e.ID)
			}
		}
		if again := Plan(want, m.children()); len(again) != 0 {
			t.Fatalf("second plan = %v, want none", summary(again))
		}
	})
}

func TestPlanDoesNotDependOnTheOrderOfItsInput(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := model{}
		m.apply(Plan(drawSet(t), nil))
		want, have := drawSet(t), m.children()
		shuffled := slices.Clone(have)
		seed := rapid.Uint64().Draw(t, "seed")
		rand.New(rand.NewPCG(seed, 1)).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })

		got, other := Plan(want, have), Plan(want, shuffled)

		if diff := cmp.Diff(got, other); diff != "" {
			t.Fatalf("plans differ:\n%s", diff)
		}
	})
}

func TestEveryActionComesBehindWhatItNeeds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := model{}
		m.apply(Plan(drawSet(t), nil))
		want := drawSet(t)

		plan := Plan(want, m.children())

		position := map[child.ID]int{}
		for i, a := range plan {
			position[a.ID] = i
		}
		for i, a := range plan {
			spec, before := a.Spec, true
			if a.Verb == Remove {
				spec, before = m[a.ID].Spec, false
			}
			for _, dep := range spec.Dependencies {
				j, there := position[dep.ID]
				if !there || (plan[j].Verb == Remove) != (a.Verb == Remove) || spec.Kind == child.Supervisor || isFolder(dep.ID) {
					continue
				}
				if (j < i) != before {
					t.Fatalf("%s depends on %s, in the plan %v", a.ID, dep.ID, summary(plan))
				}
			}
		}
	})
}

func isFolder(id child.ID) bool { return id == "root" || id == "f" || id == "f/g" }

func TestAnIncompleteLookNeverPlans(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := model{}
		m.apply(Plan(drawSet(t), nil))
		want := drawSet(t)
		want.Complete = false

		if got := Plan(want, m.children()); got != nil {
			t.Fatalf("plan = %v, want none", summary(got))
		}
	})
}

// big is a set of n children and the same n as they run.
func big(n int) (*desired.Set, []*child.Snapshot) {
	entries := make([]desired.Entry, n)
	have := make([]*child.Snapshot, n)
	for i := range entries {
		s := &child.Spec{Kind: child.AsyncWorker, Command: []string{"sleep", fmt.Sprint(i)}}
		if i%10 > 0 {
			s.Dependencies = []child.Dependency{{ID: child.ID(fmt.Sprintf("f%02d/c%05d", i%100-i%10, i-i%10)), Condition: child.WhenReady}}
		}
		entries[i] = entryOf(child.ID(fmt.Sprintf("f%02d/c%05d", i%100, i)), s)
	}
	want := setOf(entries...)
	for i, e := range want.Entries {
		have[i] = running(e)
	}
	return want, have
}

func BenchmarkPlanOf10000(b *testing.B) {
	want, have := big(10_000)
	reread := &desired.Set{Entries: slices.Clone(want.Entries), Complete: true}
	for i, e := range reread.Entries {
		spec := *e.Spec
		reread.Entries[i].Spec = &spec
	}
	changed := &desired.Set{Entries: slices.Clone(want.Entries), Complete: true}
	for i, e := range changed.Entries {
		spec := *e.Spec
		spec.Tags = []string{"new"}
		changed.Entries[i] = entryOf(e.ID, &spec)
	}
	for name, tc := range map[string]struct {
		want    *desired.Set
		have    []*child.Snapshot
		actions int
	}{
		"nothing changed":        {want, have, 0},
		"all read anew, equal":   {reread, have, 0},
		"all new":                {want, nil, 10_000},
		"one tag of all changed": {changed, have, 10_000},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if got := Plan(tc.want, tc.have); len(got) != tc.actions {
					b.Fatalf("actions = %d, want %d", len(got), tc.actions)
				}
			}
		})
	}
}
