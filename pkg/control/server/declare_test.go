package server

import (
	"strings"
	"testing"

	"github.com/reconciler-dev/reconciler/pkg/control"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

func TestAChildCanBeDeclaredByRequestAndNoPassRemovesIt(t *testing.T) {
	h := open(t, map[string]string{"web.yaml": web, "office/office.yaml": "name: office\nkind: supervisor\ndefaults: {shutdown: {graceful_timeout_secs: 77}}\n", "office/worker.yaml": worker})

	added, err := h.Put(t.Context(), "office/extra", []byte("name: extra\ncommand: [x]\ndependencies: [worker]\n"), control.Command{})
	must(t, err)
	if added.Command != "add" || added.Decision != "accepted" || added.After != child.Active {
		t.Errorf("the first put = %+v, want an add", added)
	}
	s, ok := h.handle.Child("office/extra")
	if !ok || s.Spec.Shutdown.GracefulTimeout.Duration().Seconds() != 77 || s.Spec.Dependencies[0].ID != "office/worker" {
		t.Errorf("spec = %+v; want the defaults of the folder, and its names", s.Spec)
	}
	until(t, func() string {
		c, err := h.Child(t.Context(), "office/extra")
		must(t, err)
		if c.Phase != child.Running || !c.Manifest.ByRequest || c.Manifest.File != "" || c.Manifest.Generation != 1 {
			return "it does not run"
		}
		return ""
	})

	pass, err := h.Reconcile(t.Context(), control.ReconcileRequest{})
	must(t, err)
	if pass.Reconcile.Actions["remove"] != 0 {
		t.Errorf("pass = %+v, want nothing removed", pass)
	}
	for _, row := range []struct {
		manifest, command, decision string
		generation                  uint64
	}{
		{"# said again\nname: extra\ndependencies: [worker]\ncommand: [x]\n", "update", "idempotent", 1},
		{"name: extra\ncommand: [x]\ntags: [new]\n", "update", "accepted", 2},
		{"name: extra\ncommand: [y]\ntags: [new]\n", "replace", "queued_after_stop", 3},
		{`{"name": "extra", "command": ["y"], "tags": ["new"]}`, "update", "idempotent", 3},
	} {
		o, err := h.Put(t.Context(), "office/extra", []byte(row.manifest), control.Command{})
		must(t, err)
		if s, _ := h.handle.Child("office/extra"); o.Command != row.command || o.Decision != row.decision || s.Origin.Generation != row.generation {
			t.Errorf("put %q = %+v, generation %d; want %+v", row.manifest, o, s.Origin.Generation, row)
		}
	}

	gone, err := h.Delete(t.Context(), "office/extra", control.Command{})
	must(t, err)
	if gone.Command != "remove" || gone.After != child.Removed {
		t.Errorf("delete = %+v", gone)
	}
	until(t, func() string {
		if _, there := h.handle.Child("office/extra"); there {
			return "it is still there"
		}
		return ""
	})
}

func TestRequestsObeyTheRulesOfFilesAndAreKeptOnlyWhenTheyAreAccepted(t *testing.T) {
	h := open(t, office)
	_, err := h.Put(t.Context(), "a", []byte("name: a\ncommand: [x]\ndependencies: [b]\n"), control.Command{})
	must(t, err)

	_, err = h.Put(t.Context(), "b", []byte("name: b\ncommand: [x]\ndependencies: [a]\n"), control.Command{})

	if codeOf(err) != control.CodeInvalid || !strings.Contains(err.Error(), "a → b → a") {
		t.Errorf("a cycle: %v, want a refusal that names it", err)
	}
	if _, there := h.handle.Child("b"); there {
		t.Error("what was refused is there")
	}
	if _, kept := h.store.Get("b"); kept {
		t.Error("the body of what was refused is kept")
	}
	if e, ok := h.source.Current().Get("a"); !ok || !e.Origin.ByRequest {
		t.Errorf("a = %+v; want it to be declared once its put is answered", e)
	}

	h.write("manifests/b.yaml", "name: b\ncommand: [x]\ndependencies: [a]\n") // now the file closes the circle
	until(t, func() string {
		for _, p := range h.source.Current().Problems {
			if strings.Contains(p.Reason, "form a circle") {
				return ""
			}
		}
		return "nobody says so"
	})
}

func TestADeletedRequestIsNotBroughtBackByAPass(t *testing.T) {
	h := open(t, office)
	_, err := h.Put(t.Context(), "extra", []byte("name: extra\ncommand: [x]\n"), control.Command{})
	must(t, err)

	_, err = h.Delete(t.Context(), "extra", control.Command{})
	must(t, err)
	_, err = h.Reconcile(t.Context(), control.ReconcileRequest{})
	must(t, err)

	until(t, func() string {
		if _, there := h.handle.Child("extra"); there {
			return "it is still there"
		}
		return ""
	})
	pass, err := h.Reconcile(t.Context(), control.ReconcileRequest{})
	must(t, err)
	if n := pass.Reconcile.Actions["add"]; n != 0 || len(h.store.All()) > 0 {
		t.Errorf("a pass adds %d; kept are %v", n, h.store.All())
	}
}

func TestWhatAFileDeclaresIsChangedThere(t *testing.T) {
	h := open(t, office)

	_, err := h.Put(t.Context(), "web", []byte("name: web\ncommand: [other]\n"), control.Command{})
	if codeOf(err) != control.CodeDeclaredByManifest || !strings.Contains(err.Error(), "web.yaml") {
		t.Errorf("put = %v, want a refusal that names the file", err)
	}
	_, err = h.Delete(t.Context(), "office/worker", control.Command{})
	if codeOf(err) != control.CodeDeclaredByManifest || !strings.Contains(err.Error(), "remove the file") {
		t.Errorf("delete = %v, want a refusal and the way out", err)
	}
	if _, err = h.Put(t.Context(), "office", []byte("name: office\ncommand: [x]\n"), control.Command{}); codeOf(err) != control.CodeDeclaredByManifest {
		t.Errorf("put in the place of a folder = %v", err)
	}
}

func TestBadManifestsAreRefusedWithTheirPlace(t *testing.T) {
	h := open(t, office)
	for id, row := range map[string]struct{ body, refusal, says string }{
		"a":            {"name: a\ncomand: [x]\n", "invalid comand", "line 2, column 1"},
		"b":            {"name: c\n", "invalid name", "must be the same"},
		"c":            {"name: c\n---\nname: d\n", "invalid", "2 documents"},
		"d":            {"", "invalid", "declares nothing"},
		"e":            {"name: e\nkind: supervisor\n", "invalid kind", "a file in its folder"},
		"f/g":          {"name: g\n", "invalid", "no folder of the manifests"},
		"WEB":          {"name: WEB\n", "invalid name", "by case only"},
		"reconciler":   {"name: reconciler\n", "invalid name", "reserved"},
		"a/../b":       {"name: b\n", "not_found", ""},
		"h%20i":        {"name: h\n", "invalid name", "must begin"},
		"office/x/y":   {"name: y\n", "invalid", "no folder of the manifests"},
		"i":            {"name: i\ndependencies: [i]\n", "invalid dependencies[0]", "itself"},
		"j?reason=%20": {"name: j\n", "invalid", "reason is blank"},
		"k?force":      {"name: k\n", "invalid force", "no parameter"},
	} {
		got := h.ask("PUT", "/v1/children/"+id, row.body)

		if got.refusal() != row.refusal || !strings.Contains(got.body, row.says) {
			t.Errorf("PUT %s = %d %s; want %s and %q", id, got.code, got.body, row.refusal, row.says)
		}
	}
	if n := len(h.handle.Children()); n != 4 {
		t.Errorf("there are %d children, want the four of the manifests", n)
	}
}
