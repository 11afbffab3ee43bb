package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/reconciler-dev/reconciler/pkg/control"
	"github.com/reconciler-dev/reconciler/pkg/control/client"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// commandFlags are what the commands of children have in common.
type commandFlags struct {
	reason  string
	given   bool // the reason was given, be it blank
	tags    []string
	output  string
	timeout time.Duration
}

// commandVerb is a verb that commands children.
type commandVerb struct {
	name, short, long, examples string

	// done says what became of it, for each decision that is not "accepted" too.
	done, already string

	// send commands one child.
	send func(ctx context.Context, c *client.Client, id child.ID, body control.Command) (control.Outcome, error)
}

// command makes the cobra command of a verb.
func (a *app) command(v commandVerb) *cobra.Command {
	var f commandFlags
	cmd := &cobra.Command{
		Use:               v.name + " CHILD... [--reason TEXT]",
		Short:             v.short,
		Long:              v.long + "\n\n" + commandLong,
		Example:           v.examples,
		ValidArgsFunction: a.completeChildren,
		RunE: func(cmd *cobra.Command, names []string) error {
			f.given = cmd.Flags().Changed("reason")
			if err := f.check(v, names); err != nil {
				return err
			}
			return a.commandAll(cmd.Context(), v, f, names, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().StringVar(&f.reason, "reason", "manual "+v.name, "why, for the journal and for those who look later")
	cmd.Flags().StringSliceVarP(&f.tags, "tag", "l", nil, "all children with this `TAG` instead of named ones, with !TAG all without; several, with commas or repeated: all must hold")
	cmd.Flags().StringVarP(&f.output, "output", "o", "text", "text or json")
	cmd.Flags().DurationVar(&f.timeout, "timeout", 30*time.Second, "wait this long for the answers")
	completeValues(cmd, "output", "text", "json")
	return cmd
}

const commandLong = `The command is written to the journal with who gave it and why. It returns when the
reconciler has decided; "reconciler wait" waits for a child. Several children are
commanded one after the other, each once; what fails for one stops no other.`

func (f commandFlags) check(v commandVerb, names []string) error {
	switch {
	case f.given && strings.TrimSpace(f.reason) == "":
		return withCode(Usage, "--reason is blank: say why, or leave it out")
	case len(names) > 0 && len(f.tags) > 0:
		return withCode(Usage, "name children or select them with -l, not both")
	case len(names) == 0 && len(f.tags) == 0:
		return withCode(Usage, "%s needs the names of children, or -l TAG", v.name)
	}
	return oneOf("output", f.output, "text", "json")
}

// commandAll commands every child once and says what became of each.
func (a *app) commandAll(ctx context.Context, v commandVerb, f commandFlags, names []string, out, messages io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	return a.ask(func(c *client.Client) error {
		ids, err := selected(ctx, c, names, f.tags)
		if err != nil {
			return err
		}
		outcomes := []control.Outcome{}
		failures := failures{of: len(ids)}
		for _, id := range ids {
			if _, err := child.ParseID(string(id)); err != nil {
				failures.note(id, withCode(NoSuchChild, "child not found: %q", string(id)))
				continue
			}
			o, err := v.send(ctx, c, id, control.Command{Reason: &f.reason})
			if err != nil {
				if err = a.explained(err); isGeneral(err) {
					return err
				}
				failures.note(id, err)
				continue
			}
			outcomes = append(outcomes, o)
			if f.output == "text" {
				tell(out, "%s", v.say(o))
			}
		}
		if f.output == "json" {
			err = writeJSON(out, outcomes)
		}
		return errors.Join(err, failures.err(messages))
	})
}

// selected are the children that are meant, each once, in the order of their names
// on the line, or sorted if they are chosen by tag.
func selected(ctx context.Context, c *client.Client, names, tags []string) ([]child.ID, error) {
	var ids []child.ID
	for _, name := range names {
		if !slices.Contains(ids, child.ID(name)) {
			ids = append(ids, child.ID(name))
		}
	}
	if len(tags) == 0 {
		return ids, nil
	}
	without, with := partition(tags)
	all, err := c.Children(ctx, client.Filter{Tags: with})
	if err != nil {
		return nil, err
	}
	for _, s := range all {
		isMeant := len(with) > 0 || s.Kind != child.Supervisor // "!mail" is not the whole tree
		if isMeant && selects(without, s.Tags) {
			ids = append(ids, s.ID)
		}
	}
	if len(ids) == 0 {
		return nil, withCode(NoSuchChild, "no child has the tag %s", strings.ReplaceAll(strings.Join(tags, " and "), "!", "not "))
	}
	return ids, nil
}

// partition tells the tags with a ! from the others.
func partition(tags []string) (without, with []string) {
	for _, t := range tags {
		if strings.HasPrefix(t, "!") {
			without = append(without, t)
		} else {
			with = append(with, t)
		}
	}
	return without, with
}

// say tells what became of a command. The message, where there is one, says more
// than we know, and may say all.
func (v commandVerb) say(o control.Outcome) string {
	text := v.done
	switch o.Decision {
	case "idempotent":
		text = v.already
	case "already_pending":
		text = "a restart is pending already"
	case "queued_after_stop":
		text = v.done + " (it stops first)"
	}
	switch {
	case strings.HasPrefix(o.Message, text):
		return fmt.Sprintf("%s: %s", o.ChildID, o.Message)
	case o.Message != "":
		return fmt.Sprintf("%s: %s: %s", o.ChildID, text, o.Message)
	}
	return fmt.Sprintf("%s: %s", o.ChildID, text)
}

// isGeneral reports whether an error is of the reconciler and not of one child, so
// that there is no use in going on.
func isGeneral(err error) bool {
	code := Code(err)
	return code == NoDaemon || code == NotPermitted || code == TimedOut
}

// failures are what went wrong, each error with the name of its child.
type failures struct {
	of   int
	errs []error
}

func (f *failures) note(id child.ID, err error) {
	if said := err.Error(); !strings.HasPrefix(said, string(id)+" ") && !strings.HasPrefix(said, "child not found: ") {
		err = fmt.Errorf("%s: %w", id, err) // it does not say of whom it is
	}
	f.errs = append(f.errs, err)
}

// err is nil if there are none. The exit code is the one that all have, else Failed.
func (f *failures) err(messages io.Writer) error {
	if len(f.errs) == 0 {
		return nil
	}
	code := Code(f.errs[0])
	for _, err := range f.errs {
		if Code(err) != code {
			code = Failed
		}
		if f.of > 1 {
			tell(messages, "reconciler: %v", err)
		}
	}
	if f.of == 1 {
		return &exitError{code: code, err: f.errs[0]}
	}
	return withCode(code, "%d of %d children failed", len(f.errs), f.of)
}

// commandOf is the send of a command without an argument.
func commandOf(verb string) func(context.Context, *client.Client, child.ID, control.Command) (control.Outcome, error) {
	return func(ctx context.Context, c *client.Client, id child.ID, body control.Command) (control.Outcome, error) {
		return c.Command(ctx, verb, id, body)
	}
}
