package cli

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/reconciler-dev/reconciler/internal/harmless"
	"github.com/reconciler-dev/reconciler/pkg/desired"
	"github.com/reconciler-dev/reconciler/pkg/reconcile"
)

// annotation is a message beside a line of a file, as GitHub's workflow commands
// want it: ::error file=web.yaml,line=3,col=1,title=…::message
type annotation struct {
	level     string // error, warning or notice
	file      string
	line, col int // 0: not known
	title     string
	lines     []string // of the message
}

// String is the annotation on one line, whatever it holds.
func (n annotation) String() string {
	var properties []string
	if n.file != "" {
		properties = append(properties, "file="+harmless.Property(filepath.ToSlash(fromHere(n.file))))
	}
	if n.line > 0 {
		properties = append(properties, fmt.Sprintf("line=%d", n.line))
	}
	if n.col > 0 {
		properties = append(properties, fmt.Sprintf("col=%d", n.col))
	}
	properties = append(properties, "title="+harmless.Property(n.title))
	return fmt.Sprintf("::%s %s::%s", n.level, strings.Join(properties, ","), harmless.GitHub(n.lines...))
}

// fromHere is a path below the working directory relative to it: annotations are
// found by the path in the repository.
func fromHere(file string) string {
	here, err := os.Getwd()
	if err != nil || !filepath.IsAbs(file) {
		return file
	}
	rel, err := filepath.Rel(here, file)
	if err != nil || rel == ".." || strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
		return file
	}
	return rel
}

func annotateProblems(all []finding, out io.Writer) error {
	for _, p := range all {
		n := annotation{level: p.level(), file: p.File, line: p.Line, col: p.Column, title: "manifest", lines: []string{problemText(p.Problem)}}
		if err := write(out, n.String()+"\n"); err != nil {
			return err
		}
	}
	return nil
}

// problemText is a problem without its place.
func problemText(p desired.Problem) string {
	p.File = ""
	return p.String()
}

// annotateChanges marks what stops or restarts a child as a warning.
func annotateChanges(all []change, out io.Writer) error {
	for _, c := range all {
		n := annotation{level: "notice", file: c.File, line: c.Line, title: fmt.Sprintf("%s %s", c.Verb, c.ID)}
		if c.Effect == effectRestart || c.Effect == effectStop {
			n.level = "warning"
		}
		n.lines = []string{c.headline()}
		for _, d := range c.Why {
			n.lines = append(n.lines, d.String())
		}
		if c.Verb == reconcile.Remove {
			n.line = 0
		}
		if err := write(out, n.String()+"\n"); err != nil {
			return err
		}
	}
	return nil
}
