package cli

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/journal"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
	"github.com/reconciler-dev/reconciler/pkg/status"
)

// explainedWorld is a world in which one child runs whose fields come from everywhere.
func explainedWorld(t *testing.T) *world {
	w := newWorld(t)
	w.runtime(nil)
	w.child("payments/worker", func(c *status.Child) {})
	w.manifest("payments/payments.yaml", "name: payments\nkind: supervisor\ndefaults:\n  shutdown: {graceful_timeout_secs: 30}\n")
	w.manifest("payments/worker.yaml", "name: worker\ncommand: [work, '<fast>']\nwork_role: job\nenvironment: [{name: TOKEN, value: hunter2}]\nlogs: {max_files: 9}\n")
	w.running()
	return w
}

func TestDescribeSaysWhereEachValueComesFrom(t *testing.T) {
	w := explainedWorld(t)

	got := w.run("describe", "payments/worker")

	if got.Code != 0 || got.Err != "" {
		t.Fatalf("describe: %+v", got)
	}
	_, section, _ := strings.Cut(got.Out, "\nEffective spec:\n")
	section, _, _ = strings.Cut(section, "\n\n")
	golden(t, "describe_effective", strings.ReplaceAll(section, w.dirs.Manifests, "manifests")+"\n")
}

func TestDescribeCutsLongValues(t *testing.T) {
	w := newWorld(t)
	w.runtime(nil)
	w.child("web", func(c *status.Child) {})
	w.manifest("web.yaml", "name: web\ncommand: [sh, -c, '"+strings.Repeat("x", 300)+"']\n")
	w.running()

	got := w.run("describe", "web")

	if strings.Contains(got.Out, strings.Repeat("x", 61)) || !strings.Contains(got.Out, "…") || got.Code != 0 {
		t.Errorf("describe of a child with a long command: %+v; want it cut", got)
	}
}

func TestDescribeForProgramsIsAMapByField(t *testing.T) {
	w := explainedWorld(t)
	type origin struct {
		Value  any    `json:"value"`
		Source string `json:"source"`
		File   string `json:"file"`
		Line   int    `json:"line"`
	}
	var got struct {
		Status *status.Child     `json:"status"`
		Why    []string          `json:"why"`
		Spec   map[string]origin `json:"effective_spec"`
	}
	for _, output := range []string{"json", "yaml"} {
		r := w.run("describe", "payments/worker", "-o", output)
		if output == "json" && json.Unmarshal([]byte(r.Out), &got) != nil || yaml.Unmarshal([]byte(r.Out), &got) != nil {
			t.Fatalf("-o %s prints what cannot be read: %s", output, r.Out)
		}
		if got.Status.ID != "payments/worker" || got.Why == nil {
			t.Errorf("-o %s: status of %q, why %v; want both", output, got.Status.ID, got.Why)
		}
		for field, want := range map[string]origin{
			"shutdown.graceful_timeout_secs": {30.0, "supervisor_default", "payments/payments.yaml", 4},
			"logs.max_files":                 {9.0, "manifest", "payments/worker.yaml", 5},
			"restart_policy":                 {"transient", "role", "", 0},
			"logs.max_size_mb":               {10.0, "built_in", "", 0},
			"environment[TOKEN]":             {"(not shown)", "manifest", "payments/worker.yaml", 4},
		} {
			if diff := cmp.Diff(want, got.Spec[field]); diff != "" {
				t.Errorf("-o %s: %s (-want +got):\n%s", output, field, diff)
			}
		}
		if strings.Contains(r.Out, "hunter2") {
			t.Errorf("-o %s tells the value of a variable", output)
		}
	}
}

func TestDescribeTellsWhatRunsAlsoWhenItsManifestIsBrokenOrEdited(t *testing.T) {
	w := explainedWorld(t)

	w.manifest("payments/worker.yaml", "name: worker\ncommand: [other]\nwork_role: job\nlogs: {max_files: 9}\n")
	edited := w.run("describe", "payments/worker").Out
	w.manifest("payments/worker.yaml", "name: worker\ncommand: [")
	broken := w.run("describe", "payments/worker").Out

	for name, text := range map[string]string{"edited": edited, "broken": broken} {
		if !strings.Contains(text, `["work","<fast>"]`) || !strings.Contains(text, "an earlier manifest, of ") {
			t.Errorf("%s: the command that runs and its origin are not told:\n%s", name, text)
		}
	}
	if !strings.Contains(edited, "worker.yaml:4\n") {
		t.Errorf("edited: what did not change is not explained from the file:\n%s", edited)
	}
}

func TestDescribeOfAChildThatNoFileDeclaresSaysSo(t *testing.T) {
	w := explainedWorld(t)
	w.child("extra", func(*status.Child) {})
	store, _, err := journal.OpenRecords(filepath.Join(w.dirs.State, "records"))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	spec := &child.Spec{Kind: child.AsyncWorker, Command: []string{"extra"}}
	if err := store.Append([]machine.Record{{ID: "extra", Incarnation: 99, Spec: spec, Origin: child.Origin{ByRequest: true}, Operation: child.Active, Phase: child.Running}}); err != nil {
		t.Fatal(err)
	}

	got := w.run("describe", "extra")

	if !strings.Contains(got.Out, `["extra"]`) || !strings.Contains(got.Out, "who put it through the control socket") || strings.Contains(got.Out, "an earlier manifest") {
		t.Errorf("describe of a child by request: %+v", got)
	}
}
