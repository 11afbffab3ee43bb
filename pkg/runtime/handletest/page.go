package handletest

import (
	"fmt"
	"strings"

	"github.com/reconciler-dev/reconciler/docs"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

// row is one line of the table of the page.
type row struct {
	Cell
	answer string // such as "`accepted`" or "refused: `shutting_down`"
	now    string // what comes with the answer
	end    string // what it comes to
}

// life is one line of the table of the lives of the control plane.
type life struct {
	name     string
	health   string // its state
	alive    string // yes or no
	command  string // the answer to a restart
	shutdown string // report, or the refusal
	join     string // waits, or state and phase of the exit report
}

// verbs are the commands in the words of the page.
var verbs = map[string]machine.Verb{
	"add": machine.Add, "update (a live field)": machine.Update, "replace": machine.Replace, "remove": machine.Remove,
	"restart": machine.Restart, "pause": machine.Pause, "resume": machine.Resume, "quarantine": machine.Quarantine,
	"signal": machine.SendSignal, "shutdown": machine.ShutdownTree, "leave (shutdown of the control plane alone)": machine.Leave,
}

// table reads what the page promises of every command in every state.
func table() (rows []row, err error) {
	text, err := section("table")
	if err != nil {
		return nil, err
	}
	var verb machine.Verb
	for line := range strings.Lines(text) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "#### "); ok {
			if verb, ok = verbs[name]; !ok {
				return nil, fmt.Errorf("docs/semantics.md has a table for %q, which this suite does not know", name)
			}
			continue
		}
		if c := cells(line, 4); c != nil {
			rows = append(rows, row{Cell{verb, c[0]}, c[1], c[2], c[3]})
		}
	}
	return rows, nil
}

// lives reads what the page promises of every life of the control plane.
func lives() (all []life, err error) {
	text, err := section("lives")
	for line := range strings.Lines(text) {
		if c := cells(line, 6); c != nil {
			all = append(all, life{c[0], c[1], c[2], c[3], c[4], c[5]})
		}
	}
	return all, err
}

// section is what stands between the marks of a section.
func section(name string) (string, error) {
	_, rest, ok := strings.Cut(docs.Semantics, "<!-- "+name+":begin -->\n")
	text, _, ok2 := strings.Cut(rest, "<!-- "+name+":end -->")
	if !ok || !ok2 {
		return "", fmt.Errorf("docs/semantics.md has no section %s", name)
	}
	return text, nil
}

// cells are those of a line of a table; nil for its head, and for other lines.
func cells(line string, n int) []string {
	parts := strings.Split(strings.TrimSpace(line), "|")
	if len(parts) != n+2 || strings.HasPrefix(parts[1], "---") || strings.HasPrefix(parts[1], " state") || strings.HasPrefix(parts[1], " the control plane ") {
		return nil
	}
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts[1 : n+1]
}
