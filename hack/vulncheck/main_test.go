package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

const stream = `{"config":{"protocol_version":"v1.0.0"}}
{"osv":{"id":"GO-1","summary":"a hole"}}
{"osv":{"id":"GO-2","summary":"a crack"}}
{"finding":{"osv":"GO-1","fixed_version":"v1.2.0","trace":[{"module":"example.com/m","version":"v1.1.0"}]}}
{"finding":{"osv":"GO-1","fixed_version":"v1.2.0","trace":[{"module":"example.com/m","version":"v1.1.0","package":"example.com/m"}]}}
`

func TestWhatIsCalledInAModuleIsOursAndTheLibraryIsOfTheGoThatBuilds(t *testing.T) {
	const (
		called  = `{"finding":{"osv":"GO-1","fixed_version":"v1.2.0","trace":[{"module":"example.com/m","version":"v1.1.0","package":"example.com/m","function":"F"},{"module":"ours"}]}}` + "\n"
		library = `{"finding":{"osv":"GO-2","trace":[{"module":"stdlib","version":"v1.26.0","package":"net/http","function":"Do"}]}}` + "\n"
	)
	for name, row := range map[string]struct{ stream, modules, library string }{
		"nothing is called":     {stream, "", ""},
		"a module, twice":       {stream + called + called, "GO-1 in example.com/m v1.1.0, mended in v1.2.0: a hole", ""},
		"the library":           {stream + library, "", "GO-2 in net/http v1.26.0, not mended yet: a crack"},
		"a module and the libr": {stream + library + called, "GO-1 in example.com/m v1.1.0, mended in v1.2.0: a hole", "GO-2 in net/http v1.26.0, not mended yet: a crack"},
	} {
		modules, library, err := judge(strings.NewReader(row.stream))

		if err != nil || strings.Join(modules, "\n") != row.modules || strings.Join(library, "\n") != row.library {
			t.Errorf("%s: modules %q, library %q, %v; want %q and %q", name, modules, library, err, row.modules, row.library)
		}
	}
}

func TestASilentScannerIsNoCleanBill(t *testing.T) {
	for _, text := range []string{"", "{}", "not json", stream + "{"} {
		if _, _, err := judge(strings.NewReader(text)); err == nil {
			t.Errorf("%q is taken for an answer", text)
		}
	}
}

// TestAKnownVulnerabilityThatIsCalledIsFound runs the real scanner on a module that
// calls what a report, such as golang.org/x/vulndb has, says to be bad.
func TestAKnownVulnerabilityThatIsCalledIsFound(t *testing.T) {
	a, err := txtar.ParseFile("testdata/called.txtar")
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	for _, f := range a.Files {
		path := filepath.Join(root, f.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	db := fileURL(filepath.Join(root, "osv"))

	got, err := scan(t.Context(), root, db)

	if err != nil {
		t.Fatal(err)
	}
	modules, library, err := judge(got)
	if err != nil || len(modules) != 0 || len(library) != 1 || !strings.HasPrefix(library[0], "GO-2026-0001 in strings v1.") {
		t.Errorf("found %q and %q, %v; want GO-2026-0001", modules, library, err)
	}
}
