package machine

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

const semanticsPage = "../../../docs/semantics.md"

// states are the rows of the table in docs/semantics.md: what an operator may
// find a child a in. They are the situations of the matrix, in the page's words.
var states = []struct {
	name  string
	lines []string
}{
	{"unknown", []string{"connect"}},
	{"pending on a dependency", []string{"connect", "add a deps=b"}},
	{"starting", []string{"connect", "add a"}},
	{"running, not ready yet", []string{"connect", "add a probe=http", "started a"}},
	{"running and ready", running("")},
	{"stopping (to pause)", running("", "pause a")},
	{"restart pending", running("", "restart a")},
	{"backoff", running("", "exit a 1")},
	{"paused", running("", "pause a", "exit a 0")},
	{"suspended", []string{"connect", "add a suspend=true"}},
	{"completed", running("policy=transient", "exit a 0")},
	{"completed, then paused", running("policy=transient", "exit a 0", "pause a")},
	{"failed", running("policy=temporary", "exit a 1")},
	{"quarantined", running("limit=0/60s", "exit a 1")},
	{"being removed", running("", "remove a")},
	{"a folder (supervisor)", []string{"connect", "add a supervisor"}},
	{"the shim is lost", running("", "detach")},
	{"the tree is shutting down", running("", "shutdown")},
}

// columns are the commands of the table.
var columns = []struct{ name, line string }{
	{"add", "add a"},
	{"update (a live field)", "update a grace=7s"},
	{"replace", "replace a command=other"},
	{"remove", "remove a"},
	{"restart", "restart a"},
	{"pause", "pause a"},
	{"resume", "resume a"},
	{"quarantine", "quarantine a"},
	{"signal", "signal a SIGHUP"},
	{"shutdown", "shutdown"},
	{"leave (shutdown of the control plane alone)", "leave"},
}

func TestTheTableOfTheSemanticsIsTheMachines(t *testing.T) {
	var out strings.Builder
	for _, c := range columns {
		fmt.Fprintf(&out, "\n#### %s\n\n| state | answer | at once | in the end |\n|---|---|---|---|\n", c.name)
		for _, s := range states {
			w := newWorld(t, s.lines...)
			w.do(c.line)
			answer, now := w.answerOrWait(), w.stateWords()
			w.settleDown()
			fmt.Fprintf(&out, "| %s | %s | %s | %s |\n", s.name, answer, now, w.stateWords())
		}
	}
	compareSection(t, semanticsPage, "table", out.String())
}

// answerOrWait is the decision on the last command; a shutdown answers at its end.
func (w *world) answerOrWait() string {
	for _, f := range w.last.Facts {
		if f.Command != nil && f.Command.Code != "" {
			return "refused: `" + string(f.Command.Code) + "`"
		} else if f.Command != nil {
			return "`" + string(f.Command.Decision) + "`"
		}
	}
	return "none"
}

func (w *world) stateWords() string {
	s, ok := w.tree.Snapshot("a")
	if !ok {
		return "no such child"
	}
	words := string(s.Phase)
	if s.Operation != child.Active {
		words += ", " + string(s.Operation)
	}
	if s.PendingRestart != nil {
		words += ", restart pending"
	}
	if s.Generation > 0 {
		words += fmt.Sprintf(", generation %d", s.Generation)
	}
	return words
}

// settleDown lets everything happen that is under way, as processes do that
// start when they are asked and end when they are told.
func (w *world) settleDown() {
	for range 20 {
		s, ok := w.tree.Snapshot("a")
		switch {
		case !ok || w.tree.Done():
			return
		case !w.tree.Connected():
			w.do("adopt a")
		case s.Phase == child.Starting:
			w.do("started a")
		case s.Phase == child.Stopping && s.PID > 0:
			w.do("exit a 0")
		case s.Phase == child.Stopping:
			w.do("started a")
		case s.Phase == child.BackingOff:
			w.do("advance 1m")
		default:
			return
		}
	}
	w.t.Fatalf("a does not come to rest")
}

// TestEveryFactIsOnTheSemanticsPage: nobody has to read the source to know what
// an entry of the journal means.
func TestEveryFactIsOnTheSemanticsPage(t *testing.T) {
	page, err := os.ReadFile(semanticsPage)
	if err != nil {
		t.Fatal(err)
	}
	kinds := factKinds(t)
	if len(kinds) < 40 {
		t.Fatalf("only %d kinds of facts were found: %v", len(kinds), kinds)
	}
	for _, kind := range kinds {
		if !strings.Contains(string(page), "\n| `"+kind+"` |") {
			t.Errorf("docs/semantics.md has no line for the fact `%s` in its table of facts", kind)
		}
	}
}

// factKinds are the values of all constants of type FactKind in this package.
func factKinds(t *testing.T) (kinds []string) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Values) != 1 {
				return true
			}
			typ, isKind := spec.Type.(*ast.Ident)
			value, isText := spec.Values[0].(*ast.BasicLit)
			if isKind && isText && typ.Name == "FactKind" {
				kind, _ := strconv.Unquote(value.Value)
				kinds = append(kinds, kind)
			}
			return true
		})
	}
	return kinds
}

// compareSection compares what stands between <!-- name:begin --> and
// <!-- name:end --> in a page; -update writes it.
func compareSection(t *testing.T, file, name, want string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(text), "<!-- "+name+":begin -->\n")
	got, tail, ok2 := strings.Cut(rest, "<!-- "+name+":end -->")
	if !ok || !ok2 {
		t.Fatalf("%s has no section %s", file, name)
	}
	if *update {
		page := head + "<!-- " + name + ":begin -->\n" + want + "<!-- " + name + ":end -->" + tail
		if err := os.WriteFile(file, []byte(page), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(strings.Split(got, "\n"), strings.Split(want, "\n")); diff != "" {
		t.Errorf("%s differs from the machine (-page +machine); if the machine is right: go test -run %s -update\n%s", file, t.Name(), diff)
	}
}
