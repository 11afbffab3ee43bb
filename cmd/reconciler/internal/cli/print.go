package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/reconciler-dev/reconciler/pkg/status"
)

// outputs are the values of -o where children are printed.
var outputs = []string{"table", "wide", "json", "yaml", "name"}

// childPrinter prints children in the form that was asked for.
type childPrinter struct {
	out   io.Writer
	flags getFlags
	one   bool // an object instead of a list
	now   func() time.Time

	table   tableWriter
	headers bool // they were printed
}

func newChildPrinter(out io.Writer, f getFlags, one bool, now func() time.Time) *childPrinter {
	p := &childPrinter{out: out, flags: f, one: one, now: now, table: tableWriter{w: out}, headers: f.noHeaders}
	if colours(out) {
		p.table.paint = paintPhase
	}
	return p
}

func (p *childPrinter) isTable() bool { return p.flags.output == "table" || p.flags.output == "wide" }

func (p *childPrinter) print(children []*status.Child) error {
	switch {
	case p.isTable():
		return p.printTable(children)
	case p.flags.output == "name":
		for _, c := range children {
			if _, err := fmt.Fprintln(p.out, c.ID); err != nil {
				return err
			}
		}
		return nil
	case p.one && len(children) == 1:
		return p.printValue(children[0])
	case children == nil:
		children = []*status.Child{}
	}
	return p.printValue(children)
}

// printChange prints one child of a watch: a row, or an object on its own.
func (p *childPrinter) printChange(c *status.Child) error {
	switch p.flags.output {
	case "json":
		return json.NewEncoder(p.out).Encode(c)
	case "yaml":
		if _, err := io.WriteString(p.out, "---\n"); err != nil {
			return err
		}
		return p.printValue(c)
	}
	return p.print([]*status.Child{c})
}

func (p *childPrinter) printTable(children []*status.Child) error {
	var rows [][]string
	if !p.headers {
		header := []string{"NAME", "READY", "PHASE", "RESTARTS", "AGE"}
		if p.flags.output == "wide" {
			header = append(header, "PID", "LAST EXIT")
		}
		rows, p.headers = append(rows, header), true
	}
	for _, c := range children {
		rows = append(rows, p.row(c))
	}
	return p.table.print(rows)
}

func (p *childPrinter) printValue(v any) error {
	if p.flags.output == "yaml" {
		text, err := yaml.Marshal(v)
		if err != nil {
			return err
		}
		_, err = p.out.Write(text)
		return err
	}
	return writeJSON(p.out, v)
}

// writeJSON is v indented, with characters such as < as they are.
func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
