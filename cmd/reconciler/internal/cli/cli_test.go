package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reconciler-dev/reconciler/pkg/desired"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/status"
)

var update = flag.Bool("update", false, "write the golden files anew")

// today is what the clock of all tests shows.
var today = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// noPID is a number that no process has: the kernel gives at most 4194304.
const noPID = 4194999

// world is the three directories of one test, and the program's options.
type world struct {
	t    *testing.T
	dirs Dirs
	opts Options
}

func newWorld(t *testing.T) *world {
	t.Helper()
	dir := t.TempDir()
	w := &world{t: t, dirs: Dirs{filepath.Join(dir, "manifests"), filepath.Join(dir, "status"), filepath.Join(dir, "state")}}
	w.opts = newWorldOptions()
	return w
}

func newWorldOptions() Options {
	return Options{
		Version: "v0.0.0-test",
		Now:     func() time.Time { return today },
	}
}

// result is what one run of the program left behind.
type result struct {
	Out, Err string
	Code     int
}

// run runs the program with the three directories.
func (w *world) run(args ...string) result {
	w.t.Helper()
	return w.runContext(w.t.Context(), args...)
}

func (w *world) runContext(ctx context.Context, args ...string) result {
	w.t.Helper()
	args = append(args, "--manifests", w.dirs.Manifests, "--status", w.dirs.Status, "--state", w.dirs.State)
	return runProgram(ctx, w.opts, args...)
}

func runProgram(ctx context.Context, o Options, args ...string) result {
	var out, errs bytes.Buffer
	root := New(o)
	root.SetOut(&out)
	root.SetErr(&errs)
	code := Execute(ctx, root, args)
	return result{out.String(), errs.String(), code}
}

// write puts a file below dir, whole or not at all, as a status file is.
func (w *world) write(dir, name, text string) {
	w.t.Helper()
	file := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(file+".new", []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) manifest(name, text string) { w.write(w.dirs.Manifests, name, text) }

// child writes the status file of a running child, as change makes it.
func (w *world) child(id child.ID, change func(*status.Child)) {
	w.t.Helper()
	c := status.Child{
		SchemaVersion: status.SchemaVersion, ID: id, Name: id.Name(), Path: id.Path(), Kind: child.AsyncWorker,
		Manifest: status.Manifest{File: string(id) + ".yaml", Document: 1, Generation: 1, ObservedGeneration: 1},
		Phase:    child.Running, Operation: child.Active, Attempt: 1, StopState: child.StopIdle,
		PID: ptr(noPID), StartedAt: ptr(today.Add(-3 * time.Minute)), ReadyAt: ptr(today.Add(-3 * time.Minute)),
		Conditions: []child.ConditionState{{Type: child.ConditionReady, Status: "True", Reason: "Running", LastTransitionTime: today.Add(-3 * time.Minute)}},
		Exits:      []status.Exit{}, UpdatedAt: ptr(today.Add(-3 * time.Minute)),
	}
	if change != nil {
		change(&c)
	}
	w.writeJSON(string(id)+".json", c)
}

// runtime writes reconciler.json of a reconciler that is alive, as change makes it.
func (w *world) runtime(change func(*status.Runtime)) {
	w.t.Helper()
	r := status.Runtime{
		SchemaVersion: status.SchemaVersion, State: status.Alive, PID: 4242,
		StartedAt: today.Add(-time.Hour), ObservedAt: today.Add(-5 * time.Second), ValidUntil: today.Add(25 * time.Second),
	}
	if change != nil {
		change(&r)
	}
	w.writeJSON("reconciler.json", r)
}

func (w *world) writeJSON(name string, v any) {
	w.t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		w.t.Fatal(err)
	}
	w.write(w.dirs.Status, name, string(text))
}

func ptr[T any](v T) *T { return &v }

// golden compares text with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s is not as in the golden file; run with -update and read the difference (-want +got):\n%s", name, diff)
	}
}

func TestHelpOfEveryVerbSaysWhatItDoesAndGivesAnExample(t *testing.T) {
	for _, verb := range New(Options{}).Commands() {
		if verb.Hidden {
			continue
		}
		t.Run(verb.Name(), func(t *testing.T) {
			got := runProgram(t.Context(), Options{Version: "v0"}, verb.Name(), "--help")

			golden(t, "help_"+verb.Name(), got.Out)
			if !strings.Contains(got.Out, "Examples:\n") {
				t.Errorf("help of %s has no example", verb.Name())
			}
			if got.Err != "" || got.Code != 0 {
				t.Errorf("help of %s: code %d, messages %q; want 0 and none", verb.Name(), got.Code, got.Err)
			}
		})
	}
}

func TestHelpListsTheVerbsAndHidesTheShim(t *testing.T) {
	got := runProgram(t.Context(), Options{Version: "v0"})

	golden(t, "help", got.Out)
	if strings.Contains(got.Out, "shim") {
		t.Error("the help names the shim, which nobody should start by hand")
	}
}

func TestWrongUseExitsWithTwo(t *testing.T) {
	w := newWorld(t)
	w.runtime(nil)
	for name, row := range map[string]struct {
		args []string
		want string
	}{
		"a verb that does not exist":     {[]string{"gett"}, `there is no command "gett" (did you mean get?)`},
		"a flag that does not exist":     {[]string{"get", "--colour"}, "unknown flag: --colour"},
		"a flag with a wrong value":      {[]string{"run", "--rescan", "soon"}, "invalid argument"},
		"a missing argument":             {[]string{"describe"}, "accepts 1 arg(s), received 0"},
		"too many arguments":             {[]string{"run", "x"}, `unknown command "x"`},
		"a form that does not exist":     {[]string{"get", "-o", "xml"}, `--output "xml": want table, wide, json, yaml, name, jsonpath=`},
		"a template that is none":        {[]string{"get", "-o", "jsonpath={.phase"}, "is no template (unclosed action)"},
		"an empty template":              {[]string{"get", "-o", "jsonpath="}, "is no template"},
		"a sort that is not there":       {[]string{"top", "--sort", "luck"}, `--sort "luck": want cpu, mem, restarts, age, name`},
		"a top that never rests":         {[]string{"top", "--every", "1ms"}, "want at least 100ms"},
		"a colour that is not there":     {[]string{"get", "--color", "blue"}, `--color "blue": want auto, always, never`},
		"a percentage over 100":          {[]string{"run", "--max-removals", "101%"}, "want a percentage from 0% to 100%"},
		"removals that are no number":    {[]string{"diff", "--max-removals", "half"}, "want a number such as 20"},
		"an end that does not exist":     {[]string{"run", "--on-exit", "abandon"}, `--on-exit "abandon": want stop, leave`},
		"a rescan that never rests":      {[]string{"run", "--rescan", "1ms"}, "want at least 1s"},
		"no start slots":                 {[]string{"run", "--start-slots", "0"}, "want at least 1"},
		"a log format that is not there": {[]string{"run", "--log-format", "xml"}, "want auto, text, json"},
		"following what is over":         {[]string{"logs", "web", "-f", "--previous"}, "cannot be followed"},
		"a negative tail":                {[]string{"logs", "web", "--tail", "-1"}, "want 0 for all"},
		"a schema that is not there":     {[]string{"schema", "journal"}, "invalid argument"},
	} {
		t.Run(name, func(t *testing.T) {
			got := w.run(row.args...)

			if got.Code != Usage || !strings.Contains(got.Err, row.want) || got.Out != "" {
				t.Errorf("%v: got %+v; want code 2, no data and a message with %q", row.args, got, row.want)
			}
			if !strings.Contains(got.Err, "--help'.") {
				t.Errorf("%v: the message %q does not lead to the help", row.args, got.Err)
			}
		})
	}
}

func TestDirectoriesComeFromTheEnvironmentUnlessAFlagNamesThem(t *testing.T) {
	t.Setenv("RECONCILER_MANIFESTS", "/from/env")
	t.Setenv("RECONCILER_STATE", "/state/from/env")
	var got RunConfig
	opts := Options{Version: "v0", Run: func(_ context.Context, c RunConfig) error { got = c; return nil }}

	runProgram(t.Context(), opts, "run", "--state", "/from/flag")

	want := Dirs{Manifests: "/from/env", Status: "status", State: "/from/flag"}
	if diff := cmp.Diff(want, got.Dirs); diff != "" {
		t.Errorf("directories of run (-want +got):\n%s", diff)
	}
}

func TestRunHandsOverItsFlags(t *testing.T) {
	var got RunConfig
	opts := Options{Version: "v1.2.3", Run: func(_ context.Context, c RunConfig) error { got = c; return nil }}

	r := runProgram(t.Context(), opts, "run", "--rescan", "5s", "--max-removals", "3", "--allow-empty", "--on-exit", "leave", "--log-format", "json", "-vv", "--start-slots", "7", "--metrics-listen", "/run/m.sock", "--secrets", "/run/secrets")

	if r.Code != 0 {
		t.Fatalf("run: %+v", r)
	}
	three, err := desired.ParseMaxRemovals("3")
	if err != nil {
		t.Fatal(err)
	}
	want := RunConfig{
		Dirs:   Dirs{"manifests", "status", ".reconciler"},
		Source: SourceFlags{MaxRemovals: three, AllowEmpty: true},
		Rescan: 5 * time.Second, OnExit: LeaveChildren, LogFormat: LogJSON, Verbosity: 2, StartSlots: 7,
		MetricsListen: "/run/m.sock", ControlRate: 200, Secrets: "/run/secrets",
		Version: "v1.2.3",
	}
	got.Stderr = nil
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(desired.MaxRemovals{})); diff != "" {
		t.Errorf("what run was told (-want +got):\n%s", diff)
	}
}

func TestShimGetsTheStateDirectory(t *testing.T) {
	var got string
	opts := Options{Version: "v0", Shim: func(_ context.Context, dir string) error { got = dir; return nil }}

	r := runProgram(t.Context(), opts, "shim", "--state", "/var/lib/x")

	if got != "/var/lib/x" || r.Code != 0 {
		t.Errorf("shim was given %q (%+v), want /var/lib/x", got, r)
	}
}

func TestVersionIsOneLine(t *testing.T) {
	for _, args := range [][]string{{"version"}, {"--version"}} {
		got := runProgram(t.Context(), Options{Version: "v1.2.3"}, args...)

		if diff := cmp.Diff(result{Out: "reconciler v1.2.3\n"}, got); diff != "" {
			t.Errorf("%v (-want +got):\n%s", args, diff)
		}
	}
}

func TestVersionWithoutAReleaseNamesTheBuild(t *testing.T) {
	got := runProgram(t.Context(), Options{}, "version")

	if !strings.HasPrefix(got.Out, "reconciler ") || !strings.Contains(got.Out, "go1.") {
		t.Errorf("version = %q; want the program and the Go it was built with", got.Out)
	}
}

func TestCompletionOffersChildren(t *testing.T) {
	w := newWorld(t)
	w.child("web", nil)
	w.child("payments/worker", nil)
	w.runtime(nil)
	w.write(w.dirs.Status, ".web.json.tmp-1", "{")
	for name, row := range map[string]struct {
		args []string
		want string
	}{
		"every child":               {[]string{"describe", ""}, "payments/worker\nweb\n:4\n"},
		"one is enough":             {[]string{"describe", "web", ""}, ":4\n"},
		"not the one that is there": {[]string{"logs", "web", ""}, "payments/worker\n:4\n"},
		"the values of a flag":      {[]string{"run", "--on-exit", ""}, "stop\nleave\n:4\n"},
	} {
		t.Run(name, func(t *testing.T) {
			args := append([]string{"__complete", "--status", w.dirs.Status}, row.args...)

			got := runProgram(t.Context(), w.opts, args...)

			if got.Out != row.want {
				t.Errorf("completion of %v = %q, want %q", row.args, got.Out, row.want)
			}
		})
	}
}

func TestCompletionScriptsExistForTheShells(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		got := runProgram(t.Context(), Options{Version: "v0"}, "completion", shell)

		if got.Code != 0 || !strings.Contains(got.Out, "reconciler") {
			t.Errorf("completion %s: code %d, %d bytes", shell, got.Code, len(got.Out))
		}
	}
}

func TestSchemaIsJSON(t *testing.T) {
	for _, of := range []string{"manifest", "status", "runtime"} {
		got := runProgram(t.Context(), Options{Version: "v0"}, "schema", of)

		var schema struct {
			Schema     string         `json:"$schema"`
			Properties map[string]any `json:"properties"`
		}
		if err := json.Unmarshal([]byte(got.Out), &schema); err != nil {
			t.Fatalf("schema %s is no JSON: %v", of, err)
		}
		published, err := os.ReadFile("../../../../docs/schema/" + of + ".json")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(published), got.Out); diff != "" {
			t.Errorf("schema %s is not docs/schema/%s.json; write the one of now there (-docs +program):\n%s", of, of, diff)
		}
		if schema.Schema == "" || len(schema.Properties) == 0 {
			t.Errorf("schema %s has $schema %q and %d properties; want both", of, schema.Schema, len(schema.Properties))
		}
	}
}

func (w *world) remove(name string) {
	w.t.Helper()
	if err := os.Remove(filepath.Join(w.dirs.Manifests, filepath.FromSlash(name))); err != nil {
		w.t.Fatal(err)
	}
}

func TestDirectoryWithoutANameIsWrongUse(t *testing.T) {
	for flag, dir := range map[string]func(*Dirs) *string{
		"--manifests": func(d *Dirs) *string { return &d.Manifests },
		"--status":    func(d *Dirs) *string { return &d.Status },
		"--state":     func(d *Dirs) *string { return &d.State },
	} {
		w := newWorld(t)
		*dir(&w.dirs) = ""

		got := w.run("get")

		if got.Code != Usage || !strings.Contains(got.Err, flag+" is empty") || got.Out != "" {
			t.Errorf("get with an empty %s: %+v, want wrong use that names the flag", flag, got)
		}
	}
}
