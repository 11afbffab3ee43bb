package runtime

import (
	"os"
	"strings"
	"testing"
)

// The page about embedding shows code that is compiled and run.
func TestTheCodeOfThePageAboutEmbeddingIsThatOfTheExamples(t *testing.T) {
	page, err := os.ReadFile("../../docs/embedding.md")
	if err != nil {
		t.Fatal(err)
	}
	var examples string
	for _, file := range []string{"example_test.go", "example_linux_test.go"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		examples += string(text)
	}
	blocks := strings.Split(string(page), "```go\n")[1:]
	if len(blocks) < 8 {
		t.Fatalf("the page has %d blocks of code; want the walk through", len(blocks))
	}

	for _, block := range blocks {
		code, _, closed := strings.Cut(block, "```\n")
		if !closed || !strings.Contains(examples, "\n"+code) {
			t.Errorf("this is in no example, or indented otherwise:\n%s", code)
		}
	}
}
