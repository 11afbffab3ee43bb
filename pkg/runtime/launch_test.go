package runtime

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

func startOf(id child.ID, spec child.Spec) machine.Start {
	return machine.Start{Key: child.Key{ID: id, Incarnation: 1}, Attempt: 1, Spec: &spec}
}

func executable(t *testing.T, path string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCommandIsLookedUpWhereTheContractSays(t *testing.T) {
	dir := t.TempDir()
	inBin := executable(t, filepath.Join(dir, "bin", "worker"))
	inPath := executable(t, filepath.Join(dir, "path", "tool"))
	besides := executable(t, filepath.Join(dir, "work", "run.sh"))
	host := Host{WorkingDir: dir, BinDir: filepath.Join(dir, "bin"), Environ: []string{"PATH=" + filepath.Join(dir, "path")}}
	rows := map[string]struct {
		id   child.ID
		spec child.Spec
		want string
	}{
		"a name alone is found in bin":                    {"a/worker", child.Spec{}, inBin},
		"a name alone is found in PATH after bin":         {"tool", child.Spec{}, inPath},
		"a word is looked up in PATH":                     {"x", child.Spec{Command: []string{"tool", "-v"}}, inPath},
		"a relative path begins at the working directory": {"x", child.Spec{Command: []string{"./run.sh"}, WorkingDir: "work"}, besides},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			row.spec.InheritEnvironment.All = true
			got, err := host.launch(t.Context(), startOf(row.id, row.spec))
			if err != nil {
				t.Fatal(err)
			}
			if got.Path != row.want {
				t.Errorf("path = %s, want %s", got.Path, row.want)
			}
			if len(row.spec.Command) > 0 && !slices.Equal(got.Args, row.spec.Command) {
				t.Errorf("args = %q, want the manifest's %q", got.Args, row.spec.Command)
			}
		})
	}
}

func TestWhatCannotStartSaysWhyAndWhatToDo(t *testing.T) {
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain.txt")
	if err := os.WriteFile(plain, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	host := Host{WorkingDir: dir, BinDir: filepath.Join(dir, "bin"), Environ: []string{"PATH=/nowhere"}}
	rows := map[string]struct {
		spec child.Spec
		want string
	}{
		"a missing file":              {child.Spec{Command: []string{"./gone"}}, "command " + dir + "/gone: no such file"},
		"a file without x":            {child.Spec{Command: []string{"./plain.txt"}}, "chmod +x it"},
		"a word that is nowhere":      {child.Spec{Command: []string{"gone"}}, `command "gone": no such executable in PATH=/nowhere`},
		"no command and no file":      {child.Spec{}, "no command: the manifest has none"},
		"a missing directory":         {child.Spec{WorkingDir: "gone"}, "working_dir " + dir + "/gone: no such directory"},
		"a file as directory":         {child.Spec{WorkingDir: "plain.txt"}, "not a directory"},
		"an unknown user":             {child.Spec{RunAs: &child.RunAs{User: "nobody-of-that-name"}}, "run_as.user: no user"},
		"an unknown group":            {child.Spec{RunAs: &child.RunAs{Group: "no-group-of-that-name"}}, "run_as.group: no group"},
		"an env file that is missing": {child.Spec{Command: []string{"x"}, EnvFiles: []string{"gone.env"}}, dir + "/gone.env: no such file or directory"},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			row.spec.InheritEnvironment.All = true
			_, err := host.launch(t.Context(), startOf("x", row.spec))
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("error = %v, want it to contain %q", err, row.want)
			}
		})
	}
}

func TestEnvironmentIsLayered(t *testing.T) {
	dir := t.TempDir()
	file := "# comment\n\nexport A=file\nQUOTED=\"two words\"\nB = 'x'\n"
	if err := os.WriteFile(filepath.Join(dir, "app.env"), []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	value := "manifest"
	host := Host{WorkingDir: dir, Environ: []string{"PATH=/bin", "KEEP=1", "DROP=1", "NOTIFY_SOCKET=/x", "A=host", "C=host"}}
	spec := child.Spec{
		InheritEnvironment: child.InheritEnvironment{Names: []string{"KEEP", "A", "C", "PATH", "NOTIFY_SOCKET"}},
		EnvFiles:           []string{"app.env"},
		Environment:        []child.EnvVar{{Name: "C", Value: &value}},
	}

	got, err := host.environment(startOf("x", spec), identity{})

	if err != nil {
		t.Fatal(err)
	}
	want := []string{"A=file", "B=x", "C=manifest", "KEEP=1", "PATH=/bin", "QUOTED=two words"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
}

func TestEnvFileErrorNeverShowsTheValue(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "bad.env"), []byte("OK=1\nthe secret hunter2\n"), 0o600); err != nil {
		t.Fatal(err)
	}

	err := Host{}.readEnvFile(filepath.Join(dir, "bad.env"), true, map[string]string{})

	if err == nil || !strings.Contains(err.Error(), "bad.env:2") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("error = %v, want file and line and no content", err)
	}
}
