package hack

import (
	"go/ast"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// scenarioNumbers are those of the scenarios in docs/semantics.md; the list that
// they come from has holes.
var scenarioNumbers = []int{
	1, 2, 3, 4, 5, 6, 9, 11, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 24, 25, 26, 27, 28, 30, 31, 32, 33, 34, 35, 36, 37, 39,
	40, 41, 42, 43, 44, 46, 48, 50, 51, 52, 53, 54, 55, 56, 57, 60, 64, 65, 66, 67, 68, 69, 70, 71, 73, 75, 76, 77, 78, 79,
	82, 84, 85, 86, 87, 89, 90, 91, 92, 97, 99, 100, 102, 105, 106, 107, 108, 111, 112, 113, 114, 115,
}

var (
	scenarioRow = regexp.MustCompile(`(?m)^\| (\d+) \| (.*) \| (.*) \|$`)
	testName    = regexp.MustCompile("`([A-Za-z0-9_]+)`")
)

// TestEveryScenarioIsToldByATestThatExists keeps the index of docs/semantics.md true.
func TestEveryScenarioIsToldByATestThatExists(t *testing.T) {
	page, err := os.ReadFile("../docs/semantics.md")
	if err != nil {
		t.Fatal(err)
	}
	known := namesOfTests(t)
	var numbers []int
	for _, row := range scenarioRow.FindAllStringSubmatch(string(page), -1) {
		n, _ := strconv.Atoi(row[1])
		numbers = append(numbers, n)
		told := row[3]
		tests, differs, _ := strings.Cut(told, "differs: ")
		named := testName.FindAllStringSubmatch(tests, -1)
		if len(named) == 0 && differs == "" {
			t.Errorf("scenario %d is told by no test, and there is no reason why: %q", n, told)
		}
		for _, name := range named {
			if !known[name[1]] {
				t.Errorf("scenario %d: there is no test, benchmark or script %s", n, name[1])
			}
		}
	}
	if !slices.Equal(numbers, scenarioNumbers) {
		t.Errorf("the page lists the scenarios %v,\nwant %v", numbers, scenarioNumbers)
	}
}

// namesOfTests are all tests, benchmarks and scripts of the module.
func namesOfTests(t *testing.T) map[string]bool {
	names := map[string]bool{}
	for _, s := range ourSources(t) {
		if !s.isTest() {
			continue
		}
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil {
				names[f.Name.Name] = true
			}
		}
	}
	scripts, err := filepath.Glob("../cmd/reconciler/testdata/script/*.txtar")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, s := range scripts {
		names[strings.TrimSuffix(filepath.Base(s), ".txtar")] = true
	}
	return names
}
