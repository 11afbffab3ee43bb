package runtime

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

const canary = "hush-4f81c0"

// withSecret is a spec whose variable TOKEN is the secret API of key.
func withSecret(key string, required bool) child.Spec {
	return child.Spec{
		Command:     []string{"true"},
		Environment: []child.EnvVar{{Name: "TOKEN", SecretRef: "${API}"}},
		Secrets:     []child.Secret{{Name: "API", Key: key, Required: required}},
	}
}

// keep writes a secret with a mode, whatever the umask is.
func keep(t *testing.T, dir, key, text string, mode os.FileMode) {
	t.Helper()
	path := filepath.Join(dir, key)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func link(t *testing.T, to, path string) {
	t.Helper()
	if err := os.Symlink(to, path); err != nil {
		t.Fatal(err)
	}
}

func TestSecretsAreReadWhereTheyAreMounted(t *testing.T) {
	dir := t.TempDir()
	keep(t, dir, "plain", canary, 0o400)
	keep(t, dir, "workers/api_token", canary+"\n", 0o600)
	keep(t, dir, "lines", "-----BEGIN\nkey\n-----END\n\n", 0o440) // as fsGroup and access lists show
	keep(t, dir, "spaces", " a b \r\n", 0o400)
	keep(t, dir, "..2026_11_26/mounted", canary, 0o400) // as Kubernetes mounts it
	link(t, "..2026_11_26", filepath.Join(dir, "..data"))
	link(t, "..data/mounted", filepath.Join(dir, "mounted"))
	whole := filepath.Join(t.TempDir(), "secrets")
	link(t, dir, whole)
	for key, want := range map[string]string{
		"plain": canary, "workers/api_token": canary, "lines": "-----BEGIN\nkey\n-----END", "spaces": " a b \r", "mounted": canary,
	} {
		for _, dir := range []string{dir, whole} {
			got, err := Host{WorkingDir: dir, SecretsDir: dir}.environment(startOf("x", withSecret(key, true)), identity{})
			if err != nil || !slices.Contains(got, "TOKEN="+want) {
				t.Errorf("%s: %q, %v; want TOKEN=%q", key, got, err, want)
			}
		}
	}
}

func TestASecretThatCannotBeUsedIsRefusedByNameAndNeverShown(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	keep(t, outside, "far", canary, 0o400)
	link(t, filepath.Join(outside, "far"), filepath.Join(dir, "absolute-link"))
	link(t, "../"+filepath.Base(outside)+"/far", filepath.Join(dir, "relative-link"))
	link(t, "nowhere", filepath.Join(dir, "dangling"))
	for _, mode := range []os.FileMode{0o604, 0o602, 0o620, 0o644, 0o666} {
		keep(t, dir, "mode-"+mode.String(), canary, mode)
	}
	keep(t, dir, "zero", canary+"\x00", 0o400)
	keep(t, dir, "empty", "\n", 0o400)
	keep(t, dir, "large", strings.Repeat(canary, maxSecret), 0o400)
	keep(t, dir, "folder/file", canary, 0o400)
	if err := syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{
		"gone": "no such file in " + dir, "dangling": "no such file in " + dir,
		"absolute-link": "escapes", "relative-link": "escapes", "../" + filepath.Base(outside) + "/far": "escapes", "/etc/hostname": "escapes",
		"mode--rw----r--": "has mode 0604", "mode--rw-----w-": "has mode 0602", "mode--rw--w----": "has mode 0620", "mode--rw-r--r--": "has mode 0644", "mode--rw-rw-rw-": "has mode 0666",
		"zero": "zero byte", "empty": "is empty", "large": "larger than 65536", "folder": "not a regular file", "fifo": "not a regular file",
	}
	for key, want := range rows {
		for _, required := range []bool{true, false} {
			if !required && strings.HasPrefix(want, "no such file") {
				continue // told below
			}
			_, err := Host{WorkingDir: dir, SecretsDir: dir}.launch(t.Context(), startOf("x", withSecret(key, required)))
			if err == nil || !strings.HasPrefix(err.Error(), "secret API (key "+key+"): ") || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), canary) {
				t.Errorf("%s: error = %v, want one with %q that names the secret and does not show it", key, err, want)
			}
		}
	}
	_, err := Host{WorkingDir: dir}.launch(t.Context(), startOf("x", withSecret("gone", true)))
	if want := "secret API (key gone): no secrets directory is set; start the reconciler with --secrets DIR"; err == nil || err.Error() != want {
		t.Errorf("error = %v, want %q", err, want)
	}
}

func TestASecretThatNeedNotBeThereLeavesItsVariableUnset(t *testing.T) {
	dir := t.TempDir()
	spec := withSecret("gone", false)
	spec.InheritEnvironment.All = true
	for _, secrets := range []string{"", dir, filepath.Join(dir, "gone")} {
		got, err := Host{WorkingDir: dir, SecretsDir: secrets, Environ: []string{"TOKEN=of the reconciler", "PATH=/bin"}}.environment(startOf("x", spec), identity{})
		if diff := cmp.Diff([]string{"PATH=/bin"}, got); diff != "" || err != nil {
			t.Errorf("with %q: %v; environment (-want +got):\n%s", secrets, err, diff)
		}
	}
}

func TestAPathThatIsASecretIsNotShown(t *testing.T) {
	dir := t.TempDir()
	keep(t, dir, "path", "/"+canary, 0o400)
	spec := withSecret("path", true)
	spec.Environment[0].Name = "PATH"
	for _, command := range [][]string{nil, {"gone"}} {
		spec.Command = command

		_, err := Host{WorkingDir: dir, SecretsDir: dir}.launch(t.Context(), startOf("x", spec))

		if err == nil || strings.Contains(err.Error(), canary) || !strings.Contains(err.Error(), "PATH=(a secret)") {
			t.Errorf("command %q: error = %v", command, err)
		}
	}
}

func TestAChangedSecretIsNoticedAndWhatIsRememberedOfItTellsNothing(t *testing.T) {
	state, dir := t.TempDir(), t.TempDir()
	remembered := func() string {
		t.Helper()
		seen, err := newFiles(state) // as after a restart
		if err != nil {
			t.Fatal(err)
		}
		spec := withSecret("token", true)
		got := (&ShimProcesses{host: Host{WorkingDir: dir, SecretsDir: dir}, files: seen}).filesOf(&spec, true)
		if len(got) != 1 || got[0].Path != filepath.Join(dir, "token") {
			t.Fatalf("files: %v", got)
		}
		return got[0].Hash
	}
	if got := remembered(); got != child.Absent {
		t.Errorf("of a missing secret: %q", got)
	}
	keep(t, dir, "token", canary, 0o600)
	first := remembered()
	keep(t, dir, "token", canary+"\n", 0o600)
	if got := remembered(); got != first || first == "" {
		t.Errorf("%q, then %q with nothing but a newline more", first, got)
	}
	keep(t, dir, "token", "another", 0o600)
	if got := remembered(); got == first || got == "" {
		t.Errorf("%q after a change, %q before", got, first)
	}
	keep(t, dir, "token", "half written", 0o644)
	if got := remembered(); got != "" {
		t.Errorf("of a secret that would be refused: %q", got)
	}
	keep(t, dir, "token", canary, 0o600)
	state = t.TempDir()
	if got := remembered(); got == first || got == "" {
		t.Errorf("the same hash in another state directory: %q", got)
	}
}

func TestAFIFOInThePlaceOfTheSecretsIsNotWaitedFor(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "secrets")
	if err := syscall.Mkfifo(dir, 0o600); err != nil {
		t.Fatal(err)
	}
	held, err := os.OpenFile(dir, os.O_RDWR, 0) // who opened it all the same is not caught
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()

	_, read := Host{SecretsDir: dir}.readSecret("key")
	_, stat := statSecret(dir, "key")

	if !errors.Is(read, syscall.ENOTDIR) || !errors.Is(stat, syscall.ENOTDIR) {
		t.Errorf("readSecret = %v, statSecret = %v; want that it is no folder", read, stat)
	}
}
