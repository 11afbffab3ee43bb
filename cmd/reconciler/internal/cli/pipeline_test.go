package cli

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reconciler-dev/reconciler/pkg/desired"
)

// commit is a world with the manifests of before and after a commit.
func commit(t *testing.T) (w *world, before, after string) {
	w = newWorld(t)
	before, after = filepath.Join(filepath.Dir(w.dirs.Manifests), "before"), w.dirs.Manifests
	for file, text := range map[string]string{
		"web.yaml":          "name: web\ncommand: [sleep, '1']\n",
		"db.yaml":           "name: db\n",
		"gone.yaml":         "name: gone\n",
		"jobs/jobs.yaml":    "name: jobs\nkind: supervisor\n",
		"jobs/worker.yaml":  "name: worker\n",
		"moved/before.yaml": "name: still\n",
	} {
		w.write(before, file, text)
	}
	for file, text := range map[string]string{
		"web.yaml":         "name: web\n\ncommand: [sleep, '2']\n",
		"db.yaml":          "# only a comment\nname: db\n",
		"new.yaml":         "# new\nname: new\n",
		"jobs/jobs.yaml":   "name: jobs\nkind: supervisor\ndefaults:\n  shutdown:\n    graceful_timeout_secs: 60\n",
		"jobs/worker.yaml": "name: worker\n",
		"moved/after.yaml": "name: still\n",
	} {
		w.write(after, file, text)
	}
	return w, before, after
}

func TestDiffComparesTwoDirectories(t *testing.T) {
	w, before, after := commit(t)

	got, same := w.run("diff", "--from", before), w.run("diff", "--from", after, after)

	want := result{Code: 1, Err: "5 children: 1 starts, 1 stops, 1 restarts, 1 changes while it runs, 1 is not touched\n", Out: strings.Join([]string{
		"remove gone: manifest gone.yaml is gone",
		"update jobs/worker: manifest jobs/worker.yaml changed: shutdown.graceful_timeout_secs (live: no restart)",
		"    shutdown.graceful_timeout_secs: 5 -> 60 (live)",
		"update moved/still: manifest moved from moved/before.yaml to moved/after.yaml (nothing happens to what runs)",
		"add new: manifest new.yaml was added",
		"replace web: manifest web.yaml changed: command",
		"    command: [\"sleep\",\"1\"] -> [\"sleep\",\"2\"] (restart)", ""}, "\n")}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("diff --from (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(result{}, same); diff != "" {
		t.Errorf("diff of a directory with itself (-want +got):\n%s", diff)
	}
}

func TestDiffBetweenDirectoriesHoldsNothingBack(t *testing.T) {
	w := newWorld(t)
	before := filepath.Join(filepath.Dir(w.dirs.Manifests), "before")
	for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
		w.write(before, name+".yaml", "name: "+name+"\n")
	}
	w.manifest("README.md", "nothing is left")

	got := w.run("diff", "--from", before)

	if !strings.HasSuffix(got.Err, ": 6 stop, 1 is not touched\n") || got.Code != 1 {
		t.Errorf("diff --from = %+v; want six removals", got)
	}
}

func TestDiffFromNowhereIsAnError(t *testing.T) {
	w, _, _ := commit(t)

	got := w.run("diff", "--from", "nowhere")

	if got.Code != 2 || got.Out != "" || !strings.Contains(got.Err, "nowhere") {
		t.Errorf("diff --from nowhere = %+v; want code 2 and its name", got)
	}
}

func TestDiffAnnotatesTheLineOfTheFirstFieldThatChanged(t *testing.T) {
	w, before, after := commit(t)
	t.Chdir(filepath.Dir(after))

	got := w.run("diff", "--from", before, "-o", "github")

	want := strings.Join([]string{
		"::warning file=manifests/gone.yaml,title=remove gone::remove gone: manifest gone.yaml is gone",
		"::notice file=manifests/jobs/jobs.yaml,line=5,title=update jobs/worker::update jobs/worker: manifest jobs/worker.yaml changed: shutdown.graceful_timeout_secs (live: no restart)%0Ashutdown.graceful_timeout_secs: 5 -> 60 (live)",
		"::notice file=manifests/moved/after.yaml,line=1,title=update moved/still::update moved/still: manifest moved from moved/before.yaml to moved/after.yaml (nothing happens to what runs)",
		"::notice file=manifests/new.yaml,line=1,title=add new::add new: manifest new.yaml was added",
		"::warning file=manifests/web.yaml,line=3,title=replace web::replace web: manifest web.yaml changed: command%0Acommand: [\"sleep\",\"1\"] -> [\"sleep\",\"2\"] (restart)",
		""}, "\n")
	if diff := cmp.Diff(want, got.Out); diff != "" {
		t.Errorf("diff -o github (-want +got):\n%s", diff)
	}
}

func TestDiffInJSONSaysWhatBecomesOfTheProcess(t *testing.T) {
	w, before, _ := commit(t)

	got := w.run("diff", "--from", before, "-o", "json")

	var all []struct {
		ID     string `json:"child_id"`
		Effect effect `json:"effect"`
	}
	if err := json.Unmarshal([]byte(got.Out), &all); err != nil {
		t.Fatalf("%v in %s", err, got.Out)
	}
	effects := map[string]effect{}
	for _, c := range all {
		effects[c.ID] = c.Effect
	}
	want := map[string]effect{"gone": effectStop, "new": effectStart, "web": effectRestart, "jobs/worker": effectLive, "moved/still": effectNothing}
	if diff := cmp.Diff(want, effects); diff != "" {
		t.Errorf("effects (-want +got):\n%s", diff)
	}
}

func TestValidateAnnotatesProblems(t *testing.T) {
	w := newWorld(t)
	w.manifest("web.yaml", "name: web\nrestart_polcy: permanent\n")
	w.manifest("50%,done:.yaml", "name: [\n")
	t.Chdir(filepath.Dir(w.dirs.Manifests))

	got := w.run("validate", "-o", "github")

	if !strings.Contains(got.Out, "::error file=manifests/web.yaml,line=2,col=1,title=manifest::restart_polcy: there is no such field (did you mean restart_policy?)\n") {
		t.Errorf("validate -o github = %s", got.Out)
	}
	if !strings.Contains(got.Out, "::error file=manifests/50%25%2Cdone%3A.yaml,line=") || got.Code != 1 {
		t.Errorf("validate -o github = %+v; want the name of the file escaped", got)
	}
}

// sarifRequired is what SARIF 2.1.0 requires (sections 3.13 to 3.30) of what we
// write; fields that it does not know are refused.
type sarifRequired struct {
	Schema  string `json:"$schema"`
	Version string `json:"version"` // "2.1.0"
	Runs    []struct {
		Tool struct {
			Driver struct {
				Name    string `json:"name"` // required
				Version string `json:"version"`
				Rules   []struct {
					ID               string `json:"id"` // required
					ShortDescription struct {
						Text string `json:"text"` // required
					} `json:"shortDescription"`
				} `json:"rules"`
			} `json:"driver"` // required
		} `json:"tool"` // required
		ColumnKind string `json:"columnKind"` // utf16CodeUnits or unicodeCodePoints
		Results    []struct {
			RuleID    string `json:"ruleId"`
			RuleIndex int    `json:"ruleIndex"` // into rules, and of the same id
			Level     string `json:"level"`     // none, note, warning or error
			Message   struct {
				Text string `json:"text"`
			} `json:"message"` // required
			Locations []struct {
				PhysicalLocation struct {
					ArtifactLocation struct {
						URI string `json:"uri"`
					} `json:"artifactLocation"`
					Region *struct {
						StartLine   int `json:"startLine"`   // from 1
						StartColumn int `json:"startColumn"` // from 1
					} `json:"region"`
				} `json:"physicalLocation"`
			} `json:"locations"`
		} `json:"results"`
	} `json:"runs"` // required
}

func TestValidateWritesSARIF(t *testing.T) {
	w := newWorld(t)
	w.manifest("my web.yaml", "name: web\nrestart_polcy: permanent\n")
	t.Chdir(filepath.Dir(w.dirs.Manifests))

	got := w.run("validate", "-o", "sarif")

	var log sarifRequired
	dec := json.NewDecoder(strings.NewReader(got.Out))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&log); err != nil || got.Code != 1 {
		t.Fatalf("%v, code %d in %s", err, got.Code, got.Out)
	}
	run := log.Runs[0]
	if log.Version != "2.1.0" || log.Schema == "" || run.Tool.Driver.Name == "" || run.ColumnKind != "unicodeCodePoints" || len(run.Results) != 1 {
		t.Errorf("the log is %+v", log)
	}
	r := run.Results[0]
	at := r.Locations[0].PhysicalLocation
	if run.Tool.Driver.Rules[r.RuleIndex].ID != r.RuleID || r.Level != "error" || r.Message.Text != "restart_polcy: there is no such field (did you mean restart_policy?)" {
		t.Errorf("the result is %+v", r)
	}
	if at.ArtifactLocation.URI != "manifests/my%20web.yaml" || at.Region == nil || at.Region.StartLine != 2 || at.Region.StartColumn != 1 {
		t.Errorf("its place is %+v; want line 2 of the file as a URI", at)
	}
}

func TestSARIFWithoutAProblemHasAnEmptyListOfResults(t *testing.T) {
	log := sarif(nil, "v0")
	whole := sarif(findings([]desired.Problem{{File: "/elsewhere/a.yaml", Reason: "too large"}}, nil), "v0").Runs[0].Results[0].Locations[0].Physical

	if log.Runs[0].Results == nil {
		t.Error("results are null; GitHub wants an empty list to close old alerts")
	}
	if whole.Region != nil || whole.Artifact.URI != "file:///elsewhere/a.yaml" {
		t.Errorf("a problem of a whole file stands at %+v", whole)
	}
}
