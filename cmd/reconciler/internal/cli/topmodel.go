package cli

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
)

// topSorts are the ways to sort, with the key for each; the order within equal
// ones is that of the names.
var topSorts = []struct {
	name, key string
	compare   func(a, b topRow) int
}{
	{"cpu", "c", func(a, b topRow) int { return cmp.Compare(b.cpu, a.cpu) }},
	{"mem", "m", func(a, b topRow) int { return cmp.Compare(b.tree.Memory, a.tree.Memory) }},
	{"restarts", "r", func(a, b topRow) int { return cmp.Compare(b.restarts, a.restarts) }},
	{"age", "a", func(a, b topRow) int { return cmp.Compare(b.age, a.age) }},
	{"name", "n", func(a, b topRow) int { return 0 }},
}

func sortNames() (names []string) {
	for _, s := range topSorts {
		names = append(names, s.name)
	}
	return names
}

func sortRows(rows []topRow, by string) {
	slices.SortFunc(rows, func(a, b topRow) int { return strings.Compare(string(a.id), string(b.id)) })
	for _, s := range topSorts {
		if s.name == by {
			slices.SortStableFunc(rows, s.compare)
		}
	}
}

// topModel is what the live table shows. It is told of keys, of the size of the
// terminal and of looks; it looks at nothing itself.
type topModel struct {
	flags    topFlags
	look     func() (topLook, error)
	coloured bool

	before, now   topLook
	width, height int // of the terminal; 0: not known
	err           error
}

// looked is the message of a look that was taken.
type looked struct {
	topLook
	err error
}

// Init takes the first look.
func (m *topModel) Init() tea.Cmd { return m.lookNow }

func (m *topModel) lookNow() tea.Msg {
	l, err := m.look()
	return looked{l, err}
}

// Update takes note of one message.
func (m *topModel) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case tea.KeyPressMsg:
		return m, m.key(msg.String())
	case looked:
		if m.err = msg.err; m.err != nil {
			return m, tea.Quit
		}
		first := m.now.at.IsZero()
		m.before, m.now = m.now, msg.topLook
		every := m.flags.every
		if first {
			every = min(every, topOnce) // the first CPU figures need a second look
		}
		return m, tea.Tick(every, func(time.Time) tea.Msg { return m.lookNow() })
	}
	return m, nil
}

func (m *topModel) key(key string) tea.Cmd {
	if key == "q" || key == "esc" || key == "ctrl+c" {
		return tea.Quit
	}
	for _, s := range topSorts {
		if key == s.key {
			m.flags.sort = s.name
		}
	}
	return nil
}

// View is the screen; what was on it before comes back at the end.
func (m *topModel) View() tea.View {
	v := tea.NewView(m.screen())
	v.AltScreen = true
	return v
}

// screen is a line about all, and the table as far as it fits.
func (m *topModel) screen() string {
	if m.now.at.IsZero() {
		return "looking…\n"
	}
	rows := topRows(m.before, m.now)
	sortRows(rows, m.flags.sort)
	var b strings.Builder
	b.WriteString(topSummary(rows, m.flags.sort) + "\n")
	hidden := 0
	if fits := m.height - 3; m.height > 0 && len(rows) > max(fits, 1) {
		hidden = len(rows) - max(fits, 1)
		rows = rows[:max(fits, 1)]
	}
	t := tableWriter{w: &b, limit: m.width}
	if m.coloured {
		t.paint = paintPhase
	}
	cells := [][]string{topHeader}
	for _, r := range rows {
		cells = append(cells, r.cells())
	}
	if err := t.print(cells); err != nil {
		panic("cli: a strings.Builder refused a table: " + err.Error())
	}
	if hidden > 0 {
		b.WriteString(fmt.Sprintf("and %d more", hidden))
	}
	return b.String()
}

func topSummary(rows []topRow, by string) string {
	cpu, memory, running := 0.0, uint64(0), 0
	for _, r := range rows {
		cpu += r.cpu
		memory += r.tree.Memory
		if r.lives {
			running++
		}
	}
	return fmt.Sprintf("%s, %d with a process: CPU %s, MEM %s. By %s (c m r a n), q ends", count(len(rows), "child", "children"), running, percent(cpu), humanBytes(memory), by)
}
