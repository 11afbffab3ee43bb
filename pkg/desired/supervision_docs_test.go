package desired

import (
	"os"
	"strings"
	"testing"
)

// TestExamplesOfTheSupervisionPageAreValid: each block of YAML on the page is a
// directory, a file for each document, named in its first line.
func TestExamplesOfTheSupervisionPageAreValid(t *testing.T) {
	page, err := os.ReadFile("../../docs/supervision.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(page), "```yaml\n")[1:]
	if len(blocks) < 5 {
		t.Fatalf("%d examples; want one for each chapter", len(blocks))
	}
	for _, block := range blocks {
		block, _, _ = strings.Cut(block, "```")
		files := map[string]string{}
		for _, document := range strings.Split(block, "---\n") {
			name, text, _ := strings.Cut(document, "\n")
			files[strings.TrimPrefix(name, "# ")] = text
		}

		set := Merge(nil, seenOf(files), Policy{})

		if len(set.Problems) > 0 {
			t.Errorf("problems of\n%s: %v", block, set.Problems)
		}
		for _, e := range set.Entries {
			if fields := e.Spec.NotEnforced(); len(fields) > 0 {
				t.Errorf("%s has fields that nothing acts on: %v", e.ID, fields)
			}
		}
	}
}
