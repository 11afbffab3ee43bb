package hack

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"slices"
	"strconv"
	"strings"
)

// purePackages are pure as a whole; in halfPure it goes by the name of the file.
var (
	purePackages = []string{"pkg/runtime/child", "pkg/runtime/machine"}
	halfPure     = []string{"pkg/desired", "pkg/reconcile", "pkg/status"}
	pureFiles    = []string{
		"decode*.go", "merge*.go", "place*.go", "plan*.go", "diff*.go", "encode*.go", "spec*.go", "validate*.go",
		"defaults*.go", "manifest*.go", "position*.go", "problem*.go", "suggest*.go", "types*.go",
	}
)

// signallers are the only packages that may call kill(2) or its like, in one file
// each. That file checks whom it hits; kill(-1) as root would end everything on the
// machine.
var signallers = []string{"pkg/runtime/shim"}

var clocks = []string{"Now", "Since", "Until", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick", "Sleep"}

// source is one parsed file.
type source struct {
	name string // relative to the module, with forward slashes
	fset *token.FileSet
	file *ast.File
}

func parse(name string, text any) (source, error) {
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, name, text, parser.SkipObjectResolution|parser.ParseComments)
	return source{name: name, fset: fset, file: f}, err
}

func (s source) isTest() bool { return strings.HasSuffix(s.name, "_test.go") }

func (s source) at(n ast.Node) string {
	return fmt.Sprintf("%s:%d", s.name, s.fset.Position(n.Pos()).Line)
}

func isPure(name string) bool {
	dir, base := path.Split(name)
	dir = strings.TrimSuffix(dir, "/")
	if strings.HasSuffix(base, "_test.go") {
		return false
	}
	return slices.Contains(purePackages, dir) || slices.Contains(halfPure, dir) &&
		slices.ContainsFunc(pureFiles, func(pattern string) bool {
			ok, _ := path.Match(pattern, base)
			return ok
		})
}

// impurities says where a pure file touches the world.
func impurities(s source) []string {
	var found []string
	for _, imp := range s.file.Imports {
		if p := importPath(imp); slices.Contains(impureImports, p) {
			found = append(found, s.at(imp)+": pure code imports "+p)
		}
	}
	ast.Inspect(s.file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			found = append(found, s.at(n)+": pure code starts a goroutine")
		case *ast.SelectorExpr:
			if from, name := selected(s.file, n); from == "time" && slices.Contains(clocks, name) {
				found = append(found, s.at(n)+": pure code reads the clock with time."+name)
			}
		}
		return true
	})
	return found
}

// sleeps says where a test sleeps. Inside testing/synctest time is fake, so a
// file that uses it may.
func sleeps(s source) []string {
	if slices.ContainsFunc(s.file.Imports, func(i *ast.ImportSpec) bool { return importPath(i) == "testing/synctest" }) {
		return nil
	}
	var found []string
	ast.Inspect(s.file, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if from, name := selected(s.file, sel); from == "time" && name == "Sleep" {
				found = append(found, s.at(n)+": a test sleeps; use testing/synctest or wait for a condition")
			}
		}
		return true
	})
	return found
}

// kills says where a file sends a signal to a number: kill(2) and its like, or
// os.Process. A signal through a pidfd is free: what it holds cannot be another.
func kills(s source) []string {
	var found []string
	ast.Inspect(s.file, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		from, name := selected(s.file, sel)
		direct := (from == "syscall" || strings.HasSuffix(from, "/unix")) &&
			slices.Contains([]string{"Kill", "Tgkill", "SYS_KILL", "SYS_TGKILL"}, name)
		if direct || from == "os" && name == "FindProcess" || isProcessMethod(sel) {
			found = append(found, s.at(n)+": sends a signal")
		}
		return true
	})
	return found
}

// isProcessMethod recognises cmd.Process.Kill and cmd.Process.Signal.
func isProcessMethod(sel *ast.SelectorExpr) bool {
	inner, ok := sel.X.(*ast.SelectorExpr)
	return ok && inner.Sel.Name == "Process" && (sel.Sel.Name == "Kill" || sel.Sel.Name == "Signal")
}

// strayKills says which of these places to signal from are too many: those
// outside the signallers, and those of a second file of one of them.
func strayKills(sources []source) []string {
	var found []string
	first := map[string]string{}
	for _, s := range sources {
		at := kills(s)
		dir := path.Dir(s.name)
		if s.isTest() || len(at) == 0 {
			continue
		}
		if owner, taken := first[dir]; !slices.Contains(signallers, dir) || taken && owner != s.name {
			found = append(found, at...)
			continue
		}
		first[dir] = s.name
	}
	return found
}

// undocumented says which packages lack a doc.go with a package comment. One of a
// single file may have the comment there.
func undocumented(sources []source) []string {
	files, docFile, commented := map[string]int{}, map[string]bool{}, map[string]bool{}
	for _, s := range sources {
		if dir, base := path.Split(s.name); !s.isTest() {
			files[dir]++
			commented[dir] = commented[dir] || s.file.Doc != nil
			docFile[dir] = docFile[dir] || base == "doc.go" && s.file.Doc != nil
		}
	}
	var found []string
	for dir := range files {
		if !docFile[dir] && !(files[dir] == 1 && commented[dir]) {
			found = append(found, dir+": the package has no doc.go that says its one idea")
		}
	}
	slices.Sort(found)
	return found
}

// selected is the import path and the name of a selector such as time.Now; ""
// where its left side is no import.
func selected(f *ast.File, sel *ast.SelectorExpr) (from, name string) {
	id, ok := sel.X.(*ast.Ident)
	if !ok {
		return "", ""
	}
	for _, imp := range f.Imports {
		p := importPath(imp)
		local := path.Base(p)
		if imp.Name != nil {
			local = imp.Name.Name
		}
		if local == id.Name {
			return p, sel.Sel.Name
		}
	}
	return "", ""
}

func importPath(imp *ast.ImportSpec) string {
	p, err := strconv.Unquote(imp.Path.Value)
	if err != nil {
		panic("the parser accepted the import path " + imp.Path.Value)
	}
	return p
}
