package cli

import (
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"
)

// gap separates two columns.
const gap = "   "

// tableWriter prints rows in columns. The widths of one print hold for the next,
// so that a watch stays aligned as long as nothing grows.
type tableWriter struct {
	w      io.Writer
	paint  func(cell string) string // a cell as it is shown; nil: as it is
	widths []int
}

// print writes the rows, without blanks at the ends of lines.
func (t *tableWriter) print(rows [][]string) error {
	for _, row := range rows {
		for i, cell := range row {
			if i == len(t.widths) {
				t.widths = append(t.widths, 0)
			}
			t.widths[i] = max(t.widths[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	for _, row := range rows {
		b.WriteString(strings.TrimRight(t.line(row), " ") + "\n")
	}
	_, err := io.WriteString(t.w, b.String())
	return err
}

func (t *tableWriter) line(row []string) string {
	var b strings.Builder
	for i, cell := range row {
		shown := cell
		if t.paint != nil {
			shown = t.paint(cell)
		}
		b.WriteString(shown + strings.Repeat(" ", t.widths[i]-utf8.RuneCountInString(cell)) + gap)
	}
	return b.String()
}

// colours shows whether w is a terminal whose user did not switch colours off
// (https://no-color.org).
func colours(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd())) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// paintPhase colours the words of a table that somebody should see first.
func paintPhase(cell string) string {
	const red, yellow, green, reset = "\x1b[31m", "\x1b[33m", "\x1b[32m", "\x1b[0m"
	switch cell {
	case "Running", "Completed":
		return green + cell + reset
	case "Pending", "Starting", "Stopping", "Backoff":
		return yellow + cell + reset
	case "Failed", "Quarantined":
		return red + cell + reset
	}
	return cell
}
