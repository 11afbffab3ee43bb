package cli

import (
	"io"
	"strings"
	"time"

	"github.com/reconciler-dev/reconciler/cmd/reconciler/internal/usage"
	"github.com/reconciler-dev/reconciler/pkg/status"
)

// childPrinter prints children in the form that was asked for. The form was
// checked with oneOfOutputs.
type childPrinter struct {
	out   io.Writer
	flags getFlags
	one   bool // an object instead of a list
	now   func() time.Time

	table   tableWriter
	headers bool // they were printed
	path    *template
}

func (a *app) newChildPrinter(out io.Writer, f getFlags, one bool) (*childPrinter, error) {
	p := &childPrinter{out: out, flags: f, one: one, now: a.Now, table: a.newTable(out), headers: f.noHeaders}
	if text, ok := strings.CutPrefix(f.output, pathPrefix); ok {
		path, err := parseTemplate(text)
		if err != nil {
			return nil, err
		}
		p.path = path
	}
	return p, nil
}

func (p *childPrinter) isTable() bool { return p.flags.output == "table" || p.flags.output == "wide" }

// isWhole reports whether what is printed has the captured output of children in it.
func (p *childPrinter) isWhole() bool { return !p.isTable() && p.flags.output != "name" }

func (p *childPrinter) print(children []*status.Child) error {
	switch {
	case p.isTable():
		return p.printTable(children)
	case p.flags.output == "name":
		for _, c := range children {
			if err := tell(p.out, "%s", c.ID); err != nil {
				return err
			}
		}
		return nil
	case p.one && len(children) == 1:
		return p.printValue(children[0])
	case children == nil:
		children = []*status.Child{} // an empty list, not null
	}
	return p.printValue(children)
}

// printChange prints one child of a watch: a row, or an object on its own.
func (p *childPrinter) printChange(c *status.Child) error {
	switch p.flags.output {
	case "json":
		return writeJSONLine(p.out, c)
	case "yaml":
		if err := write(p.out, "---\n"); err != nil {
			return err
		}
		return p.printValue(c)
	}
	if p.path == nil {
		return p.print([]*status.Child{c})
	}
	if err := p.printValue(c); err != nil {
		return err
	}
	return write(p.out, "\n")
}

func (p *childPrinter) printTable(children []*status.Child) error {
	var rows [][]string
	if !p.headers {
		header := []string{"NAME", "READY", "PHASE", "RESTARTS", "AGE"}
		if p.flags.output == "wide" {
			header = append(header, "PID", "CPU", "MEM", "LAST EXIT")
		}
		rows, p.headers = append(rows, header), true
	}
	var used usage.Sample
	if p.flags.output == "wide" {
		var err error
		if used, err = usage.Take(mains(children)); err != nil {
			return err
		}
	}
	for _, c := range children {
		rows = append(rows, p.row(c, used))
	}
	return p.table.print(rows)
}

func (p *childPrinter) printValue(v any) error {
	switch {
	case p.path != nil:
		return p.path.print(p.out, v)
	case p.flags.output == "yaml":
		return writeYAML(p.out, v)
	}
	return writeJSON(p.out, v)
}
