package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reconciler-dev/reconciler/pkg/desired"
	"github.com/reconciler-dev/reconciler/pkg/reconcile"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/journal"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

// running makes the state directory of a runtime that runs what the manifests
// declare now.
func (w *world) running() {
	w.t.Helper()
	set, err := desired.Look(desired.Options{Root: w.dirs.Manifests})
	if err != nil || len(set.Problems) > 0 {
		w.t.Fatalf("look at the manifests: %v, %v", err, set.Problems)
	}
	var records []machine.Record
	for i, e := range set.Entries {
		records = append(records, machine.Record{ID: e.ID, Incarnation: uint64(i + 1), Spec: e.Spec, Origin: e.Origin,
			Operation: child.Active, Phase: child.Running, Attempt: 1})
	}
	store, _, err := journal.OpenRecords(filepath.Join(w.dirs.State, "records"))
	if err != nil {
		w.t.Fatal(err)
	}
	defer store.Close()
	if err := store.Append(records); err != nil {
		w.t.Fatal(err)
	}
}

func TestDiffSaysWhatAReconcileWouldDo(t *testing.T) {
	w := newWorld(t)
	w.manifest("web.yaml", "name: web\ncommand: [sleep, '1']\nenvironment: [{name: KEY, value: old-secret}]\n")
	w.manifest("db.yaml", "name: db\n")
	w.manifest("gone.yaml", "name: gone\n")
	w.running()

	nothing := w.run("diff")
	w.manifest("web.yaml", "name: web\ncommand: [sleep, '2']\nenvironment: [{name: KEY, value: new-secret}]\n")
	w.manifest("db.yaml", "# only a comment\nname: db\n")
	w.manifest("new.yaml", "name: new\n")
	w.remove("gone.yaml")
	something := w.run("diff")

	if diff := cmp.Diff(result{}, nothing); diff != "" {
		t.Errorf("diff of what runs (-want +got):\n%s", diff)
	}
	want := result{Code: 1, Err: "3 children: 1 starts, 1 stops, 1 restarts\n", Out: strings.Join([]string{
		"remove gone: manifest gone.yaml is gone",
		"add new: manifest new.yaml was added",
		"replace web: manifest web.yaml changed: command, environment[0].value",
		"    command: [\"sleep\",\"1\"] -> [\"sleep\",\"2\"] (restart)",
		"    environment[0].value: (not shown) -> (not shown) (restart)", ""}, "\n")}
	if diff := cmp.Diff(want, something); diff != "" {
		t.Errorf("diff of edited manifests (-want +got):\n%s", diff)
	}
}

func TestDiffInJSONIsAListOfActions(t *testing.T) {
	w := newWorld(t)
	w.manifest("web.yaml", "name: web\n")

	something := w.run("diff", "-o", "json")
	w.running()
	nothing := w.run("diff", "-o", "json")

	var actions []reconcile.Action
	if err := json.Unmarshal([]byte(something.Out), &actions); err != nil {
		t.Fatalf("%v in %s", err, something.Out)
	}
	var done []string
	for _, a := range actions {
		done = append(done, string(a.Verb)+" "+string(a.ID))
	}
	if want := []string{"add root", "add web"}; !cmp.Equal(want, done) && !cmp.Equal(want[1:], done) || something.Code != 1 {
		t.Errorf("actions = %v, code %d; want %v and 1", done, something.Code, want)
	}
	if nothing.Out != "[]\n" || nothing.Code != 0 {
		t.Errorf("diff without a difference = %+v; want an empty list and 0", nothing)
	}
}

func TestDiffKeepsWhatTheReconcilerWouldKeep(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"a", "b", "c"} {
		w.manifest(name+".yaml", "name: "+name+"\n")
	}
	w.manifest("kept.yaml", "name: kept\nprotect: true\n")
	w.running()

	w.manifest("a.yaml", "name: [a\n")
	w.remove("kept.yaml")
	broken := w.run("diff")
	for _, name := range []string{"a", "b", "c"} {
		w.remove(name + ".yaml")
	}
	empty, meant := w.run("diff"), w.run("diff", "--allow-empty")

	if broken.Code != 0 || broken.Out != "" || !strings.Contains(broken.Err, "a.yaml:1:") || !strings.Contains(broken.Err, "kept has no manifest any more") {
		t.Errorf("diff with a broken and a protected manifest = %+v; want code 0, no action and both told", broken)
	}
	if empty.Code != 0 || empty.Out != "" || !strings.Contains(empty.Err, desired.StallEmptySource) {
		t.Errorf("diff of an emptied directory = %+v; want code 0, no action and the stall", empty)
	}
	if meant.Code != 1 || !strings.Contains(meant.Out, "remove a: manifest a.yaml is gone\nremove b: manifest b.yaml is gone\nremove c: ") {
		t.Errorf("diff --allow-empty of an emptied directory = %+v; want code 1 and the removals of a, b and c", meant)
	}
}

func TestDiffThatCannotReadTheStateExitsWithTwo(t *testing.T) {
	w := newWorld(t)
	w.manifest("web.yaml", "name: web\n")
	w.write(w.dirs.State, "records", "this should be a directory")

	got := w.run("diff")

	if got.Code != 2 || got.Out != "" || !strings.Contains(got.Err, "what runs cannot be known") {
		t.Errorf("diff = %+v; want code 2 and the reason", got)
	}
}

func TestValidateListsProblemsWithTheirPlaces(t *testing.T) {
	w := newWorld(t)
	w.manifest("good.yaml", "name: good\n")
	good := w.run("validate")
	w.manifest("bad/web.yaml", "name: web\nrestart_polcy: permanent\n")

	bad := w.run("validate")
	elsewhere := w.run("validate", filepath.Join(w.dirs.Manifests, "bad"), "-o", "json")

	if diff := cmp.Diff(result{Err: "1 valid manifest in " + w.dirs.Manifests + ", no problems" + judgedFor(os.Geteuid(), desired.Options{}) + "\n"}, good); diff != "" {
		t.Errorf("validate of a good directory (-want +got):\n%s", diff)
	}
	file := filepath.Join(w.dirs.Manifests, "bad", "web.yaml")
	want := result{Code: 1, Err: "1 problem in " + w.dirs.Manifests + "\n",
		Out: file + ":2:1: restart_polcy: there is no such field (did you mean restart_policy?)\n"}
	if diff := cmp.Diff(want, bad); diff != "" {
		t.Errorf("validate of a bad directory (-want +got):\n%s", diff)
	}
	var problems []desired.Problem
	if err := json.Unmarshal([]byte(elsewhere.Out), &problems); err != nil {
		t.Fatal(err)
	}
	if len(problems) != 1 || problems[0].File != file || problems[0].Line != 2 || elsewhere.Code != 1 {
		t.Errorf("validate -o json = %+v; want one problem in line 2 of %s", elsewhere, file)
	}
}

func TestValidateWarnsOfAFileThatIsNotRead(t *testing.T) {
	w := newWorld(t)
	w.manifest("good.yaml", "name: good\n")
	w.manifest("web.yaml.txt", "name: web\n")

	got := w.run("validate")

	if got.Code != 0 || !strings.Contains(got.Out, "web.yaml.txt") || !strings.Contains(got.Out, "is not read") || !strings.Contains(got.Err, "1 warning") {
		t.Errorf("validate = %+v; want a warning of web.yaml.txt and code 0", got)
	}
}

func TestValidateOfNoDirectoryIsAnErrorNotAnEmptyOne(t *testing.T) {
	w := newWorld(t)
	w.write(w.dirs.State, "file", "")

	for _, dir := range []string{w.dirs.Manifests, filepath.Join(w.dirs.State, "file")} {
		got := w.run("validate", dir)

		if got.Code != 1 || got.Out != "" || !strings.Contains(got.Err, dir) {
			t.Errorf("validate %s = %+v; want code 1 and a message that names it", dir, got)
		}
	}
}

func TestTheExamplesAreValid(t *testing.T) {
	got := runProgram(t.Context(), Options{Version: "v0"}, "validate", "--any-owner", "../../../../manifests")

	if got.Code != 0 {
		t.Errorf("validate manifests = %+v; want no problem", got)
	}
}
