package cli

import (
	"io"
	"strings"

	"github.com/mattn/go-runewidth"

	"github.com/reconciler-dev/reconciler/internal/harmless"
)

// gap separates two columns.
const gap = "   "

// tableWriter prints rows in columns. The widths of one print hold for the next,
// so that a watch stays aligned as long as nothing grows.
type tableWriter struct {
	w      io.Writer
	paint  func(cell string) string // a cell as it is shown; nil: as it is
	limit  int                      // how wide a line may be, by cutting its last cell; 0: any
	widths []int
}

// newTable is a table for w: coloured and cut to its width on a terminal.
func (a *app) newTable(w io.Writer) tableWriter {
	t := tableWriter{w: w, limit: columns(w)}
	if a.colours(w) {
		t.paint = marked(paintPhase)
	}
	return t
}

// print writes the rows, without blanks at the ends of lines.
func (t *tableWriter) print(rows [][]string) error {
	for r, row := range rows {
		rows[r] = make([]string, len(row))
		for i, cell := range row {
			cell = harmless.Text(cell)
			rows[r][i] = cell
			if i == len(t.widths) {
				t.widths = append(t.widths, 0)
			}
			t.widths[i] = max(t.widths[i], runewidth.StringWidth(cell))
		}
	}
	var b strings.Builder
	for _, row := range rows {
		b.WriteString(strings.TrimRight(t.line(row), " ") + "\n")
	}
	return write(t.w, b.String())
}

func (t *tableWriter) line(row []string) string {
	var b strings.Builder
	used := 0
	for i, cell := range row {
		if last := i == len(row)-1; last && t.limit > 0 {
			cell = runewidth.Truncate(cell, max(t.limit-used, 10), "…")
		}
		shown := cell
		if t.paint != nil {
			shown = t.paint(cell)
		}
		b.WriteString(shown + strings.Repeat(" ", max(0, t.widths[i]-runewidth.StringWidth(cell))) + gap)
		used += t.widths[i] + len(gap)
	}
	return b.String()
}
