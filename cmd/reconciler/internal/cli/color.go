package cli

import (
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/reconciler-dev/reconciler/internal/harmless"
)

// The values of --color.
const (
	colorAuto   = "auto"
	colorAlways = "always"
	colorNever  = "never"
)

// addColor gives every verb --color.
func (a *app) addColor(root *cobra.Command) {
	root.PersistentFlags().StringVar(&a.color, "color", colorAuto, "`WHEN` to colour: auto, always or never; auto: on a terminal, unless $NO_COLOR is set")
	completeValues(root, "color", colorAuto, colorAlways, colorNever)
}

// colours reports whether what goes to w is coloured: with auto, on a terminal
// whose user did not switch colours off (https://no-color.org).
func (a *app) colours(w io.Writer) bool {
	switch a.color {
	case colorAlways:
		return true
	case colorNever:
		return false
	}
	return isTerminal(w) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

func isTerminal(w io.Writer) bool {
	f := harmless.File(w)
	return f != nil && term.IsTerminal(int(f.Fd()))
}

// columns is how wide the terminal w is; 0 where it is none, or does not know.
func columns(w io.Writer) int {
	if f := harmless.File(w); f != nil {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil {
			return width
		}
	}
	return 0
}

// The sequences of colours, see SGR in console_codes(4).
const red, yellow, green, reset = "\x1b[31m", "\x1b[33m", "\x1b[32m", "\x1b[0m"

// paintPhase colours the words of a table that somebody should see first.
func paintPhase(cell string) string {
	switch cell {
	case "Running,OutputBlocked", "Running,OutputDropped":
		return yellow + cell + reset
	case "Running", "Completed":
		return green + cell + reset
	case "Pending", "Starting", "Stopping", "Backoff":
		return yellow + cell + reset
	case "Failed", "Quarantined":
		return red + cell + reset
	}
	return cell
}

// marked is a way to paint whose sequences a harmless.Writer lets pass.
func marked(paint func(string) string) func(string) string {
	return func(cell string) string {
		before, after, found := strings.Cut(paint(cell), cell)
		if !found || before == "" {
			return cell
		}
		return harmless.Own(before) + cell + harmless.Own(after)
	}
}
