package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/reconciler-dev/reconciler/internal/harmless"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/journal"
)

const eventsExamples = `  # What happened in the last ten minutes?
  reconciler events --since 10m

  # The last twenty events of one child, and then what comes
  reconciler events --child payments/worker --tail 20 -f

  # All of a folder since noon
  reconciler events --child payments --since '2026-11-26 12:00:00'

  # Exits, for a program
  reconciler events --type child_exited -o json | jq -r '[.child_id, .exit.reason] | @tsv'

  # All that followed from one command or exit, as -o wide names it
  reconciler events --correlation payments/worker#7.3

  # For a program that goes on where it stopped reading
  reconciler events -f --after 4711 -o json`

// eventsFlags are what events was asked for.
type eventsFlags struct {
	follow   bool
	children []string
	types    []string
	since    string
	after    uint64
	tail     int
	output   string

	correlation string
}

func (a *app) eventsCommand() *cobra.Command {
	var f eventsFlags
	cmd := &cobra.Command{
		Use:   "events",
		Short: "Show what happened: starts, exits, commands and who gave them",
		Long: `Show the journal: every change of state, oldest first, with its reason and who asked
for it.

Events are numbered without gaps, over restarts too. -o json prints one object a
line with its sequence; --after goes on behind a number. When events were rotated
away before they could be read, a line {"missed": {"from", "to", "count"}} says
which; the table says it on standard error.

-o wide adds the sequence and the correlation id, which is the same for all that
follows from one command or one exit; --correlation shows only that.

The journal is read from the state directory, so this works without a running
reconciler and for a child that was removed.`,
		Example: eventsExamples,
		Args:    args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.events(cmd.Context(), f, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	flags := cmd.Flags()
	flags.BoolVarP(&f.follow, "follow", "f", false, "go on with what happens from now on")
	flags.StringArrayVarP(&f.children, "child", "c", nil, "only events of this `CHILD`, or of all in this folder; repeated: of any of them")
	flags.StringSliceVarP(&f.types, "type", "t", nil, "only events of this `TYPE`, such as child_exited; repeated, or several with commas: of any of them")
	flags.StringVar(&f.since, "since", "", "only events since a `TIME`: 10m, 2026-11-26T12:00:00Z, '2026-11-26 12:00:00', 2026-11-26")
	flags.Uint64Var(&f.after, "after", 0, "only events with a sequence above `N`")
	flags.IntVar(&f.tail, "tail", 0, "of those, only the last `N` (0: all)")
	flags.StringVar(&f.correlation, "correlation", "", "only events with this correlation `ID`")
	flags.StringVarP(&f.output, "output", "o", "table", "table, wide or json")
	completeValues(cmd, "output", eventOutputs...)
	for flag, complete := range map[string]cobra.CompletionFunc{"child": a.completeChildren, "type": a.completeTypes} {
		if err := cmd.RegisterFlagCompletionFunc(flag, complete); err != nil {
			panic("cli: the flag was just defined: " + err.Error())
		}
	}
	return cmd
}

// eventOutputs are the values of -o where events are printed.
var eventOutputs = []string{"table", "wide", "json"}

// completeTypes offers the types that occurred lately.
func (a *app) completeTypes(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	const lately = 5000
	seen := map[string]bool{}
	for i, err := range journal.Read(filepath.Join(a.State, "journal"), journal.Options{Newest: lately}) {
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		if i.Missed == nil {
			seen[string(i.Type)] = true
		}
	}
	return slices.Sorted(maps.Keys(seen)), cobra.ShellCompDirectiveNoFileComp
}

func (a *app) events(ctx context.Context, f eventsFlags, out, messages io.Writer) error {
	o, err := a.eventOptions(f)
	if err != nil {
		return err
	}
	dir := filepath.Join(a.State, "journal")
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		if !f.follow {
			return withCode(NoDaemon, "no reconciler has run with the state directory %s (start one with: %s)", a.State, a.startCommand())
		}
		tell(messages, "No reconciler has run with the state directory %s yet: waiting for one.", a.State)
	}
	p := &eventPrinter{out: bufio.NewWriter(out), messages: messages, json: f.output == "json", wide: f.output == "wide"}
	p.table.w = p.out
	if err := p.printAll(journal.Read(dir, o)); err != nil {
		return eventsError(err)
	}
	if f.follow {
		o.Newest, o.After = 0, max(o.After, p.last)
		return eventsError(p.printEach(journal.Follow(ctx, dir, o)))
	}
	if p.count > 0 {
		return nil
	}
	for _, name := range f.children {
		if id := child.ID(name); !a.isKnown(id) && !a.hasEvents(dir, id) {
			return a.noSuchChild(name)
		}
	}
	return tell(messages, "No such event is on record.")
}

// eventOptions checks the flags.
func (a *app) eventOptions(f eventsFlags) (journal.Options, error) {
	if err := oneOf("output", f.output, eventOutputs...); err != nil {
		return journal.Options{}, err
	}
	if f.tail < 0 {
		return journal.Options{}, withCode(Usage, "--tail %d: want 0 for all or the number of events", f.tail)
	}
	o := journal.Options{After: f.after, Newest: f.tail}
	if f.since != "" {
		t, err := parseSince(f.since, a.Now())
		if err != nil {
			return o, err
		}
		o.Since = t
	}
	for _, name := range f.children {
		if _, err := child.ParseID(name); err != nil {
			return o, a.noSuchChild(name)
		}
	}
	if len(f.children)+len(f.types)+len(f.correlation) > 0 {
		o.Want = func(e *journal.Entry) bool {
			return (len(f.types) == 0 || slices.Contains(f.types, string(e.Type))) && isOf(e.ChildID, f.children) &&
				(f.correlation == "" || f.correlation == e.CorrelationID)
		}
	}
	return o, nil
}

// isOf reports whether id is one of names, or below one that is a folder.
func isOf(id child.ID, names []string) bool {
	return len(names) == 0 || slices.ContainsFunc(names, func(name string) bool {
		return string(id) == name || strings.HasPrefix(string(id), name+"/")
	})
}

// hasEvents reports whether the journal knows of a child.
func (a *app) hasEvents(dir string, id child.ID) bool {
	of := []string{string(id)}
	for _, err := range journal.Read(dir, journal.Options{Newest: 1, Want: func(e *journal.Entry) bool { return isOf(e.ChildID, of) }}) {
		return err == nil
	}
	return false
}

// parseSince is a time, or how long ago it was.
func parseSince(text string, now time.Time) (time.Time, error) {
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	for _, layout := range []string{time.RFC3339, time.DateTime, time.DateOnly} {
		if t, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return t, nil
		}
	}
	return time.Time{}, withCode(Usage, "--since %q: want how long ago, such as 10m, or a time, such as 2026-11-26T12:00:00Z or '2026-11-26 12:00:00'", text)
}

// eventsError says what a user can do about a number that is too high.
func eventsError(err error) error {
	if errors.Is(err, journal.ErrAhead) {
		return fmt.Errorf("%w: the journal was deleted and began anew; leave --after out", err)
	}
	return err
}

// rowsTogether is how many events are aligned with each other and written at once.
const rowsTogether = 500

// eventPrinter prints the items of a journal.
type eventPrinter struct {
	out      *bufio.Writer
	messages io.Writer
	json     bool
	wide     bool
	table    tableWriter
	rows     [][]string // not printed yet
	headers  bool       // they were printed
	last     uint64     // the number of the newest event
	count    int
}

// printAll prints what there is.
func (p *eventPrinter) printAll(items iter.Seq2[journal.Item, error]) error {
	for i, err := range items {
		if err == nil {
			err = p.print(i)
		}
		if err == nil && len(p.rows) >= rowsTogether {
			err = p.flush()
		}
		if err != nil {
			return errors.Join(err, p.flush())
		}
	}
	return p.flush()
}

// printEach prints every item as it comes.
func (p *eventPrinter) printEach(items iter.Seq2[journal.Item, error]) error {
	for i, err := range items {
		if err == nil {
			err = p.print(i)
		}
		if err = errors.Join(err, p.flush()); err != nil {
			return err
		}
	}
	return nil
}

func (p *eventPrinter) print(i journal.Item) error {
	p.count++
	switch {
	case i.Missed != nil && !p.json:
		err := tell(p.messages, "%s: they were rotated away before they could be read", i.Missed)
		return errors.Join(err, p.flush())
	case i.Missed == nil:
		p.last = i.Sequence
	}
	if p.json {
		return write(p.out, string(harmless.JSON(i.Line))+"\n")
	}
	row := eventRow(&i.Entry)
	if p.wide {
		row = append(row, strconv.FormatUint(i.Sequence, 10), i.CorrelationID)
	}
	p.rows = append(p.rows, row)
	return nil
}

func (p *eventPrinter) flush() error {
	rows := p.rows
	if len(rows) > 0 && !p.headers {
		p.headers = true
		header := []string{"TIME", "CHILD", "EVENT", "WHAT HAPPENED", "BY"}
		if p.wide {
			header = append(header, "SEQUENCE", "CORRELATION")
		}
		rows = append([][]string{header}, rows...)
	}
	p.rows = p.rows[:0]
	if len(rows) > 0 {
		if err := p.table.print(rows); err != nil {
			return err
		}
	}
	return p.out.Flush()
}

// eventRow is one event as the columns of a table.
func eventRow(e *journal.Entry) []string {
	row := []string{e.Time.Local().Format("2006-01-02 15:04:05.000"), string(e.ChildID), string(e.Type), whatHappened(e), e.RequestedBy}
	for i, cell := range row {
		if cell == "" {
			row[i] = "-"
		}
	}
	return row
}

// whatHappened is an event in a few words.
func whatHappened(e *journal.Entry) string {
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	switch {
	case e.Command != nil && e.Command.Code != "":
		add("%s refused (%s)", e.Command.Verb, e.Command.Code)
	case e.Command != nil:
		add("%s: %s", strings.TrimSpace(string(e.Command.Verb)+" "+e.Command.Signal), e.Command.Result)
	case e.PID > 0:
		add("attempt %d, pid %d", e.Attempt, e.PID)
	case e.Attempt > 0:
		add("attempt %d", e.Attempt)
	}
	if e.To != "" && e.To != e.Reason {
		add("%s", strings.TrimPrefix(e.From+" → "+e.To, " → "))
	}
	words := e.Words
	switch {
	case e.Exit != nil && e.Exit.Reason != e.Reason:
		add("%s", e.Exit.Words.With(e.Exit.Reason))
	case e.Exit != nil && words == "":
		words = e.Exit.Words
	}
	if text := words.With(e.Reason); text != "" {
		add("%s", text)
	}
	if e.Exit != nil && e.Exit.Duration > 0 {
		add("after %s", humanDuration(e.Exit.Duration.Duration()))
	}
	if e.Delay > 0 {
		add("next start in %s", humanDuration(e.Delay.Duration()))
	}
	if e.Request != "" {
		add("because: %s", e.Request)
	}
	return strings.Join(parts, "; ")
}
