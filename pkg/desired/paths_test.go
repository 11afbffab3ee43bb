package desired

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

func TestARelativePathBeginsAtTheFolderThatWroteIt(t *testing.T) {
	root := decodeOne(t, "root.yaml", "name: root\nkind: supervisor\ndefaults: {env_files: [all.env], working_dir: ./run}")
	eu := decodeOne(t, "pay/eu/eu.yaml", "name: eu\nkind: supervisor\ndefaults: {env_files: [eu.env, ../pay.env, /etc/env]}")
	for name, row := range map[string]struct {
		text string
		want child.Spec
	}{
		"the nearest defaults": {"name: web", child.Spec{
			EnvFiles: []string{"pay/eu/eu.env", "pay/eu/../pay.env", "/etc/env"}, WorkingDir: "run"}},
		"the manifest's own": {"name: web\nworking_dir: .\nenv_files: [.//x/./web.env]\nreload: {files: [conf.d, /etc/app, ../a]}", child.Spec{
			EnvFiles: []string{"pay/eu/x/web.env"}, WorkingDir: "pay/eu", Reload: &child.Reload{Files: []string{"/etc/app", "pay/eu/../a", "pay/eu/conf.d"}}}},
	} {
		t.Run(name, func(t *testing.T) {
			m := decodeOne(t, "pay/eu/web.yaml", row.text)

			spec, problems := m.Spec("pay/eu", []*Manifest{root, nil, eu}, undeclared)

			if len(problems) > 0 {
				t.Fatal(problems)
			}
			got := child.Spec{EnvFiles: spec.EnvFiles, WorkingDir: spec.WorkingDir, Reload: spec.Reload}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			again, _ := m.Spec("pay/eu", []*Manifest{root, nil, eu}, undeclared)
			if again.Hash() != spec.Hash() {
				t.Error("a second look gives another spec: a manifest was written into")
			}
		})
	}
}

func TestAPathOfTheRootIsNoOther(t *testing.T) {
	for written, want := range map[string]string{".": ".", "./": ".", "a": "a", "./a/": "a", "../a": "../a", "/a/../b": "/a/../b"} {
		if got := fromRoot("", written); got != want {
			t.Errorf("fromRoot(%q) = %q, want %q", written, got, want)
		}
	}
}
