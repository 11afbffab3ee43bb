package hack

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

var promiseRow = regexp.MustCompile(`(?m)^\| (.*) \| (.*) \| (.*) \| (.*) \|$`)

// TestEveryPromiseOfTheSecurityPageIsKeptByATestThatExists keeps its table true.
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
	known := namesOfTests(t)
	for _, row := range rows[1:] { // without its head
		promise, tests := row[1], testName.FindAllStringSubmatch(row[4], -1)
		if len(tests) == 0 {
			t.Errorf("%q is kept by no test", promise)
		}
		for _, name := range tests {
			if !known[name[1]] {
				t.Errorf("%q: there is no test %s", promise, name[1])
			}
		}
	}
}
