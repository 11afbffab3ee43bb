package mutants

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

// tree writes the module of testdata/module.txtar, committed.
func tree(t *testing.T) string {
	t.Helper()
	a, err := txtar.ParseFile("testdata/module.txtar")
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	for _, f := range a.Files {
		write(t, filepath.Join(root, f.Name), string(f.Data))
	}
	command(t, root, "init", "-q")
	commit(t, root)
	return root
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func command(t *testing.T, root string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", append([]string{"-C", root, "-c", "user.name=test", "-c", "user.email=test@example.com"}, args...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
}

func commit(t *testing.T, root string) {
	t.Helper()
	command(t, root, "add", "-A")
	command(t, root, "commit", "-q", "-m", "as it is")
}

func load(t *testing.T, root string) []Row {
	t.Helper()
	rows, err := Load(root)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestEachRowIsJudgedByItsNamedTests(t *testing.T) {
	root := tree(t)
	rows := load(t, root)
	got, why := map[string]Verdict{}, map[string]string{}

	err := Run(t.Context(), root, rows, 2, func(r Result) { got[r.Row.ID()], why[r.Row.ID()] = r.Verdict, r.Why })

	if err != nil {
		t.Fatal(err)
	}
	want := map[string]Verdict{
		"calc/red": Red, "calc/red-by-subtest": Red, "calc/red-in-two-packages": Red, "calc/panics-before-the-second": Red,
		"calc/red-by-a-program-that-a-test-builds": Red,
		"calc/nobody-looks":                        Survived, "calc/one-of-two-looks": Survived,
		"calc/variable-is-unused": NoBuild, "calc/text-is-gone": Stale, "calc/text-is-twice": Stale, "calc/file-is-gone": Stale,
		"calc/no-such-test": Broken, "calc/red-already": Broken, "calc/is-skipped-without-the-mending": Broken, "calc/is-skipped": Skipped, "more/other": Red,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("verdicts (-want +got):\n%s\nreasons: %v", diff, why)
	}
	if out, err := exec.CommandContext(t.Context(), "git", "-C", root, "status", "--porcelain").Output(); err != nil || len(out) > 0 {
		t.Errorf("the tree itself was changed: %s %v", out, err)
	}
}

func TestOnlyRowsThatMayHaveLostTheirGuardCountAsChanged(t *testing.T) {
	for name, row := range map[string]struct {
		change func(t *testing.T, root string)
		want   []string
	}{
		"nothing": {func(*testing.T, string) {}, nil},
		"a file beside the one of the row": {
			func(t *testing.T, root string) { write(t, filepath.Join(root, "other/new.go"), "package other\n") },
			[]string{"calc/red-in-two-packages", "more/other"},
		},
		"a page":         {func(t *testing.T, root string) { write(t, filepath.Join(root, "other/README.md"), "hello\n") }, nil},
		"a deleted file": {func(t *testing.T, root string) { command(t, root, "rm", "-q", "other/other_test.go") }, []string{"calc/red-in-two-packages", "more/other"}},
		"the row itself": {
			func(t *testing.T, root string) {
				path := filepath.Join(root, Dir, "more.yaml")
				text, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				write(t, path, strings.Replace(string(text), "return 2", "return 3", 1))
			},
			[]string{"more/other"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			root := tree(t)
			row.change(t, root)

			changed, err := Changed(t.Context(), root, "HEAD", load(t, root))

			var got []string
			for _, r := range changed {
				got = append(got, r.ID())
			}
			if err != nil || !slices.Equal(got, row.want) {
				t.Errorf("changed rows: %v, %v; want %v", got, err, row.want)
			}
		})
	}
}

func TestTheTableRefusesRowsThatProveNothing(t *testing.T) {
	const good = "- {name: a, file: a.go, text: x, before: y, tests: [./a TestA]}\n"
	for text, want := range map[string]string{
		good:        "",
		"":          "",
		good + good: `two rows are called "a"`,
		"- {name: a, file: a.go, text: x, before: x, tests: [./a TestA]}": "changes nothing",
		"- {name: a, file: a.go, text: x, before: y}":                     "tests must be there",
		"- {name: a, file: a.go, before: y, tests: [./a TestA]}":          "text",
		"- {name: a, file: ../a.go, text: x, tests: [./a TestA]}":         "not a path inside",
		"- {name: a, file: a.go, text: x, tests: [TestA]}":                "a test is written",
		"- name: a\n  text: |\n    \tx\n":                                 "is written |2",
		"- {name: a, file: a.go, txt: x, tests: [./a TestA]}":             "txt",
	} {
		_, err := parse("area", []byte(text))

		if (want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func TestThePatternTakesTheNamedTestsAndNoOthersOfTheirLevel(t *testing.T) {
	for want, names := range map[string][]string{
		"^(TestA)$":                {"TestA"},
		"^(TestA|TestB)$":          {"TestA", "TestB"},
		`^(TestA)$/^(with\.dot)$`:  {"TestA/with.dot"},
		"^(TestA|TestB)$ ":         {"TestA/x", "TestB"},
		"^(TestA|TestB)$/^(x|y)$":  {"TestA/x", "TestB/y"},
		"^(TestA)$/^(x|y)$/^(z)$ ": {"TestA/x/z", "TestA/y/z"},
	} {
		if got := pattern(names); got != strings.TrimSpace(want) {
			t.Errorf("pattern(%q) = %q, want %q", names, got, want)
		}
	}
}
