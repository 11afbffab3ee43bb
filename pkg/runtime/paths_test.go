package runtime

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// stack is a checkout below dir: manifests, an executable and files beside them.
func stack(t *testing.T, dir, env string) {
	t.Helper()
	err := errors.Join(os.MkdirAll(filepath.Join(dir, "manifests/pay/bin"), 0o755), os.MkdirAll(filepath.Join(dir, "manifests/run"), 0o755),
		os.WriteFile(filepath.Join(dir, "manifests/pay/bin/web"), []byte("#!/bin/sh\n"), 0o755),
		os.WriteFile(filepath.Join(dir, "manifests/pay/web.env"), []byte("A="+env+"\n"), 0o644),
		os.WriteFile(filepath.Join(dir, "shared.env"), []byte("B="+env+"\n"), 0o644))
	if err != nil {
		t.Fatal(err)
	}
}

// swapTo lets link lead to revision, as git-sync does.
func swapTo(t *testing.T, link, revision string) {
	t.Helper()
	if err := errors.Join(os.Symlink(revision, link+".new"), os.Rename(link+".new", link)); err != nil {
		t.Fatal(err)
	}
}

func TestAStackRunsFromWhereItsManifestsAre(t *testing.T) {
	dir := t.TempDir()
	stack(t, dir+"/rev1", "one")
	link := dir + "/link"
	swapTo(t, link, "rev1/manifests")
	host := Host{WorkingDir: t.TempDir(), ManifestsDir: link}
	spec := child.Spec{Command: []string{"./bin/web", "-v"}, EnvFiles: []string{"pay/web.env", "pay/../../shared.env"}}

	got, err := host.launch(t.Context(), startOf("pay/web", spec))
	spec.WorkingDir, spec.Command = "run", []string{"../pay/bin/web"}
	inDir, inDirErr := host.launch(t.Context(), startOf("pay/web", spec))

	if err != nil || inDirErr != nil {
		t.Fatal(err, inDirErr)
	}
	if env := strings.Join(got.Env, " "); got.Path != link+"/pay/bin/web" || got.Args[0] != "./bin/web" || got.Dir != host.WorkingDir || !strings.Contains(env, "A=one B=one") {
		t.Errorf("launch %s %q in %s with %s", got.Path, got.Args, got.Dir, env)
	}
	if inDir.Path != link+"/pay/bin/web" || inDir.Dir != link+"/run" {
		t.Errorf("with a working_dir: launch %s in %s", inDir.Path, inDir.Dir)
	}
}

func TestASwappedLinkIsAnotherFileOnlyWhereTheContentIsAnother(t *testing.T) {
	dir := t.TempDir()
	stack(t, dir+"/rev1", "one")
	stack(t, dir+"/rev2", "one")
	stack(t, dir+"/rev3", "two")
	link := dir + "/link"
	seen, err := newFiles(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	p := &ShimProcesses{host: Host{WorkingDir: t.TempDir(), ManifestsDir: link}, files: seen}
	spec := &child.Spec{EnvFiles: []string{"pay/web.env"}, Reload: &child.Reload{Files: []string{"pay/../../shared.env"}}}
	look := func(revision string) []child.FileHash {
		swapTo(t, link, revision+"/manifests")
		return p.filesOf(spec, true) // as they are, written or not
	}

	first, same, other := look("rev1"), look("rev2"), look("rev3")

	if len(first) != 2 || first[0].Hash == "" || first[1].Hash == "" {
		t.Fatalf("files %+v, want two with their content", first)
	}
	if news(first, same) {
		t.Errorf("another revision with the same files is news: %+v, %+v", first, same)
	}
	if !news(first, other) {
		t.Errorf("another content is no news: %+v, %+v", first, other)
	}
}

func TestACommandThatBeganElsewhereIsToldApart(t *testing.T) {
	here, started := t.TempDir(), t.TempDir()
	executable := func(path string) {
		t.Helper()
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte("#!/bin/sh\n"), 0o755)); err != nil {
			t.Fatal(err)
		}
	}
	executable(started + "/bin/old")
	executable(started + "/bin/both")
	executable(here + "/bin/both")
	executable(here + "/bin/linked")
	if err := os.Symlink(here+"/bin/linked", started+"/bin/linked"); err != nil {
		t.Fatal(err)
	}
	host := Host{WorkingDir: started, ManifestsDir: here}

	for name, want := range map[string]string{
		"old":    "earlier versions took " + started + "/bin/old",
		"both":   "may be " + here + "/bin/both or " + started + "/bin/both",
		"linked": "",
		"gone":   "no such file",
	} {
		_, err := host.launch(t.Context(), startOf("web", child.Spec{Command: []string{"bin/" + name}}))

		if (want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
}
