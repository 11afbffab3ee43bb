package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/reconciler-dev/reconciler/pkg/control"
	"github.com/reconciler-dev/reconciler/pkg/control/client"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/status"
)

const shutdownExamples = `  # Stop everything, dependants before what they depend on
  reconciler shutdown --reason "kernel update"

  # For a program
  reconciler shutdown -o json | jq -r '.children[] | select(.status == "aborted") | .child_id'`

// shutdownFlags are what shutdown was asked for.
type shutdownFlags struct {
	reason  string
	output  string
	timeout time.Duration
}

func (a *app) shutdownCommand() *cobra.Command {
	var f shutdownFlags
	cmd := &cobra.Command{
		Use:   "shutdown [--reason TEXT]",
		Short: "Stop all children and end the reconciler",
		Long: `Stop all children, dependants before what they depend on, end the reconciler, and
print how each child ended. Meanwhile it tells on standard error what it still waits
for. The children stop also where run was told --on-exit leave.

The exit code is 6 if anything may have been left alive: the error names it, and the
report has it in "orphans" and says verified_clean: false. Whoever interrupts the verb
does not interrupt the shutdown.`,
		Example: shutdownExamples,
		Args:    args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if strings.TrimSpace(f.reason) == "" {
				return withCode(Usage, "--reason is blank: say why, or leave it out")
			}
			if err := oneOf("output", f.output, "text", "json"); err != nil {
				return err
			}
			return a.ask(func(c *client.Client) error {
				return a.shutdown(cmd.Context(), c, f, cmd.OutOrStdout(), cmd.ErrOrStderr())
			})
		},
	}
	cmd.Flags().StringVar(&f.reason, "reason", "manual shutdown", "why, for the journal and the report")
	cmd.Flags().StringVarP(&f.output, "output", "o", "text", "text or json")
	cmd.Flags().DurationVar(&f.timeout, "timeout", 0, "wait this long for the end (0: until it has come)")
	completeValues(cmd, "output", "text", "json")
	return cmd
}

func (a *app) shutdown(ctx context.Context, c *client.Client, f shutdownFlags, out, messages io.Writer) error {
	if f.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, f.timeout)
		defer cancel()
	}
	type answer struct {
		report *control.ShutdownReport
		err    error
	}
	down := make(chan answer, 1)
	go func() {
		report, err := c.Shutdown(ctx, control.ShutdownRequest{Reason: &f.reason})
		down <- answer{report, err}
	}()
	p := newProgress(messages)
	defer p.done()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		select {
		case got := <-down:
			p.done()
			if errors.Is(got.err, context.DeadlineExceeded) {
				return withCode(TimedOut, "not down after %s; the shutdown goes on", f.timeout)
			}
			if got.err != nil {
				return got.err
			}
			return printShutdown(got.report, f.output, out)
		case <-tick.C:
			a.sayStopping(ctx, c, p)
		}
	}
}

// sayStopping tells which children a shutdown still waits for. That they cannot be
// asked for is no news: the end may have come.
func (a *app) sayStopping(ctx context.Context, c *client.Client, p *progress) {
	all, err := c.Children(ctx, client.Filter{})
	if err != nil {
		return
	}
	var names, texts []string
	for _, s := range all {
		if s.Phase == child.Stopping || s.Phase.HasProcess() && s.Kind != child.Supervisor {
			names = append(names, string(s.ID))
			texts = append(texts, string(s.ID)+timeLeft(s.StopDeadline, a.Now()))
		}
	}
	if len(names) > 0 {
		p.say(names, texts)
	}
}

// printShutdown prints how each child ended. It is an error if one did not.
func printShutdown(r *control.ShutdownReport, output string, out io.Writer) error {
	var err error
	if output == "json" {
		err = writeJSON(out, r)
	} else {
		err = printEnds(r, out)
	}
	orphans := r.Orphans
	for _, e := range r.Children {
		if r.Orphans == nil && e.Status == "abort_failed" { // a reconciler of an older version lists none
			orphans = append(orphans, child.Orphan{ID: e.ID, Reason: endReason(e)})
		}
	}
	if err != nil || len(orphans) == 0 {
		return err
	}
	return LeftAliveError(orphans)
}

// LeftAliveError names what a shutdown left behind.
func LeftAliveError(orphans []child.Orphan) error {
	var all []string
	for _, o := range orphans {
		who := string(o.ID)
		if o.PID > 0 {
			who = fmt.Sprintf("%s (pid %d)", o.ID, o.PID)
		}
		all = append(all, who+": "+o.Reason)
	}
	return withCode(LeftAlive, "not everything could be stopped, and this may be alive: %s", strings.Join(all, "; "))
}

func printEnds(r *control.ShutdownReport, out io.Writer) error {
	rows := [][]string{{"NAME", "OUTCOME", "REASON"}}
	for _, e := range r.Children {
		if e.Attempt > 0 || e.Status != "already_exited" {
			rows = append(rows, []string{string(e.ID), e.Status, endReason(e)})
		}
	}
	if len(rows) > 1 {
		table := tableWriter{w: out}
		if err := table.print(rows); err != nil {
			return err
		}
	}
	return tell(out, "All children are down after %s.", humanDuration(r.CompletedAt.Sub(r.StartedAt)))
}

func endReason(e status.ChildEnd) string {
	if e.Reason == "" {
		return "-"
	}
	return e.Reason
}
