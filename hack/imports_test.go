// Package hack holds the scripts of developers and the tests of our own rules:
// who may import whom, and what pure code may not touch.
package hack

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestImportsGoDownTheFloors(t *testing.T) {
	for _, system := range []string{"linux", "darwin"} {
		for _, breach := range breaches(listPackages(t, system)) {
			t.Errorf("%s: %s", system, breach)
		}
	}
}

func TestPureCodeTouchesNothing(t *testing.T) {
	pure := 0
	for _, s := range ourSources(t) {
		if !isPure(s.name) {
			continue
		}
		pure++
		for _, breach := range impurities(s) {
			t.Error(breach)
		}
	}
	if pure < 10 {
		t.Errorf("only %d pure files were found; the table of pure packages is out of date", pure)
	}
}

func TestSignalsAreSentFromOneFile(t *testing.T) {
	for _, breach := range strayKills(ourSources(t)) {
		t.Error(breach)
	}
}

func TestNoTestSleeps(t *testing.T) {
	for _, s := range ourSources(t) {
		if s.isTest() {
			for _, breach := range sleeps(s) {
				t.Error(breach)
			}
		}
	}
}

func TestEveryPackageSaysItsIdea(t *testing.T) {
	for _, breach := range undocumented(ourSources(t)) {
		t.Error(breach)
	}
}

func TestBrokenFloorsAreFound(t *testing.T) {
	const m = module + "/"
	for name, row := range map[string]struct {
		pkg  pkg
		want []string
	}{
		"child imports one of ours": {
			pkg{m + "pkg/runtime/child", []string{"time", m + "pkg/runtime/machine"}},
			[]string{"pkg/runtime/child imports " + m + "pkg/runtime/machine: that is not on a floor below"},
		},
		"machine imports os": {
			pkg{m + "pkg/runtime/machine", []string{"os", m + "pkg/runtime/child"}},
			[]string{"pkg/runtime/machine imports os: the package is pure"},
		},
		"runtime imports desired": {
			pkg{m + "pkg/runtime", []string{m + "pkg/desired"}},
			[]string{"pkg/runtime imports " + m + "pkg/desired: that is not on a floor below"},
		},
		"status imports runtime": {
			pkg{m + "pkg/status", []string{m + "pkg/runtime", m + "pkg/desired"}},
			[]string{"pkg/status imports " + m + "pkg/runtime: that is not on a floor below"},
		},
		"the shim imports logr": {
			pkg{m + "pkg/runtime/shim", []string{"os", "golang.org/x/sys/unix", logr}},
			[]string{"pkg/runtime/shim imports " + logr + ": the module is not for this floor"},
		},
		"reconcile imports YAML": {
			pkg{m + "pkg/reconcile", []string{"sigs.k8s.io/yaml"}},
			[]string{"pkg/reconcile imports sigs.k8s.io/yaml: the module is not for this floor"},
		},
		"zapr outside the command": {
			pkg{m + "pkg/desired", []string{"github.com/go-logr/zapr", logr}},
			[]string{"pkg/desired imports github.com/go-logr/zapr: the module is not for this floor"},
		},
		"the command watches files": {
			pkg{m + "cmd/reconciler", []string{fsnotify, "github.com/go-logr/zapr"}},
			[]string{"cmd/reconciler imports " + fsnotify + ": only pkg/desired may"},
		},
		"a module whose name begins like an allowed one": {
			pkg{m + "pkg/status", []string{logr + "x"}},
			[]string{"pkg/status imports " + logr + "x: the module is not for this floor"},
		},
		"a package without a floor": {
			pkg{m + "pkg/util", nil},
			[]string{"pkg/util: has no floor; give it a line in floors_test.go"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := breaches([]pkg{row.pkg})

			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("breaches of %+v (-want +got):\n%s", row.pkg, diff)
			}
		})
	}
}

func TestBrokenSourcesAreFound(t *testing.T) {
	one := func(check func(source) []string) func([]source) []string {
		return func(s []source) []string { return check(s[0]) }
	}
	for name, row := range map[string]struct {
		files []string
		check func([]source) []string
		want  []string
	}{
		"pure code that touches the world": {
			[]string{"pkg/desired/decode.go"}, one(impurities),
			[]string{
				"pkg/desired/decode.go:4: pure code imports context",
				"pkg/desired/decode.go:5: pure code imports os",
				"pkg/desired/decode.go:6: pure code imports sync",
				"pkg/desired/decode.go:11: pure code starts a goroutine",
				"pkg/desired/decode.go:12: pure code reads the clock with time.Now",
				"pkg/desired/decode.go:13: pure code reads the clock with time.Since",
			},
		},
		"a test that sleeps": {
			[]string{"pkg/desired/sleepy_test.go"}, one(sleeps),
			[]string{"pkg/desired/sleepy_test.go:9: a test sleeps; use testing/synctest or wait for a condition"},
		},
		"a test that sleeps in a bubble":    {[]string{"pkg/desired/bubble_test.go"}, one(sleeps), nil},
		"signals from the file for them":    {[]string{"pkg/runtime/shim/signal.go"}, strayKills, nil},
		"signals from a second file":        {[]string{"pkg/runtime/shim/signal.go", "pkg/runtime/shim/stray.go"}, strayKills, []string{"pkg/runtime/shim/stray.go:9: sends a signal", "pkg/runtime/shim/stray.go:10: sends a signal"}},
		"signals from a package without it": {[]string{"pkg/status/stray.go"}, strayKills, []string{"pkg/status/stray.go:6: sends a signal"}},
		"a package without doc.go":          {[]string{"pkg/status/stray.go"}, undocumented, []string{"pkg/status/: the package has no doc.go that says its one idea"}},
		"a doc.go that says nothing":        {[]string{"pkg/mute/doc.go"}, undocumented, []string{"pkg/mute/: the package has no doc.go that says its one idea"}},
	} {
		t.Run(name, func(t *testing.T) {
			var sources []source
			for _, file := range row.files {
				sources = append(sources, fixture(t, file))
			}

			got := row.check(sources)

			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("what the check finds in %s (-want +got):\n%s", row.files, diff)
			}
		})
	}
}

func TestPurityGoesByPackageOrByFile(t *testing.T) {
	for name, want := range map[string]bool{
		"pkg/runtime/machine/anything.go":     true,
		"pkg/runtime/machine/machine_test.go": false,
		"pkg/desired/validate_probe.go":       true,
		"pkg/desired/source.go":               false,
		"pkg/reconcile/plan.go":               true,
		"pkg/runtime/plan.go":                 false,
	} {
		if got := isPure(name); got != want {
			t.Errorf("isPure(%q) = %v, want %v", name, got, want)
		}
	}
}

// listPackages asks go list for our packages as they are built for a system. A
// package that does not compile is listed too: the compiler reports that.
func listPackages(t *testing.T, system string) []pkg {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-json=ImportPath,Imports", "./...")
	cmd.Dir = ".."
	cmd.Env = append(os.Environ(), "GOOS="+system, "CGO_ENABLED=0")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	var pkgs []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("read the output of go list: %v", err)
		}
		pkgs = append(pkgs, p)
	}
	if len(pkgs) < 5 {
		t.Fatalf("go list names %d packages; want all of ours", len(pkgs))
	}
	return pkgs
}

// ourSources parses all Go files of the module, without fixtures.
func ourSources(t *testing.T) []source {
	t.Helper()
	var sources []source
	for _, top := range []string{"cmd", "docs", "pkg", "internal", "hack"} {
		err := filepath.WalkDir(filepath.Join("..", top), func(file string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && d.Name() == "testdata":
				return fs.SkipDir
			case d.IsDir() || filepath.Ext(file) != ".go":
				return nil
			}
			text, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			s, err := parse(filepath.ToSlash(strings.TrimPrefix(file, ".."+string(filepath.Separator))), text)
			sources = append(sources, s)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return sources
}

// fixture parses a file of testdata as if it stood in the module.
func fixture(t *testing.T, name string) source {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	s, err := parse(name, text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
