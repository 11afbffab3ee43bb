package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func checked(t *testing.T, name, source string) map[string]*types.Package {
	t.Helper()
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "x.go", "package x\n"+source, 0)
	if err != nil {
		t.Fatal(err)
	}
	p, err := new(types.Config).Check(module+name, fset, []*ast.File{file}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]*types.Package{name: p}
}

func TestABreakOfTheAPIIsFoundAndWantsItsLine(t *testing.T) {
	old := checked(t, "pkg/x", "type C struct{ A int }; func (*C) Put(int) {}; func Gone() {}; type I interface{ M() }; func kept() {}")
	now := checked(t, "pkg/x", "type C struct{ A, B int }; func (*C) Put(string) {}; func New() {}; type I interface{ M(); N() }")
	other := checked(t, "pkg/y", "")
	const heads = "# Changelog\n\n## Unreleased\n\n### Changed\n\n"
	for name, row := range map[string]struct {
		changelog string
		want      []string
	}{
		"nothing is told": {heads, []string{"C.Put", "Gone", "I.N"}},
		"all in one entry, over two lines": {
			heads + "- In Go: `pkg/x`: `C.Put` takes text,\n  `I.N` is new and `Gone` is gone.\n", nil,
		},
		"one of another package": {
			heads + "- `pkg/x` `C.Put`, `I.N`\n- `pkg/y` lost `Gone`\n", []string{"Gone"},
		},
		"one of an earlier release": {
			heads + "- `pkg/x` `C.Put`, `I.N`\n\n## 1.0\n\n- `pkg/x` `Gone`\n", []string{"Gone"},
		},
		"words that only look like it": {
			heads + "- pkg/x C.Put, `I.N`\n- `pkg/x` `Gone` `C`\n", []string{"C.Put", "I.N"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			all := breaks(old, now)

			var got []string
			for _, b := range untold(all, row.changelog) {
				got = append(got, b.symbol)
			}

			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("untold (-want +got):\n%s", diff)
			}
		})
	}
	if removed := breaks(old, other); fmt.Sprint(removed) != "[pkg/x: package removed]" {
		t.Errorf("a package that is gone: %v", removed)
	}
	if same := breaks(now, now); len(same) > 0 {
		t.Errorf("no change at all breaks %v", same)
	}
}
