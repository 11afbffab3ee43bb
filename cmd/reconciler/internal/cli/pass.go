package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/status"
)

// passEvery is how often the result of a pass is looked for.
const passEvery = 50 * time.Millisecond

// awaitPass waits until the status directory shows a pass that began after the
// time asked.
func (a *app) awaitPass(ctx context.Context, asked time.Time) (*status.Runtime, error) {
	tick := time.NewTicker(passEvery)
	defer tick.Stop()
	for {
		r, err := status.ReadRuntime(a.Status)
		switch {
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return nil, err
		case err == nil && r.LastRequested != nil && r.LastRequested.At.After(asked):
			return r, nil
		}
		if _, err := a.holderPID(); err != nil {
			return nil, err // it ended meanwhile
		}
		select {
		case <-ctx.Done():
			return nil, withCode(TimedOut, "no result of a pass in %s/%s.json: the reconciler is busy, or its status directory is another one", a.Status, runtimeFile)
		case <-tick.C:
		}
	}
}

// printPass prints what a pass did. It is an error when something was refused or
// held back.
func printPass(r *status.Runtime, out io.Writer) error {
	var done []string
	for _, verb := range slices.Sorted(maps.Keys(r.LastRequested.Actions)) {
		if n := r.LastRequested.Actions[verb]; n > 0 {
			done = append(done, fmt.Sprintf("%s %d", verb, n))
		}
	}
	if len(done) == 0 {
		done = []string{"nothing to do"}
	}
	if _, err := fmt.Fprintln(out, strings.Join(done, ", ")); err != nil {
		return err
	}
	var wrong []string
	for _, e := range r.LastRequested.Errors {
		wrong = append(wrong, fmt.Sprintf("%s %s: %s", e.Action, e.ID, clean(e.Message)))
	}
	if s, ok := r.Condition(child.ConditionStalled); ok && s.Status == "True" {
		wrong = append(wrong, s.Reason+": "+clean(s.Message))
	}
	if len(r.Problems) > 0 {
		wrong = append(wrong, "the manifests have "+count(len(r.Problems), "problem")+": see reconciler validate")
	}
	if len(wrong) > 0 {
		return errors.New(strings.Join(wrong, "\n"))
	}
	return nil
}
