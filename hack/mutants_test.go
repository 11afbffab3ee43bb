package hack

import (
	"go/ast"
	"path"
	"strings"
	"testing"

	"github.com/reconciler-dev/reconciler/hack/internal/mutants"
)

// TestEveryMutantFitsTheCode sees rows that no longer say what is in the code before
// hack/mutants, which takes minutes, does.
func TestEveryMutantFitsTheCode(t *testing.T) {
	rows, err := mutants.Load("..")
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]bool{}
	for _, s := range ourSources(t) {
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && s.isTest() {
				tests["./"+path.Dir(s.name)+" "+f.Name.Name] = true
			}
		}
	}
	for _, r := range rows {
		if err := r.Check(".."); err != nil {
			t.Error(err)
		}
		for _, test := range r.Tests {
			name, _, _ := strings.Cut(test.Name, "/")
			if !tests[test.Package+" "+name] {
				t.Errorf("%s: there is no %s", r.ID(), test)
			}
		}
	}
	if len(rows) == 0 {
		t.Error("the table is empty")
	}
}
