package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/reconciler-dev/reconciler/cmd/reconciler/internal/usage"
	"github.com/reconciler-dev/reconciler/internal/harmless"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/logs"
	"github.com/reconciler-dev/reconciler/pkg/status"
)

// describeLines is how many lines of output describe shows.
const describeLines = 10

func (a *app) describeCommand() *cobra.Command {
	var output string
	var owners Owners
	cmd := &cobra.Command{
		Use:   "describe CHILD",
		Short: "Show all that is known of one child, and why it is as it is",
		Long: `Show all that is known of one child: why it is in its phase, its process, its
conditions, the effective value of each field of its spec and where it came from
(its manifest, the defaults of a folder, its role, or what is built in), how its
last attempts ended, and the last lines of its output.

The status, state and manifests directories are read. Values of environment
variables are not shown.`,
		Example: `  # Why does it not run?
  reconciler describe payments/worker

  # Who decided how long it may take to stop?
  reconciler describe payments/worker -o json | jq '.effective_spec["shutdown.graceful_timeout_secs"]'`,
		Args:              args(cobra.ExactArgs(1)),
		ValidArgsFunction: a.completeOneChild,
		RunE: func(cmd *cobra.Command, names []string) error {
			if err := oneOf("output", output, "text", "json", "yaml"); err != nil {
				return err
			}
			r, err := a.warnIfDead(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			return a.describe(cmd.Context(), names[0], r.State, describeFlags{output, owners}, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text, json or yaml")
	owners.add(cmd)
	completeValues(cmd, "output", "text", "json", "yaml")
	return cmd
}

// describeFlags are what describe was asked for.
type describeFlags struct {
	output string
	owners Owners
}

func (a *app) describe(ctx context.Context, name string, runtime status.State, f describeFlags, out, messages io.Writer) error {
	id, err := child.ParseID(name)
	if err != nil {
		return a.noSuchChild(name)
	}
	c, err := status.ReadChild(a.Status, id)
	if errors.Is(err, fs.ErrNotExist) {
		return a.noSuchChild(name)
	} else if err != nil {
		return err
	}
	c = a.whole(ctx, []*status.Child{c})[0]
	fields := a.effectiveSpec(id, f.owners, messages)
	if f.output != "text" {
		return printDescription(out, f.output, description{Status: c, Why: why(c, runtime, a.Now())}, fields)
	}
	var b strings.Builder
	p := describer{out: &b, now: a.Now()}
	p.facts(c)
	p.list("Why", why(c, runtime, p.now))
	p.conditions(c)
	p.effective(a.Manifests, fields)
	p.exits(c.Exits)
	if c.LastExit != nil {
		p.lines(fmt.Sprintf("Last lines of attempt %d, which ended", c.LastExit.Attempt), c.LastExit.LogTail)
	}
	p.lines("Last lines of its output", logs.Tail(a.logDir(id), describeLines))
	if isSilenced(c) {
		tell(messages, withheldNotice)
	}
	return write(out, b.String())
}

// describer writes the sections of one description; its writer cannot fail.
type describer struct {
	out *strings.Builder
	now time.Time
}

// facts are the lines at the top. A fact without a value is left out.
func (p describer) facts(c *status.Child) {
	var rows [][]string
	fact := func(name, value string) {
		if value != "" {
			rows = append(rows, []string{name + ":", value})
		}
	}
	fact("Child", string(c.ID))
	fact("Kind", string(c.Kind))
	fact("Tags", strings.Join(c.Tags, ", "))
	fact("Manifest", manifestText(c.Manifest))
	fact("Phase", string(c.Phase))
	fact("Operation", string(c.Operation))
	if c.Kind != child.Supervisor {
		fact("Process", p.processText(c))
		if c.PID != nil {
			fact("Runs as", usage.Credentials(*c.PID))
		}
		fact("Ready", p.readyText(c))
		fact("Readiness", p.probeText(c.Health.Readiness))
		fact("Liveness", p.probeText(c.Health.Liveness))
		fact("Says of itself", saidText(c.Said))
		fact("Attempt", fmt.Sprintf("%d (generation %d, %s)", c.Attempt, c.Generation, count(int(c.RestartCount), "restart")))
	}
	if l := c.RestartLimit; l != nil {
		fact("Restart limit", fmt.Sprintf("%d of %d used in %s", l.Used, l.Limit, humanDuration(l.Window.Duration())))
	}
	if c.NextRunAt != nil {
		fact("Next run", moment(*c.NextRunAt, p.now))
	}
	if c.NextRestartAt != nil {
		fact("Next start", moment(*c.NextRestartAt, p.now))
	}
	if c.UpdatedAt != nil {
		fact("Updated", moment(*c.UpdatedAt, p.now))
	}
	p.table(rows)
}

// saidText is what a child said on its notify socket.
func saidText(s *child.Said) string {
	if s == nil {
		return ""
	}
	var parts []string
	if s.Status != "" {
		parts = append(parts, s.Status.Text())
	}
	switch {
	case s.Reloading:
		parts = append(parts, "reloading")
	case s.Stopping:
		parts = append(parts, "stopping")
	}
	if s.Refusals > 0 {
		parts = append(parts, count(s.Refusals, "message")+" refused")
	}
	if s.Foreign > 0 {
		parts = append(parts, count(s.Foreign, "message")+" of others refused")
	}
	if s.Refusals+s.Foreign > 0 {
		parts[len(parts)-1] = s.Refused.With(parts[len(parts)-1])
	}
	return strings.Join(parts, "; ")
}

func manifestText(m status.Manifest) string {
	if m.File == "" {
		return "none: defaults hold"
	}
	text := fmt.Sprintf("%s, generation %d", m.File, m.Generation)
	if m.Document > 1 {
		text = fmt.Sprintf("%s, document %d, generation %d", m.File, m.Document, m.Generation)
	}
	if m.Generation != m.ObservedGeneration {
		text += fmt.Sprintf(" (generation %d in force)", m.ObservedGeneration)
	}
	return text
}

func (p describer) processText(c *status.Child) string {
	if c.PID == nil {
		return "none"
	}
	if c.StartedAt == nil {
		return "pid " + strconv.Itoa(*c.PID)
	}
	return fmt.Sprintf("pid %d, since %s", *c.PID, moment(*c.StartedAt, p.now))
}

func (p describer) readyText(c *status.Child) string {
	if !c.Ready() {
		return "no"
	}
	if c.ReadyAt == nil {
		return "yes"
	}
	return "yes, since " + moment(*c.ReadyAt, p.now)
}

// probeText is what a probe found last; "" for a child without one.
func (p describer) probeText(found status.Probe) string {
	if found.CheckedAt == nil {
		return ""
	}
	text := fmt.Sprintf("%s, seen %s", found.Status, moment(*found.CheckedAt, p.now))
	if found.Latency > 0 { // what the child says itself takes no time
		text = fmt.Sprintf("%s, looked at %s in %s", found.Status, moment(*found.CheckedAt, p.now), found.Latency.Duration().Round(10*time.Microsecond))
	}
	if found.ConsecutiveFailures > 0 {
		text += fmt.Sprintf(", %s in a row: %s", count(found.ConsecutiveFailures, "failure"), found.Words.With(found.Message))
	}
	return text
}

func (p describer) conditions(of *status.Child) {
	if len(of.Conditions) == 0 {
		return
	}
	rows := [][]string{{"  TYPE", "STATUS", "SINCE", "REASON", "MESSAGE"}}
	for _, c := range of.Conditions {
		rows = append(rows, []string{"  " + string(c.Type), c.Status, humanDuration(p.now.Sub(c.LastTransitionTime)), c.Reason, conditionMessage(of, c)})
	}
	p.out.WriteString("\nConditions:\n")
	p.table(rows)
}

func (p describer) exits(all []status.Exit) {
	if len(all) == 0 {
		return
	}
	rows := [][]string{{"  ATTEMPT", "PID", "KIND", "RAN", "ENDED", "REASON"}}
	for _, e := range all {
		ended := "-"
		if e.FinishedAt != nil {
			ended = humanDuration(p.now.Sub(*e.FinishedAt)) + " ago"
		}
		rows = append(rows, []string{"  " + strconv.FormatUint(uint64(e.Attempt), 10), pidText(e.PID), string(e.Kind),
			humanDuration(e.Duration.Duration()), ended, e.Words.With(e.Reason)})
	}
	p.out.WriteString("\nExits, the newest last:\n")
	p.table(rows)
}

func (p describer) table(rows [][]string) {
	t := tableWriter{w: p.out}
	if err := t.print(rows); err != nil {
		panic("cli: a strings.Builder refused a table: " + err.Error())
	}
}

// lines are a list of what a child printed. The bar keeps a line from being taken for
// one of ours, and from being a command to the runner of a pipeline.
func (p describer) lines(title string, printed []string) {
	barred := make([]string, 0, len(printed))
	for _, line := range printed {
		barred = append(barred, "| "+line)
	}
	p.list(title, barred)
}

func (p describer) list(title string, lines []string) {
	if len(lines) == 0 {
		return
	}
	p.out.WriteString("\n" + harmless.Text(title) + ":\n")
	for _, line := range lines {
		p.out.WriteString("  " + harmless.Text(line) + "\n")
	}
}
