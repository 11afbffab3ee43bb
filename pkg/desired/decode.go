package desired

import (
	"fmt"
	"path"
	"strings"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// MaxFileSize is how large a file of manifests may be, in bytes.
const MaxFileSize = 1 << 20

// Decode reads every document of a file: a manifest for each one that is sound,
// and all the problems of those that are not. A broken document hides no other
// one. file is relative to the manifests directory and is not opened; its name
// says whether data is JSON (.json) or YAML. Decode is pure, and bounded in time
// and memory whatever data holds: data longer than MaxFileSize is refused
// unread, so a caller need not read more than one byte beyond.
func Decode(file string, data []byte) ([]Manifest, []Problem) {
	if p, ok := unreadable(data); ok {
		p.File = file
		return nil, []Problem{p}
	}
	parse := parseYAML
	if strings.EqualFold(path.Ext(file), ".json") {
		parse = parseJSON
	}
	d := decoding{file: file, room: maxProblems}
	for doc := range parse(data) {
		if d.documents == maxDocuments {
			d.manifests = nil
			d.fileProblem(fmt.Sprintf("the file has more than %d documents", maxDocuments), "split it into several files")
			break
		}
		d.documents++
		d.add(doc)
		if d.room < 0 {
			d.fileProblem("there are more problems in this file", "mend the first ones")
			break
		}
	}
	if d.documents == 0 {
		d.fileProblem("the file declares nothing", "add a manifest, at least name: …, or remove the file")
	}
	return d.manifests, d.problems
}

// decoding is a file while it is decoded.
type decoding struct {
	file      string
	documents int
	manifests []Manifest
	problems  []Problem
	room      int // for so many more problems
}

func (d *decoding) fileProblem(reason, hint string) {
	d.problems = append(d.problems, Problem{File: d.file, Reason: reason, Hint: hint})
}

func (d *decoding) add(doc document) {
	m := Manifest{File: d.file, Document: d.documents, Line: doc.line}
	w := walk{room: d.room}
	if doc.problem != nil {
		w.report(doc.problem.Field, position{doc.problem.Line, doc.problem.Column}, doc.problem.Reason, doc.problem.Hint)
	} else {
		w.document(doc.root, &m.fields)
	}
	clean := w.room == d.room
	d.room = w.room
	m.Name, m.pos = m.fields.Name, w.pos
	if clean {
		d.manifests = append(d.manifests, m)
		return
	}
	for _, p := range w.problems {
		d.problems = append(d.problems, m.problem(p))
	}
}

// problem is p with what m knows: the file, the document and whose it is.
func (m *Manifest) problem(p Problem) Problem {
	p.File, p.Document = m.File, m.Document
	if m.request != "" {
		p.Child = m.request
		return p
	}
	folder := child.ID("")
	if dir := path.Dir(m.File); dir != "." {
		folder = child.ID(dir)
	}
	p.Child = child.Join(folder, m.fields.Name)
	if m.Kind() == child.Supervisor {
		p.Child = folder
	}
	if folder == "" && m.Kind() == child.Supervisor {
		p.Child = child.RootSupervisor
	}
	if _, err := child.ParseID(string(p.Child)); err != nil {
		p.Child = ""
	}
	return p
}
