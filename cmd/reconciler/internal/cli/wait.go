package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/reconciler-dev/reconciler/pkg/control"
	"github.com/reconciler-dev/reconciler/pkg/control/client"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/status"
)

const waitExamples = `  # Deploy, and go on when it serves
  cp web.yaml manifests/ && reconciler wait web --for ready --timeout 60s

  # A job
  reconciler restart migrate && reconciler wait migrate --for completed

  # Everything with a tag
  reconciler wait -l mail --for ready

  # It is gone, with all its processes
  rm manifests/web.yaml && reconciler wait web --for removed`

// goals are what can be waited for: whether a child has come so far, and in which
// phases it never will by itself.
var goals = map[string]struct {
	reached func(*status.Child) bool
	never   []child.Phase
}{
	"ready":       {func(c *status.Child) bool { return c.Ready() }, []child.Phase{child.Completed, child.FailedPhase, child.Quarantined}},
	"running":     {inPhase(child.Running), []child.Phase{child.Completed, child.FailedPhase, child.Quarantined}},
	"completed":   {inPhase(child.Completed), []child.Phase{child.FailedPhase, child.Quarantined}},
	"stopped":     {inPhase(child.Stopped, child.Completed, child.FailedPhase, child.Quarantined), nil},
	"failed":      {inPhase(child.FailedPhase), []child.Phase{child.Completed, child.Quarantined}},
	"quarantined": {inPhase(child.Quarantined), []child.Phase{child.Completed, child.FailedPhase}},
	"removed":     {func(*status.Child) bool { return false }, nil},
}

var goalNames = []string{"ready", "running", "completed", "stopped", "failed", "quarantined", "removed"}

func inPhase(phases ...child.Phase) func(*status.Child) bool {
	return func(c *status.Child) bool { return slices.Contains(phases, c.Phase) }
}

// waitFlags are what wait was asked for.
type waitFlags struct {
	goal    string
	timeout time.Duration
	tags    []string
}

func (a *app) waitCommand() *cobra.Command {
	var f waitFlags
	cmd := &cobra.Command{
		Use:   "wait CHILD... --for GOAL",
		Short: "Wait until children are ready, completed, removed …",
		Long: `Wait until every one of the children has come so far: ready, running, completed,
stopped (by whatever way it has no process), failed, quarantined or removed.

A child that does not exist yet is waited for: its manifest may just have been
written. Whoever cannot come so far by itself any more ends the wait with exit code 1
and the reason. When the time is over the exit code is 124, or 4 if a child never
existed.`,
		Example:           waitExamples,
		ValidArgsFunction: a.completeChildren,
		RunE: func(cmd *cobra.Command, names []string) error {
			switch {
			case len(names) > 0 && len(f.tags) > 0:
				return withCode(Usage, "name children or select them with -l, not both")
			case len(names) == 0 && len(f.tags) == 0:
				return withCode(Usage, "wait needs the names of children, or -l TAG")
			}
			if err := oneOf("for", f.goal, goalNames...); err != nil {
				return err
			}
			return a.ask(func(c *client.Client) error {
				w := waiting{app: a, client: c, flags: f, progress: newProgress(cmd.ErrOrStderr())}
				return w.run(cmd.Context(), names)
			})
		},
	}
	cmd.Flags().StringVar(&f.goal, "for", "ready", "what to wait for: "+strings.Join(goalNames, ", "))
	cmd.Flags().DurationVar(&f.timeout, "timeout", time.Minute, "wait this long")
	cmd.Flags().StringSliceVarP(&f.tags, "tag", "l", nil, "all children with this `TAG` instead of named ones, with !TAG all without; several, with commas or repeated: all must hold")
	completeValues(cmd, "for", goalNames...)
	return cmd
}

// waiting is one wait.
type waiting struct {
	app      *app
	client   *client.Client
	flags    waitFlags
	progress *progress
	left     []child.ID
	missing  error // why the first of those left that is not there is not
}

func (w *waiting) run(ctx context.Context, names []string) error {
	ctx, cancel := context.WithTimeout(ctx, w.flags.timeout)
	defer cancel()
	defer w.progress.done()
	var err error
	if w.left, err = selected(ctx, w.client, names, w.flags.tags); err != nil {
		return err
	}
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		texts, err := w.look(ctx)
		switch {
		case ctx.Err() != nil:
			return w.late()
		case err != nil:
			return err
		case len(w.left) == 0:
			return nil
		}
		var who []string
		for _, id := range w.left {
			who = append(who, string(id))
		}
		w.progress.say(who, texts)
		select {
		case <-ctx.Done():
			return w.late()
		case <-tick.C:
		}
	}
}

// look asks for every child that is left, and says what each of them does. Who has
// come so far is left no more.
func (w *waiting) look(ctx context.Context) (texts []string, err error) {
	now := w.app.Now()
	var left []child.ID
	var missing error
	for _, id := range w.left {
		c, err := w.client.Child(ctx, id)
		var refused *control.Error
		gone := errors.As(err, &refused) && refused.Code == control.CodeChildNotFound
		switch {
		case gone && w.flags.goal == "removed":
			continue
		case gone:
			if missing == nil {
				missing = err
			}
			left, texts = append(left, id), append(texts, string(id)+" (no such child yet)")
			continue
		case err != nil:
			return nil, err
		}
		goal := goals[w.flags.goal]
		switch {
		case goal.reached(c):
			continue
		case slices.Contains(goal.never, c.Phase):
			return nil, fmt.Errorf("%s cannot become %s any more: it is %s; %s", id, w.flags.goal, c.Phase, strings.Join(why(c, status.Alive, now), "; "))
		}
		left, texts = append(left, id), append(texts, string(id)+" "+stateText(c, now))
	}
	w.left, w.missing = left, missing
	return texts, nil
}

// stateText is what a child does, with the time that is left until its next step.
func stateText(c *status.Child, now time.Time) string {
	text := "(" + string(c.Phase) + ")"
	switch {
	case len(c.WaitsFor) > 0:
		text = "(waits for " + strings.Join(c.WaitsFor, ", ") + ")"
	case c.NextRestartAt != nil && c.NextRestartAt.After(now):
		text = fmt.Sprintf("(%s, starts in %s)", c.Phase, humanDuration(c.NextRestartAt.Sub(now)))
	case c.Phase == child.Stopping:
		text = "(stops)" + timeLeft(c.StopDeadline, now)
	}
	return text
}

// late is the error when the time is over.
func (w *waiting) late() error {
	if w.missing != nil {
		return w.app.explained(w.missing)
	}
	var who []string
	for _, id := range w.left {
		who = append(who, string(id))
	}
	return withCode(TimedOut, "after %s not %s: %s", w.flags.timeout, w.flags.goal, strings.Join(who, ", "))
}
