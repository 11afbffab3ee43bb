package status

import (
	"bytes"
	"context"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

func TestPublishedSchemasAreThoseOfTheCode(t *testing.T) {
	for name, of := range map[string]func() ([]byte, error){"status": Schema, "runtime": RuntimeSchema} {
		got, err := of()
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join("..", "..", "docs", "schema", name+".json")
		if *update {
			if err := os.WriteFile(file, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s is not what the code says; run go test ./pkg/status -run Schema -update (-page +code):\n%s", file, diff)
		}
	}
}

// compiled is a schema as a program of the field reads it.
func compiled(t *testing.T, of func() ([]byte, error)) *jsonschema.Schema {
	t.Helper()
	text, err := of()
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("schema.json", parsed); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestWhatTheWriterWritesIsWhatTheSchemasSay(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) { writeEverything(t, dir) })

	ofChild, ofRuntime, files := compiled(t, Schema), compiled(t, RuntimeSchema), 0
	err := filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files++
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			return err
		}
		schema := ofChild
		if d.Name() == runtimeFile {
			schema = ofRuntime
		}
		if err := schema.Validate(value); err != nil {
			t.Errorf("%s: %v\n%s", file, err, text)
		}
		return nil
	})
	if want := len(child.Phases()) + 3; err != nil || files != want {
		t.Errorf("%d files, %v; want %d", files, err, want)
	}
}

// writeEverything has a Writer write children in all phases, and the end.
func writeEverything(t *testing.T, dir string) {
	b := newBoard()
	close(b.adopted)
	for _, phase := range child.Phases() {
		s := workerSnapshot()
		s.ID = child.ID("phases/" + string(phase))
		s.Phase = phase
		if !phase.HasProcess() {
			s.PID, s.StartedAt, s.ReadyAt, s.Ready = 0, time.Time{}, time.Time{}, false
		}
		b.put(s)
	}
	odd := workerSnapshot()
	odd.ID, odd.LastExit, odd.Exits, odd.RestartLimit = "odd", nil, nil, child.RestartLimitUse{}
	odd.Hold = &child.Hold{Cause: child.Cause{RequestedBy: "ada", Reason: "why"}, At: noon}
	odd.PendingRestart = &child.PendingRestart{OldGeneration: 1, TargetGeneration: 2, Cause: odd.Hold.Cause}
	odd.Failure = &child.Failure{Phase: "start", Reason: "no such file", Recoverable: true}
	odd.WaitsFor, odd.NextRestartAt, odd.StopDeadline = []string{"db (ready)"}, noon, noon
	b.put(odd, &child.Snapshot{ID: "phases", Spec: &child.Spec{Kind: child.Supervisor, Strategy: child.OneForAll}, Phase: child.Running, Operation: child.Active, StopState: child.StopIdle})
	at := noon
	b.info.LastReconcile = &Reconcile{At: noon, Trigger: "start", Actions: map[string]int{"add": 1}, Errors: []ReconcileError{{ID: "web", Action: "add", RetryAt: &at}}}
	exit := NewExit(workerSnapshot().LastExit)
	b.info.ExitReport = &ExitReport{State: Completed, CompletedAt: noon, Orphans: []child.Orphan{{ID: "web", PID: 7, Reason: "alive"}}, Children: []ChildEnd{{ID: "web", Exit: &exit}, {ID: "x"}}}
	w, err := NewWriter(dir, b.options())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- w.Run(ctx) }()
	time.Sleep(time.Second) // of the bubble's clock: all is written
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestSchemasRefuseWhatNoWriterWrites(t *testing.T) {
	s := workerSnapshot()
	ofChild, ofRuntime := Encode(s, declared(s)), EncodeRuntime(&Runtime{SchemaVersion: SchemaVersion, State: Alive})
	for name, row := range map[string]struct {
		of    func() ([]byte, error)
		text  []byte
		field string
		value any
	}{
		"a phase that there is not": {Schema, ofChild, "phase", "Sleeping"},
		"a pid in words":            {Schema, ofChild, "pid", "1234"},
		"a time that is none":       {Schema, ofChild, "updated_at", "yesterday"},
		"a state that there is not": {RuntimeSchema, ofRuntime, "state", "undead"},
	} {
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(row.text))
		if err != nil {
			t.Fatal(err)
		}

		value.(map[string]any)[row.field] = row.value

		if compiled(t, row.of).Validate(value) == nil {
			t.Errorf("%s is valid by the schema", name)
		}
	}
}

func TestStatusSchemaAllowsNullWhereTheFileSaysNull(t *testing.T) {
	text, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		Properties map[string]struct {
			Type  string `json:"type"`
			OneOf []struct {
				Type       string                     `json:"type"`
				Properties map[string]json.RawMessage `json:"properties"`
			} `json:"oneOf"`
		} `json:"properties"`
	}
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}

	pid, exit, phase := schema.Properties["pid"], schema.Properties["last_exit"], schema.Properties["phase"]

	if len(pid.OneOf) != 2 || pid.OneOf[0].Type != "integer" || pid.OneOf[1].Type != "null" {
		t.Errorf("pid is %+v; want an integer or null", pid)
	}
	if len(exit.OneOf) != 2 || !strings.Contains(string(exit.OneOf[0].Properties["exit_code"]), "null") {
		t.Errorf("last_exit.exit_code is %s; want null allowed", exit.OneOf[0].Properties["exit_code"])
	}
	if phase.Type != "string" {
		t.Errorf("phase is %+v; want a string", phase)
	}
}

// remove takes a manifest away.
