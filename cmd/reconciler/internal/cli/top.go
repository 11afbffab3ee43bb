package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/spf13/cobra"

	"github.com/reconciler-dev/reconciler/cmd/reconciler/internal/usage"
	"github.com/reconciler-dev/reconciler/internal/harmless"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/status"
)

const topExamples = `  # What uses this machine? q ends it
  reconciler top

  # The hungriest first, one look, for a script
  reconciler top --once --sort mem --no-headers

  # Only what has the tag mail
  reconciler top -l mail`

const (
	topEvery = 2 * time.Second

	// topOnce is between the two looks of --once: processor time is counted in
	// hundredths of a second, so half a second tells 2 % apart.
	topOnce = 500 * time.Millisecond
)

// topFlags are what top was asked for.
type topFlags struct {
	sort      string
	every     time.Duration
	once      bool
	noHeaders bool
	tags      []string
}

func (a *app) topCommand() *cobra.Command {
	f := topFlags{}
	cmd := &cobra.Command{
		Use:   "top",
		Short: "Show what the children use, live",
		Long: `Show what the children use, live: CPU in percent of one core since the last look, and
the memory of the whole process tree of each child.

Keys: c, m, r, a, n sort by cpu, memory, restarts, age and name; q ends it. With
--once, and where standard output is no terminal, one table is printed instead.`,
		Example: topExamples,
		Args:    args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := oneOf("sort", f.sort, sortNames()...); err != nil {
				return err
			}
			if f.every < 100*time.Millisecond {
				return withCode(Usage, "--every %s: want at least 100ms", f.every)
			}
			if _, err := a.warnIfDead(cmd.ErrOrStderr()); err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			if f.once || !isTerminal(out) {
				return a.topOnce(cmd.Context(), f, out)
			}
			return a.topLive(cmd.Context(), f, os.Stdin, harmless.File(out))
		},
	}
	cmd.Flags().StringVar(&f.sort, "sort", "cpu", "`KEY` to sort by: cpu, mem, restarts, age or name")
	cmd.Flags().DurationVar(&f.every, "every", topEvery, "look this often")
	cmd.Flags().BoolVar(&f.once, "once", false, "print one table and end")
	cmd.Flags().BoolVar(&f.noHeaders, "no-headers", false, "with --once, print no line of headers")
	cmd.Flags().StringSliceVarP(&f.tags, "tag", "l", nil, "only children with this `TAG`, with !TAG only those without; several, with commas or repeated: all must hold")
	completeValues(cmd, "sort", sortNames()...)
	return cmd
}

// topLook is all that one look of top finds.
type topLook struct {
	children []*status.Child
	used     usage.Sample
	at       time.Time
}

func (a *app) topLook(f topFlags) (topLook, error) {
	children, _, err := a.selectChildren(nil, getFlags{tags: f.tags})
	if err != nil {
		return topLook{}, err
	}
	used, err := usage.Take(mains(children))
	return topLook{children, used, a.Now()}, err
}

// topOnce prints what two looks after one another find.
func (a *app) topOnce(ctx context.Context, f topFlags, out io.Writer) error {
	before, err := a.topLook(f)
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return nil
	case <-time.After(topOnce):
	}
	now, err := a.topLook(f)
	if err != nil {
		return err
	}
	rows := topRows(before, now)
	sortRows(rows, f.sort)
	var cells [][]string
	if !f.noHeaders {
		cells = append(cells, topHeader)
	}
	for _, r := range rows {
		cells = append(cells, r.cells())
	}
	t := a.newTable(out)
	return t.print(cells)
}

// topLive shows the table until a key or ctx ends it. The terminal is then as it
// was before.
func (a *app) topLive(ctx context.Context, f topFlags, in io.Reader, out io.Writer) error {
	m := &topModel{flags: f, look: func() (topLook, error) { return a.topLook(f) }, coloured: a.colours(out)}
	p := tea.NewProgram(m, tea.WithContext(ctx), tea.WithInput(in), tea.WithOutput(out))
	_, err := p.Run()
	switch {
	case ctx.Err() != nil:
		return nil
	case err != nil:
		return fmt.Errorf("show the table: %w", err)
	}
	return m.err
}

// topRow is one child in the table.
type topRow struct {
	id       child.ID
	phase    child.Phase
	cpu      float64
	knowsCPU bool
	tree     usage.Tree
	age      time.Duration // 0: no process
	restarts uint64
	lives    bool // its processes were found
}

func topRows(before, now topLook) []topRow {
	rows := make([]topRow, 0, len(now.children))
	for _, c := range now.children {
		r := topRow{id: c.ID, phase: c.Phase, restarts: c.RestartCount}
		r.tree, r.lives = now.used.Trees[c.ID]
		r.cpu, r.knowsCPU = now.used.Percent(before.used, c.ID)
		if c.PID != nil && c.StartedAt != nil {
			r.age = now.at.Sub(*c.StartedAt)
		}
		rows = append(rows, r)
	}
	return rows
}

var topHeader = []string{"NAME", "PHASE", "CPU", "MEM", "PROCS", "RESTARTS", "AGE"}

func (r topRow) cells() []string {
	cpu, mem, procs, age := "-", "-", "-", "-"
	if r.knowsCPU {
		cpu = percent(r.cpu)
	}
	if r.lives {
		mem, procs = humanBytes(r.tree.Memory), fmt.Sprint(r.tree.Processes)
	}
	if r.age > 0 {
		age = humanDuration(r.age)
	}
	return []string{string(r.id), string(r.phase), cpu, mem, procs, fmt.Sprint(r.restarts), age}
}
