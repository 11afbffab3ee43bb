package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

func TestEveryVerbHasAManPageWithItsExamples(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "man1")

	got := runProgram(t.Context(), Options{Version: "v0"}, "docs", "man", dir)

	if got.Code != 0 {
		t.Fatalf("docs man: %+v", got)
	}
	for _, verb := range New(Options{}).Commands() {
		page, err := os.ReadFile(filepath.Join(dir, "reconciler-"+verb.Name()+".1"))
		switch {
		case verb.Hidden && err == nil:
			t.Errorf("the hidden verb %s has a page", verb.Name())
		case verb.Hidden:
		case err != nil || !strings.HasPrefix(string(page), ".nh") || !strings.Contains(string(page), ".SH EXAMPLE"):
			t.Errorf("the page of %s: %v\n%s", verb.Name(), err, page)
		}
	}
}

// BenchmarkGet prints a thousand children from their status files; as a measure, the
// same files are read and nothing is made of them.
func BenchmarkGet(b *testing.B) {
	const children = 1000
	dir := b.TempDir()
	w := &world{t: &testing.T{}, dirs: Dirs{filepath.Join(dir, "manifests"), filepath.Join(dir, "status"), filepath.Join(dir, "state")}}
	w.opts = newWorldOptions()
	w.runtime(nil)
	for i := range children {
		w.child(child.ID(fmt.Sprintf("c%04d", i)), nil)
	}
	for _, output := range []string{"table", "json"} {
		b.Run(output, func(b *testing.B) {
			for b.Loop() {
				args := []string{"get", "-o", output, "--status", w.dirs.Status}
				if got := runProgram(b.Context(), w.opts, args...); got.Code != 0 || len(got.Out) < children*10 {
					b.Fatalf("get: code %d, %d bytes: %s", got.Code, len(got.Out), got.Err)
				}
			}
		})
	}
	b.Run("bare reads", func(b *testing.B) {
		for b.Loop() {
			for i := range children {
				if _, err := os.ReadFile(filepath.Join(w.dirs.Status, fmt.Sprintf("c%04d.json", i))); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}
