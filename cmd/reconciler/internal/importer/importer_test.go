package importer

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reconciler-dev/reconciler/pkg/desired"
)

var update = flag.Bool("update", false, "write the golden files anew")

// sampleFiles are the files of one format, as if they stood in /srv/shop.
func sampleFiles(t testing.TB, format string) []File {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join("testdata", format))
	if err != nil {
		t.Fatal(err)
	}
	var files []File
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join("testdata", format, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, File{Name: "/srv/shop/" + e.Name(), Text: text})
	}
	return files
}

// shown is a result as one text.
func shown(t *testing.T, r *Result) string {
	t.Helper()
	var b strings.Builder
	for _, m := range r.Manifests {
		text, err := m.Render()
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "== %s\n%s", m.File(), text)
	}
	b.WriteString("== notes\n")
	for _, n := range r.Notes {
		fmt.Fprintln(&b, n)
	}
	return b.String()
}

// problems are what validate says of the manifests of a result.
func problems(t *testing.T, r *Result) []desired.Problem {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "manifests")
	if err := r.WriteTo(dir); err != nil {
		t.Fatal(err)
	}
	set, err := desired.Look(desired.Options{Root: dir, AllowEmpty: true, AnyOwner: true})
	if err != nil {
		t.Fatal(err)
	}
	return set.Problems
}

func TestEachFormatBecomesManifestsThatPassValidateAndNotes(t *testing.T) {
	for _, format := range Formats() {
		t.Run(format, func(t *testing.T) {
			files := sampleFiles(t, format)

			r, err := Import(format, files)

			if err != nil {
				t.Fatal(err)
			}
			if p := problems(t, r); len(p) > 0 || len(r.Manifests) == 0 {
				t.Errorf("%d manifests with problems %v; want some without", len(r.Manifests), p)
			}
			compareGolden(t, format, shown(t, r))
		})
	}
}

func compareGolden(t *testing.T, name, got string) {
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

func TestWhatIsNotOfTheFormatIsAnErrorThatNamesTheFile(t *testing.T) {
	for name, row := range map[string]struct {
		format, text, want string
	}{
		"no format of that name":    {"runit", "", "there is no such format; want compose, pebble"},
		"a Procfile without a name": {"procfile", "bundle exec puma\n", `line 1 is not "name: command"`},
		"an empty Procfile":         {"procfile", "# nothing\n", "it declares no process"},
		"a list as compose":         {"compose", "- web\n", "want a mapping"},
		"a broken YAML":             {"process-compose", "processes: [", "read x: "},
		"compose of something else": {"compose", "web: ./web", "it has no services"},
		"processes of nobody":       {"process-compose", "web: ./web", "it has no processes"},
		"a layer that is unclear":   {"pebble", "services: {web: {command: x}}", "services.web: override: want merge or replace"},
		"a broken ini":              {"supervisord", "[program:web\n", "read x: "},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Import(row.format, []File{{Name: "x", Text: []byte(row.text)}})

			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("error = %v; want one with %q", err, row.want)
			}
		})
	}
}

func TestNamesBecomeThoseOfManifestsAndStayDifferent(t *testing.T) {
	const long = "a-name-that-is-much-longer-than-the-sixty-three-characters-a-name-may-have"
	text := fmt.Sprintf("services:\n  my.app: {command: a, depends_on: [%s, 'ünï']}\n  my-app: {command: b}\n  My-App: {command: c}\n  9lives: {command: d}\n  reconciler: {command: e}\n  %s: {command: f}\n  ünï: {command: g}\n", long, long)

	r, err := Import("compose", []File{{Name: "x.yaml", Text: []byte(text)}})

	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, m := range r.Manifests {
		names = append(names, m.Name)
		if m.Name == "my-app-3" && (len(m.Dependencies) != 2 || m.Dependencies[0].Name != long[:63]) {
			t.Errorf("dependencies of my.app are %v; want the new names", m.Dependencies)
		}
	}
	want := []string{"My-App", "_-n", "_9lives", long[:63], "my-app-2", "my-app-3", "reconciler-2"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	if p := problems(t, r); len(p) > 0 {
		t.Errorf("problems: %v", p)
	}
}

func TestAFieldThatIsOutOfRangeIsLeftOutWithANote(t *testing.T) {
	text := "services:\n  web:\n    command: web\n    stop_signal: SIGNONSENSE\n    working_dir: \"a\\0b\"\n    environment: {'a b': c}\n"

	r, err := Import("compose", []File{{Name: "x.yaml", Text: []byte(text)}})

	if err != nil || len(r.Manifests) != 1 {
		t.Fatalf("%v, %v", r, err)
	}
	got := shown(t, r)
	for _, want := range []string{"shutdown: it was left out: ", "working_dir: it was left out: ", "environment: it was left out: "} {
		if !strings.Contains(got, "#   "+want) {
			t.Errorf("the note %q is missing in:\n%s", want, got)
		}
	}
}

func TestACircleOfDependenciesIsLeftOut(t *testing.T) {
	text := "services:\n  a: {command: a, depends_on: [b]}\n  b: {command: b, depends_on: [a]}\n  c: {command: c}\n"

	r, err := Import("compose", []File{{Name: "x.yaml", Text: []byte(text)}})

	if err != nil {
		t.Fatal(err)
	}
	if p := problems(t, r); len(p) > 0 || !slices.ContainsFunc(r.Manifests, func(m *Manifest) bool { return m.Name == "c" }) {
		t.Errorf("%d manifests, problems %v; want none, and c untouched", len(r.Manifests), p)
	}
}

func TestValuesOfEnvironmentFilesAreNotCopied(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "secrets.env"), []byte("API_TOKEN=hush-hush\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	text := "services: {web: {command: web, env_file: secrets.env}}"

	r, err := Import("compose", []File{{Name: filepath.Join(dir, "compose.yaml"), Text: []byte(text)}})

	if err != nil {
		t.Fatal(err)
	}
	got := shown(t, r)
	if strings.Contains(got, "hush-hush") || !strings.Contains(got, "secrets.env: its values were not copied") {
		t.Errorf("want the file named and said, not its value:\n%s", got)
	}
}

func TestNothingIsOverwritten(t *testing.T) {
	dir := t.TempDir()
	r, err := Import("procfile", []File{{Name: "/srv/Procfile", Text: []byte("web: ./web\napi: ./api\n")}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "web.yaml"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}

	err = r.WriteTo(dir)

	if err == nil || !strings.Contains(err.Error(), "web.yaml exists already") {
		t.Errorf("error = %v; want that web.yaml exists", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "api.yaml")); err == nil {
		t.Error("api.yaml was written; want nothing where one file exists")
	}
}

func TestSignalsAreNamedAsManifestsNameThem(t *testing.T) {
	for written, want := range map[string]string{
		"term": "SIGTERM", "SIGQUIT": "SIGQUIT", "15": "SIGTERM", "RTMIN+3": "SIGRTMIN+3", "sigrtmax-1": "SIGRTMAX-1", "37": "SIGRTMIN+3",
	} {
		if got := signalName(written); got != want {
			t.Errorf("signalName(%q) = %q, want %q", written, got, want)
		}
	}
}
