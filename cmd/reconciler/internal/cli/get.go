package cli

import (
	"context"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/reconciler-dev/reconciler/cmd/reconciler/internal/usage"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/status"
)

const getExamples = `  # All children
  reconciler get

  # With process and last exit
  reconciler get -o wide

  # Only those with the tag mail, as they change
  reconciler get -l mail -w

  # With the tag mail and without the tag canary
  reconciler get -l 'mail,!canary'

  # One child for a script
  reconciler get payments/worker -o jsonpath='{.phase}'

  # Each name with its pid
  reconciler get -o jsonpath='{range [*]}{.child_id}{"\t"}{.pid}{"\n"}{end}'

  # The same with jq
  reconciler get -o json | jq -r '.[] | [.child_id, .pid] | @tsv'`

// getFlags are what get was asked for.
type getFlags struct {
	output    string
	noHeaders bool
	tags      []string
	watch     bool
	all       bool
}

func (a *app) getCommand() *cobra.Command {
	var f getFlags
	cmd := &cobra.Command{
		Use:   "get [CHILD...]",
		Short: "Show the state of children",
		Long: `Show the state of children, all of them unless some are named.

READY is the condition of that name; AGE is for how long the process runs. -o wide
adds the process, what its whole process tree uses (CPU: the average since it
started, in percent of one core) and how the last attempt ended. -o json and yaml
print the status files, one object for one named child and a list otherwise;
jsonpath picks from the same, in the syntax of kubectl. Where everybody may read the
files they come without what children, hooks and probes printed; those who may use the
control socket get that too, and "captured" tells which it is.

The status directory is read, so this works without a running reconciler too, and
then says so.`,
		Example:           getExamples,
		ValidArgsFunction: a.completeChildren,
		RunE: func(cmd *cobra.Command, names []string) error {
			if err := oneOfOutputs(f.output, outputs...); err != nil {
				return err
			}
			return a.get(cmd.Context(), names, f, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().StringVarP(&f.output, "output", "o", "table", "`FORMAT`: table, wide, json, yaml, name or jsonpath=TEMPLATE")
	cmd.Flags().BoolVar(&f.noHeaders, "no-headers", false, "print no line of headers")
	cmd.Flags().StringSliceVarP(&f.tags, "tag", "l", nil, "only children with this `TAG`, with !TAG only those without; several, with commas or repeated: all must hold")
	cmd.Flags().BoolVarP(&f.watch, "watch", "w", false, "go on and print every child that changes")
	cmd.Flags().BoolVarP(&f.all, "all", "a", false, "supervisors, that is folders, too")
	completeValues(cmd, "output", outputs...)
	return cmd
}

func (a *app) get(ctx context.Context, names []string, f getFlags, out, messages io.Writer) error {
	if _, err := a.warnIfDead(messages); err != nil {
		return err
	}
	p, err := a.newChildPrinter(out, f, len(names) == 1)
	if err != nil {
		return err
	}
	if f.watch {
		return a.watch(ctx, names, f, p)
	}
	children, missing, err := a.selectChildren(names, f)
	if err != nil {
		return err
	}
	if len(children) == 0 && len(missing) == 0 && p.isTable() {
		return tell(messages, "There are no children.")
	}
	if p.isWhole() {
		children = a.whole(ctx, children)
	}
	if len(children) > 0 || !p.isTable() { // headers alone are no answer
		if err := p.print(children); err != nil {
			return err
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return a.noSuchChild(missing[0])
}

// selectChildren reads the children that were asked for, sorted by id, and says
// which of the names nobody bears.
func (a *app) selectChildren(names []string, f getFlags) (found []*status.Child, missing []string, err error) {
	all, err := status.ReadAll(a.Status)
	if err != nil {
		return nil, nil, err
	}
	for _, c := range all {
		wanted := slices.Contains(names, string(c.ID)) || len(names) == 0 && (f.all || c.Kind != child.Supervisor)
		if wanted && selects(f.tags, c.Tags) {
			found = append(found, c)
		}
	}
	for _, name := range names {
		if !slices.ContainsFunc(all, func(c *status.Child) bool { return string(c.ID) == name }) {
			missing = append(missing, name)
		}
	}
	return found, missing, nil
}

// selects reports whether a child with these tags is one that -l asks for.
func selects(wanted, tags []string) bool {
	return !slices.ContainsFunc(wanted, func(t string) bool {
		tag, without := strings.CutPrefix(t, "!")
		return slices.Contains(tags, tag) == without
	})
}

// mains are the processes of children, by child.
func mains(children []*status.Child) map[child.ID]int {
	pids := map[child.ID]int{}
	for _, c := range children {
		if c.PID != nil {
			pids[c.ID] = *c.PID
		}
	}
	return pids
}

// row is one child as the columns of a table.
func (p *childPrinter) row(c *status.Child, used usage.Sample) []string {
	ready, age := "-", "-"
	if r, ok := c.Condition(child.ConditionReady); ok {
		ready = r.Status
	}
	if c.PID != nil && c.StartedAt != nil {
		age = humanDuration(p.now().Sub(*c.StartedAt))
	}
	row := []string{string(c.ID), ready, phaseText(c), strconv.FormatUint(c.RestartCount, 10), age}
	if p.flags.output == "wide" {
		cpu, mem := p.usageText(c, used)
		row = append(row, pidText(c.PID), cpu, mem, p.lastExit(c.LastExit))
	}
	return row
}

// phaseText is the phase, and that a log holds the child up: by the phase alone all
// would be well. The form is that of kubectl get nodes.
func phaseText(c *status.Child) string {
	if l, ok := c.Condition(child.ConditionLogWritable); ok && l.Status == "False" {
		return string(c.Phase) + "," + l.Reason
	}
	return string(c.Phase)
}

// usageText is what the tree of a child uses: the average of one core since it
// started, and the memory now.
func (p *childPrinter) usageText(c *status.Child, used usage.Sample) (cpu, mem string) {
	t, known := used.Trees[c.ID]
	if !known {
		return "-", "-"
	}
	cpu = "-"
	if c.StartedAt != nil && used.At.After(*c.StartedAt) {
		cpu = percent(100 * float64(t.CPU) / float64(used.At.Sub(*c.StartedAt)))
	}
	return cpu, humanBytes(t.Memory)
}

func (p *childPrinter) lastExit(e *status.Exit) string {
	if e == nil {
		return "-"
	}
	text := e.Words.With(e.Reason)
	if e.FinishedAt != nil {
		text += ", " + humanDuration(p.now().Sub(*e.FinishedAt)) + " ago"
	}
	return text
}

func pidText(pid *int) string {
	if pid == nil {
		return "-"
	}
	return strconv.Itoa(*pid)
}
