package mutants

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// Verdict is what a row has come to.
type Verdict string

// Only Red is good. Skipped tests guard nothing here; on another machine, or as
// root, they may.
const (
	Red      Verdict = "red"
	Survived Verdict = "survived"       // a named test does not fail without the mending
	Stale    Verdict = "stale"          // the text is not in its file exactly once
	NoBuild  Verdict = "does not build" // without the mending
	Broken   Verdict = "broken"         // a named test fails with the mending, or has no verdict
	Skipped  Verdict = "skipped"
)

// Result is the verdict of a row, with the reason where it is not Red.
type Result struct {
	Row     Row
	Verdict Verdict
	Why     string
	Took    time.Duration
}

// Run judges the rows in the tree at root, as many at a time as workers, and calls
// report after each. It ends early, with an error, when ctx does or when nothing can
// be judged at all. The tree is not touched: the compiler is given the changed copy
// of a file in the place of the file (-overlay), so that all other packages are in
// the build cache already, from row to row and from run to run. What a test reads
// itself, it reads from the tree; a row is about Go code, or what that embeds.
func Run(ctx context.Context, root string, rows []Row, workers int, report func(Result)) error {
	return RunUntil(ctx, root, rows, workers, time.Time{}, report)
}

// RunUntil is Run that begins no row after an instant, unless that is zero.
func RunUntil(ctx context.Context, root string, rows []Row, workers int, until time.Time, report func(Result)) error {
	root, err := filepath.Abs(root)
	if err != nil {
		return err
	}
	b, err := newBench(ctx, root, rows)
	if err != nil {
		return err
	}
	queue := make(chan Row, len(rows))
	for _, r := range rows {
		queue <- r
	}
	close(queue)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var mu sync.Mutex
	var work sync.WaitGroup
	for range min(workers, len(rows)) {
		work.Go(func() {
			err := b.judgeAll(ctx, queue, until, func(r Result) {
				mu.Lock()
				defer mu.Unlock()
				report(r)
			})
			if err != nil {
				cancel(err)
			}
		})
	}
	work.Wait()
	return context.Cause(ctx)
}

// bench is what the workers share.
type bench struct {
	root  string
	flags string                             // $GOFLAGS
	clean map[string]func() (outcome, error) // package → how its named tests go with all mendings, looked at once
}

// newBench prepares one clean run for each package: a test binary takes longer to
// link than most tests to run.
func newBench(ctx context.Context, root string, rows []Row) (*bench, error) {
	flags, err := goFlags(ctx, root)
	if err != nil {
		return nil, err
	}
	b := &bench{root: root, flags: flags, clean: map[string]func() (outcome, error){}}
	names := map[string][]string{}
	for _, r := range rows {
		for _, t := range r.Tests {
			if !slices.Contains(names[t.Package], t.Name) {
				names[t.Package] = append(names[t.Package], t.Name)
			}
		}
	}
	for pkg, tests := range names {
		b.clean[pkg] = sync.OnceValues(func() (outcome, error) { return b.test(ctx, pkg, "", tests) })
	}
	return b, nil
}

func (b *bench) judgeAll(ctx context.Context, queue <-chan Row, until time.Time, report func(Result)) error {
	for r := range queue {
		if !until.IsZero() && time.Now().After(until) {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		began := time.Now()
		v, why, err := b.judge(ctx, r)
		if err != nil {
			return fmt.Errorf("%s: %w", r.ID(), err)
		}
		report(Result{Row: r, Verdict: v, Why: why, Took: time.Since(began)})
	}
	return nil
}

// judge runs the tests of a row with its mending, and without it.
func (b *bench) judge(ctx context.Context, r Row) (Verdict, string, error) {
	path := filepath.Join(b.root, filepath.FromSlash(r.File))
	text, err := os.ReadFile(path)
	if err != nil {
		return Stale, err.Error(), nil
	}
	mutated, err := r.apply(string(text))
	if err != nil {
		return Stale, err.Error(), nil
	}
	for _, pkg := range r.packages() {
		if v, why, err := b.fit(pkg, r.testsOf(pkg)); v != "" || err != nil {
			return v, why, err
		}
	}
	overlay, remove, err := writeOverlay(path, mutated)
	if err != nil {
		return "", "", err
	}
	defer remove()
	for _, pkg := range r.packages() {
		o, err := b.test(ctx, pkg, overlay, r.testsOf(pkg))
		if err != nil {
			return "", "", err
		}
		if v, why := mutantVerdict(pkg, r.testsOf(pkg), o); v != Red {
			return v, why, nil
		}
	}
	return Red, "", nil
}

// writeOverlay writes what go build -overlay reads: for one path, another text.
func writeOverlay(path, text string) (overlay string, remove func(), err error) {
	dir, err := os.MkdirTemp("", "mutants-")
	if err != nil {
		return "", nil, err
	}
	remove = func() { _ = os.RemoveAll(dir) }
	// Tests that go on as another user build, too.
	copied, overlay := filepath.Join(dir, filepath.Base(path)), filepath.Join(dir, "overlay.json")
	words, err := json.Marshal(map[string]map[string]string{"Replace": {path: copied}})
	err = errors.Join(err, os.Chmod(dir, 0o755), os.WriteFile(copied, []byte(text), 0o644), os.WriteFile(overlay, words, 0o644))
	if err != nil {
		remove()
	}
	return overlay, remove, err
}

// fit says what is wrong with tests while every mending is in; "" if nothing is.
func (b *bench) fit(pkg string, tests []string) (Verdict, string, error) {
	o, err := b.clean[pkg]()
	if err != nil {
		return "", "", err
	}
	for _, name := range tests {
		switch {
		case !o.built:
			return Broken, pkg + " does not build with the mending:\n" + tail(o.output), nil
		case o.failed[name]:
			return Broken, pkg + " " + name + " fails with the mending:\n" + tail(o.output), nil
		case o.skipped[name]:
			return Skipped, pkg + " " + name + " is skipped here:\n" + tail(o.output), nil
		case !o.passed[name]:
			return Broken, pkg + " has no test " + name + ":\n" + tail(o.output), nil
		}
	}
	if !o.ok && len(o.failed) == 0 {
		return Broken, pkg + " fails with the mending:\n" + tail(o.output), nil
	}
	return "", "", nil
}

func mutantVerdict(pkg string, tests []string, o outcome) (Verdict, string) {
	if !o.built {
		return NoBuild, tail(o.output)
	}
	for _, name := range tests {
		switch {
		case o.failed[name]:
		case o.passed[name]:
			return Survived, pkg + " " + name + " does not fail without the mending"
		default: // skipped, ended from outside, or its package fails before it
			return Broken, pkg + " " + name + " says nothing without the mending:\n" + tail(o.output)
		}
	}
	return Red, ""
}

// tail is the end of an output, where the reason is.
func tail(output string) string {
	lines := strings.Split(strings.TrimRight(output, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-30):], "\n")
}
