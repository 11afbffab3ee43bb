package hack

import (
	"go/ast"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
)

var promiseRow = regexp.MustCompile(`(?m)^\| (.*) \| (.*) \| (.*) \| (.*) \|$`)

// TestEveryPromiseOfTheSecurityPageIsKeptByATestThatExists keeps its table
// true, and whole: each attack is told there.
func TestEveryPromiseOfTheSecurityPageIsKeptByATestThatExists(t *testing.T) {
	page, err := os.ReadFile("../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(page), "## What holds it")
	rows := promiseRow.FindAllStringSubmatch(table, -1)
	if !found || len(rows) < 10 {
		t.Fatalf("the table of docs/security.md has %d rows", len(rows))
	}
	known, attacks := namesOfTests(t), attacks(t)
	for _, row := range rows[1:] { // without its head
		promise, tests := row[1], testName.FindAllStringSubmatch(row[4], -1)
		if len(tests) == 0 {
			t.Errorf("%q is kept by no test", promise)
		}
		for _, name := range tests {
			if !known[name[1]] {
				t.Errorf("%q: there is no test %s", promise, name[1])
			}
			delete(attacks, name[1])
		}
	}
	for name := range attacks {
		t.Errorf("the page does not say what %s is about", name)
	}
}

// attacks are the tests of hack/attacks, but for the one of the harness itself.
func attacks(t *testing.T) map[string]bool {
	names := map[string]bool{}
	for _, s := range ourSources(t) {
		if path.Dir(s.name) != "hack/attacks" {
			continue
		}
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && strings.HasPrefix(f.Name.Name, "Test") && f.Name.Name != "TestMain" {
				names[f.Name.Name] = true
			}
		}
	}
	delete(names, "TestTheHarnessPlaysAttacksThatCanSucceed")
	if len(names) == 0 {
		t.Error("there are no attacks")
	}
	return names
}
