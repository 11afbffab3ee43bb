package desired

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

var rewrite = flag.Bool("rewrite", false, "rewrite testdata/problems; read the diff and commit it only if you can explain it")

// TestEachMistakeIsReportedWhereItIs reads the archives of testdata/problems.
// Each one holds files, and behind each file what is to be said about it: the
// manifests that are sound, then the problems, line by line.
func TestEachMistakeIsReportedWhereItIs(t *testing.T) {
	archives, err := filepath.Glob("testdata/problems/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatalf("no archives: %v", err)
	}
	for _, name := range archives {
		archive, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i+1 < len(archive.Files); i += 2 {
			file, want := archive.Files[i], &archive.Files[i+1]
			t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar")+"/"+file.Name, func(t *testing.T) {
				got := tell(file.Name, file.Data)
				if *rewrite {
					want.Data = []byte(got)
					return
				}
				if diff := cmp.Diff(string(want.Data), got); diff != "" {
					t.Errorf("problems of\n%s\n(-want +got):\n%s", file.Data, diff)
				}
			})
		}
		if *rewrite {
			if err := os.WriteFile(name, txtar.Format(archive), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// tell is what a user hears about a file: of a sound manifest its spec's
// problems too.
func tell(file string, data []byte) string {
	var b strings.Builder
	manifests, problems := Decode(file, data)
	for i := range manifests {
		m := &manifests[i]
		folder := child.ID(filepath.Dir(file))
		if folder == "." {
			folder = ""
		}
		_, more := m.Spec(folder, nil, func(child.ID) bool { return false })
		if len(more) == 0 {
			fmt.Fprintf(&b, "document %d on line %d is sound: %s\n", m.Document, m.Line, m.Name)
		}
		problems = append(problems, more...)
	}
	for _, p := range problems {
		b.WriteString(p.String())
		if p.Child != "" {
			fmt.Fprintf(&b, " [%s]", p.Child)
		}
		b.WriteString("\n")
	}
	return b.String()
}
