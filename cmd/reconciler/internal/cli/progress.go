package cli

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/reconciler-dev/reconciler/internal/harmless"
)

// pollEvery is how often a verb that waits looks at the children.
const pollEvery = 100 * time.Millisecond

// progress tells what is still waited for: on a terminal on one line that changes
// all the time, elsewhere a line for each change of who is waited for.
type progress struct {
	w        io.Writer
	terminal bool
	shown    bool
	names    string
	width    func() int // of the terminal; 0: not known
}

func newProgress(w io.Writer) *progress {
	return &progress{w: w, terminal: isTerminal(w), width: func() int { return columns(w) }}
}

// say tells for what is waited, a text each; names says whether that is news.
func (p *progress) say(names, texts []string) {
	const most = 5
	who := strings.Join(names, " ")
	if !p.terminal && p.names == who {
		return
	}
	p.names = who
	if len(texts) > most {
		texts = append(texts[:most:most], fmt.Sprintf("%d more", len(texts)-most))
	}
	text := "waiting for " + strings.Join(texts, ", ")
	if !p.terminal {
		tell(p.w, "%s", text)
		return
	}
	if line := []rune(text); p.width() > 1 && len(line) >= p.width() {
		text = string(line[:p.width()-2]) + "…" // two lines could not be taken away again
	}
	p.shown = true
	write(p.w, clearLine+harmless.Text(text))
}

// done takes the line away that changes.
func (p *progress) done() {
	if p.shown {
		write(p.w, clearLine)
	}
}

// clearLine takes away what stands on the line.
var clearLine = harmless.Own("\r\x1b[K")

// timeLeft is " (3s left)", or nothing without a deadline.
func timeLeft(deadline *time.Time, now time.Time) string {
	if deadline == nil || !deadline.After(now) {
		return ""
	}
	return fmt.Sprintf(" (%s left)", humanDuration(deadline.Sub(now)))
}
