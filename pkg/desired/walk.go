package desired

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxProblems is how many problems of one file are told. More help nobody, and
// a file of 1 MiB may hold a hundred thousand.
const maxProblems = 1000

// walk fills a manifestFields from the nodes of one document, guided by the
// layouts. It goes on after a problem, so that all of them are found at once.
type walk struct {
	role     string // "worker", "supervisor" or "" while the kind is unknown
	problems []Problem
	pos      positions
	room     int // for so many more problems
}

// fromNode is a type that reads a node by itself, because it may be written in
// more than one way.
type fromNode interface {
	read(w *walk, n *yaml.Node, path string, r *rules)
}

// selfChecking is a value that has rules between its fields. It is asked once
// all of its own fields are sound.
type selfChecking interface {
	check(c *checker)
}

// checker takes the problems of one value.
type checker struct {
	walk *walk
	path string
}

// problem reports that a field of the value is wrong; "" is the value itself.
func (c *checker) problem(field, reason, hint string) {
	if c.walk.room <= 0 { // nobody will hear it: spare the search for its place
		c.walk.room--
		return
	}
	path := c.path
	if field != "" && !strings.HasPrefix(field, "[") {
		path = join(path, field)
	} else {
		path += field
	}
	c.walk.report(path, c.walk.pos.find(path), reason, hint)
}

func (w *walk) report(path string, at position, reason, hint string) {
	w.room--
	if w.room >= 0 {
		w.problems = append(w.problems, Problem{Line: at.line, Column: at.column, Field: path, Reason: reason, Hint: hint})
	}
}

// document reads a whole document.
func (w *walk) document(root *yaml.Node, into *manifestFields) {
	w.pos = append(w.pos, fieldPosition{"", position{root.Line, root.Column}})
	if root.Kind != yaml.MappingNode {
		w.report("", position{root.Line, root.Column}, "a manifest is a mapping of fields, not "+kindOf(root),
			"write at least name: …; put --- between manifests")
		return
	}
	w.role = roleOf(root)
	w.value(root, "", &rules{}, reflect.ValueOf(into).Elem())
	w.role = ""
	slices.SortStableFunc(w.problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}

// roleOf is which fields the document may have; "" if its kind cannot be told.
func roleOf(root *yaml.Node) string {
	for p := range pairs(root) {
		if p.key.Value == "kind" {
			switch deref(p.value).Value {
			case "supervisor":
				return "supervisor"
			case "async_worker", "blocking_worker":
				return "worker"
			}
			return ""
		}
	}
	return "worker"
}

// value reads n into dst and has the result check itself.
func (w *walk) value(n *yaml.Node, path string, r *rules, dst reflect.Value) {
	if dst.Kind() == reflect.Pointer {
		dst.Set(reflect.New(dst.Type().Elem()))
		dst = dst.Elem()
	}
	before := w.room
	switch self, ok := dst.Addr().Interface().(fromNode); {
	case ok:
		self.read(w, n, path, r)
	case dst.Kind() == reflect.Struct:
		w.section(n, path, dst)
	case dst.Kind() == reflect.Slice:
		w.list(n, path, r, dst)
	case dst.Kind() == reflect.Map:
		w.words(n, path, dst)
	default:
		w.scalar(n, path, r, dst)
	}
	if self, ok := dst.Addr().Interface().(selfChecking); ok && w.room == before {
		self.check(&checker{w, path})
	}
}

// section reads a mapping into a struct.
func (w *walk) section(n *yaml.Node, path string, dst reflect.Value) {
	n, ok := w.want(n, yaml.MappingNode, path)
	if !ok {
		return
	}
	l := layouts()[dst.Type()]
	seen := make([]int, len(l.fields)) // the line of each field that was read
	for p := range pairs(n) {
		if w.room < 0 {
			return
		}
		i, ok := w.known(p.key, path, l)
		if !ok {
			continue
		}
		f := &l.fields[i]
		full := join(path, f.name)
		if seen[i] > 0 {
			w.report(full, position{p.key.Line, p.key.Column}, fmt.Sprintf("appears twice; first on line %d", seen[i]), "keep one of them")
			continue
		}
		seen[i] = p.key.Line
		if f.role != "" && w.role != "" && f.role != w.role && path == "" {
			w.misplaced(p.key, f)
			continue
		}
		w.pos = append(w.pos, fieldPosition{full, at(p.key, p.value)})
		w.value(p.value, full, &f.rules, dst.FieldByIndex(f.index))
	}
	for i := range l.fields {
		if f := &l.fields[i]; f.rules.required && seen[i] == 0 {
			full := join(path, f.name)
			w.report(full, w.pos.find(full), "is required", "add "+f.name+": …")
		}
	}
}

// known is the field that key names.
func (w *walk) known(key *yaml.Node, path string, l *layout) (int, bool) {
	at := position{key.Line, key.Column}
	key = deref(key)
	switch i, ok := l.byName[key.Value]; {
	case key.Kind != yaml.ScalarNode:
		w.report(path, at, "a key is "+kindOf(key)+"; want the name of a field", "")
	case key.Tag == "!!merge":
		w.report(join(path, "<<"), at, "merge keys (<<) are not supported", "repeat the fields, or put them under defaults of the folder's supervisor")
	case key.Value == "":
		w.report(path, at, "a key is empty; want the name of a field", "")
	case !ok:
		w.report(join(path, safe(key.Value)), at, "there is no such field", meant(key.Value, path, l.names()))
	default:
		return i, true
	}
	return 0, false
}

func (w *walk) misplaced(key *yaml.Node, f *field) {
	reason, hint := "is a field of workers; a supervisor runs no process itself", "move it into the children's manifests"
	if f.role == "supervisor" {
		reason, hint = "is a field of supervisors", "remove it, or write kind: supervisor"
	} else if _, ok := layouts()[reflect.TypeFor[inheritable]()].byName[f.name]; ok {
		hint = "put it under defaults, for all children of the folder, or into their manifests"
	}
	w.report(f.name, position{key.Line, key.Column}, reason, hint)
}

// list reads a sequence into a slice; the slice is never nil afterwards.
func (w *walk) list(n *yaml.Node, path string, r *rules, dst reflect.Value) {
	dst.Set(reflect.MakeSlice(dst.Type(), 0, 0))
	n, ok := w.want(n, yaml.SequenceNode, path)
	if !ok {
		return
	}
	if len(n.Content) < r.minItems {
		w.report(path, w.pos.find(path), "is an empty list", "give it an element or remove the line")
		return
	}
	dst.Set(reflect.MakeSlice(dst.Type(), len(n.Content), len(n.Content)))
	for i, element := range n.Content {
		if w.room < 0 {
			return
		}
		full := path + "[" + strconv.Itoa(i) + "]"
		w.pos = append(w.pos, fieldPosition{full, at(nil, element)})
		w.value(element, full, r, dst.Index(i))
	}
}

// words reads a mapping of names to texts.
func (w *walk) words(n *yaml.Node, path string, dst reflect.Value) {
	n, ok := w.want(n, yaml.MappingNode, path)
	if !ok {
		return
	}
	words := make(map[string]string, len(n.Content)/2)
	for p := range pairs(n) {
		if w.room < 0 {
			return
		}
		key, ok := w.text(p.key, path)
		if !ok {
			continue
		}
		full := join(path, safe(key))
		if _, twice := words[key]; twice {
			w.report(full, position{p.key.Line, p.key.Column}, "appears twice", "keep one of them")
			continue
		}
		w.pos = append(w.pos, fieldPosition{full, at(p.key, p.value)})
		words[key], _ = w.text(p.value, full)
	}
	dst.Set(reflect.ValueOf(words))
}

// want is n behind its aliases if it is of the kind that is wanted.
func (w *walk) want(n *yaml.Node, kind yaml.Kind, path string) (*yaml.Node, bool) {
	n = deref(n)
	want, tag, hint := "a list", "!!seq", ""
	switch {
	case kind == yaml.MappingNode:
		want, tag = "a section of fields", "!!map"
	case n.Kind == yaml.MappingNode:
		hint = "begin each element with - "
	case n.Kind == yaml.ScalarNode:
		hint = "put it in brackets: [" + cut(n.Value) + "]"
	}
	switch {
	case n.Kind != kind && n.Tag == "!!null":
		w.report(path, w.pos.find(path), "is empty; want "+want, "give it a value or remove the line")
	case n.Kind != kind:
		w.report(path, w.pos.find(path), "is "+kindOf(n)+"; want "+want, hint)
	case n.Tag != tag:
		w.report(path, w.pos.find(path), fmt.Sprintf("has the unknown tag %s", quoted(n.Tag)), "remove the tag")
	default:
		return n, true
	}
	return nil, false
}

// pairs are the keys and values of a mapping.
func pairs(n *yaml.Node) func(func(pair) bool) {
	return func(yield func(pair) bool) {
		for i := 0; i+1 < len(n.Content); i += 2 {
			if !yield(pair{n.Content[i], n.Content[i+1]}) {
				return
			}
		}
	}
}

// deref is n behind its aliases.
func deref(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}
