package mutants

import (
	"context"
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
	Broken   Verdict = "broken"         // a named test fails with the mending, or is not there
	Skipped  Verdict = "skipped"
)

// Result is the verdict of a row, with the reason where it is not Red.
type Result struct {
	Row     Row
	Verdict Verdict
	Why     string
	Took    time.Duration
}

// Run judges the rows in copies of the tree at root, as many at a time as workers,
// and calls report after each. It ends early, with an error, when ctx does or when
// nothing can be judged at all. The rows of one file stay with one worker, in their
// order, so that its packages are built as seldom as can be.
func Run(ctx context.Context, root string, rows []Row, workers int, report func(Result)) error {
	names, err := files(ctx, root)
	if err != nil {
		return err
	}
	groups := byFile(rows)
	queue := make(chan []Row, len(groups))
	for _, g := range groups {
		queue <- g
	}
	close(queue)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	b := &bench{clean: map[string]func() (outcome, error){}}
	var mu sync.Mutex
	var work sync.WaitGroup
	for range min(workers, len(groups)) {
		work.Go(func() {
			err := b.judgeAll(ctx, root, names, queue, func(r Result) {
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

func byFile(rows []Row) [][]Row {
	var groups [][]Row
	at := map[string]int{}
	for _, r := range rows {
		i, known := at[r.File]
		if !known {
			i = len(groups)
			at[r.File] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], r)
	}
	return groups
}

// bench is what the workers share.
type bench struct {
	mu    sync.Mutex
	clean map[string]func() (outcome, error) // package and tests → how they go with all mendings, looked at once
}

func (b *bench) judgeAll(ctx context.Context, root string, names []string, queue <-chan []Row, report func(Result)) error {
	dir, err := os.MkdirTemp("", "mutants-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil { // for tests that go on as another user
		return err
	}
	if err := copyTree(root, dir, names); err != nil {
		return err
	}
	for group := range queue {
		for _, r := range group {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			began := time.Now()
			v, why, err := b.judge(ctx, dir, r)
			if err != nil {
				return fmt.Errorf("%s: %w", r.ID(), err)
			}
			report(Result{Row: r, Verdict: v, Why: why, Took: time.Since(began)})
		}
	}
	return nil
}

// judge applies a row to the copy in dir, runs its tests and puts the file back.
func (b *bench) judge(ctx context.Context, dir string, r Row) (Verdict, string, error) {
	path := filepath.Join(dir, filepath.FromSlash(r.File))
	text, err := os.ReadFile(path)
	if err != nil {
		return Stale, err.Error(), nil
	}
	mutated, err := r.apply(string(text))
	if err != nil {
		return Stale, err.Error(), nil
	}
	for _, pkg := range r.packages() {
		if v, why, err := b.fit(ctx, dir, pkg, r.testsOf(pkg)); v != "" || err != nil {
			return v, why, err
		}
	}
	if err := os.WriteFile(path, []byte(mutated), 0o644); err != nil {
		return "", "", err
	}
	defer func() { _ = os.WriteFile(path, text, 0o644) }()
	for _, pkg := range r.packages() {
		o, err := goTest(ctx, dir, pkg, r.testsOf(pkg))
		if err != nil {
			return "", "", err
		}
		if v, why := mutantVerdict(pkg, r.testsOf(pkg), o); v != Red {
			return v, why, nil
		}
	}
	return Red, "", nil
}

// fit says what is wrong with tests while every mending is in; "" if nothing is.
func (b *bench) fit(ctx context.Context, dir, pkg string, tests []string) (Verdict, string, error) {
	key := pkg + " " + strings.Join(slices.Sorted(slices.Values(tests)), " ")
	b.mu.Lock()
	once := b.clean[key]
	if once == nil {
		once = sync.OnceValues(func() (outcome, error) { return goTest(ctx, dir, pkg, tests) })
		b.clean[key] = once
	}
	b.mu.Unlock()
	o, err := once()
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
	if !o.ok {
		return Broken, pkg + " fails with the mending:\n" + tail(o.output), nil
	}
	return "", "", nil
}

func mutantVerdict(pkg string, tests []string, o outcome) (Verdict, string) {
	if !o.built {
		return NoBuild, tail(o.output)
	}
	for _, name := range tests {
		if !o.failed[name] {
			return Survived, pkg + " " + name + " does not fail without the mending"
		}
	}
	return Red, ""
}

// tail is the end of an output, where the reason is.
func tail(output string) string {
	lines := strings.Split(strings.TrimRight(output, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-30):], "\n")
}

func copyTree(root, dir string, names []string) error {
	for _, name := range names {
		from, to := filepath.Join(root, name), filepath.Join(dir, name)
		info, err := os.Lstat(from)
		if os.IsNotExist(err) {
			continue // deleted, and that is not committed
		}
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		if err := copyFile(from, to, info); err != nil {
			return err
		}
	}
	return nil
}

func copyFile(from, to string, info os.FileInfo) error {
	if info.Mode().Type() == os.ModeSymlink {
		target, err := os.Readlink(from)
		if err != nil {
			return err
		}
		return os.Symlink(target, to)
	}
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, text, info.Mode().Perm())
}
