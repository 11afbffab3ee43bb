package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"

	"github.com/spf13/cobra"

	"github.com/reconciler-dev/reconciler/internal/harmless"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/logs"
)

const logsExamples = `  # All that worker printed, as far as it is kept
  reconciler logs worker

  # The last ten lines, and then what comes
  reconciler logs payments/worker --tail 10 -f

  # What was printed in the last ten minutes?
  reconciler logs worker --since 10m

  # What did the attempt before this one say?
  reconciler logs worker --previous`

func (a *app) logsCommand() *cobra.Command {
	var o logs.Options
	var since string
	var raw bool
	cmd := &cobra.Command{
		Use:   "logs CHILD...",
		Short: "Print the output of children",
		Long: `Print the output of children, standard output and standard error as they came.

On a terminal, what could command it is shown and not obeyed, colours included: a
child must not be able to set its title or hide a line. --raw passes every byte on, as
is done where standard output is a file or a pipe.

Output is read from the state directory, so this works without a running reconciler
and for a child that was removed. With several children each line begins with the
child that printed it.

--since goes by the times that begin the lines of a child with logs: {timestamps: true}.
The lines of others have none: then whole attempts are shown, and it says so.`,
		Example:           logsExamples,
		Args:              args(cobra.MinimumNArgs(1)),
		ValidArgsFunction: a.completeChildren,
		RunE: func(cmd *cobra.Command, names []string) error {
			if since != "" {
				t, err := parseSince(since, a.Now())
				if err != nil {
					return err
				}
				o.Since = t
			}
			return a.logs(cmd.Context(), names, o, logsOut(cmd.OutOrStdout(), raw), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().BoolVarP(&o.Follow, "follow", "f", false, "go on with what is printed from now on")
	cmd.Flags().IntVarP(&o.Tail, "tail", "n", 0, "print only the last `N` lines (0: all)")
	cmd.Flags().StringVar(&since, "since", "", "only what was printed since a `TIME`: 10m, 2026-11-26T12:00:00Z, '2026-11-26 12:00:00', 2026-11-26")
	cmd.Flags().BoolVar(&raw, "raw", false, "on a terminal too, print every byte as it is")
	cmd.Flags().BoolVarP(&o.Previous, "previous", "p", false, "print what the attempt before the newest one printed")
	return cmd
}

// logsOut is where the output of children goes: as it is, but for a terminal.
func logsOut(w io.Writer, raw bool) io.Writer {
	if out, ok := w.(*harmless.Writer); ok && (raw || !isTerminal(w)) {
		return out.Raw()
	}
	return w
}

func (a *app) logs(ctx context.Context, names []string, o logs.Options, out, messages io.Writer) error {
	switch {
	case o.Follow && o.Previous:
		return withCode(Usage, "--previous is over: it cannot be followed")
	case o.Tail < 0:
		return withCode(Usage, "--tail %d: want 0 for all or the number of lines", o.Tail)
	}
	ids := make([]child.ID, 0, len(names))
	for _, name := range names {
		id, err := child.ParseID(name)
		if err != nil || !a.isKnown(id) {
			return a.noSuchChild(name)
		}
		ids = append(ids, id)
	}
	if len(ids) == 1 {
		return a.logsOf(ctx, ids[0], o, out, messages)
	}
	return a.logsOfMany(ctx, ids, o, out, messages)
}

// logsOf copies the output of one child.
func (a *app) logsOf(ctx context.Context, id child.ID, o logs.Options, out, messages io.Writer) error {
	o.Missed = func(n int64) {
		tell(messages, "%s: %d bytes of output were rotated away before they could be read", id, n)
	}
	o.Untimed = func() {
		tell(messages, "%s: the lines have no times (logs: {timestamps: true} writes them), so some may be older", id)
	}
	err := logs.Follow(ctx, a.logDir(id), o, out)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		tell(messages, "%s has printed nothing", id)
		return nil
	case errors.Is(err, logs.ErrNoPrevious):
		return fmt.Errorf("%s: %w", id, err)
	}
	return err
}

// logsOfMany copies the output of several children at once when it follows them,
// else of one after the other.
func (a *app) logsOfMany(ctx context.Context, ids []child.ID, o logs.Options, out, messages io.Writer) error {
	out, messages = &lockedWriter{w: out}, &lockedWriter{w: messages}
	errs := make([]error, len(ids))
	var all sync.WaitGroup
	for i, id := range ids {
		one := func() {
			w := &prefixWriter{w: out, prefix: string(id) + " | "}
			errs[i] = errors.Join(a.logsOf(ctx, id, o, w, messages), w.finish())
		}
		if o.Follow {
			all.Go(one)
		} else {
			one()
		}
	}
	all.Wait()
	return errors.Join(errs...)
}

// prefixWriter puts a prefix in front of every line, and writes whole lines.
type prefixWriter struct {
	w      io.Writer
	prefix string
	line   []byte // begun and not ended
}

func (p *prefixWriter) Write(b []byte) (int, error) {
	var out []byte
	for part := range bytes.Lines(b) {
		p.line = append(p.line, part...)
		if part[len(part)-1] == '\n' {
			out = append(append(out, p.prefix...), p.line...)
			p.line = p.line[:0]
		}
	}
	if len(out) > 0 {
		if _, err := p.w.Write(out); err != nil {
			return 0, err
		}
	}
	return len(b), nil
}

// finish writes a last line that had no end.
func (p *prefixWriter) finish() error {
	if len(p.line) == 0 {
		return nil
	}
	_, err := p.Write([]byte{'\n'})
	return err
}

// lockedWriter lets several goroutines write whole pieces.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}
