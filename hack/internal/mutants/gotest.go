package mutants

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/reconciler-dev/reconciler/internal/pidns"
)

// A change may make a test hang; that is a failure like any other.
const testTimeout = 3 * time.Minute

// outcome is how the named tests of one package went.
type outcome struct {
	passed, failed, skipped map[string]bool
	built                   bool
	ok                      bool // the package as a whole
	output                  string
}

// event is a line of go test -json. The words are those of cmd/test2json, and for
// builds of go help buildjson.
type event struct {
	Action      string
	Test        string
	Output      string
	FailedBuild string
}

// test runs tests of a package, with a file for -overlay or none. A test that takes
// its whole process down silences those after it; they are run again without it.
func (b *bench) test(ctx context.Context, pkg, overlay string, names []string) (outcome, error) {
	all, err := b.testOnce(ctx, pkg, overlay, names)
	for err == nil && all.built && !all.ok {
		silent := all.silent(names)
		if len(silent) == 0 || len(silent) == len(names) {
			break
		}
		names = silent
		var more outcome
		more, err = b.testOnce(ctx, pkg, overlay, names)
		maps.Copy(all.passed, more.passed)
		maps.Copy(all.failed, more.failed)
		maps.Copy(all.skipped, more.skipped)
		all.output += more.output
	}
	return all, err
}

// silent are the tests that have not said how they went.
func (o outcome) silent(names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return o.passed[n] || o.failed[n] || o.skipped[n] })
}

func (b *bench) testOnce(ctx context.Context, pkg, overlay string, names []string) (outcome, error) {
	cmd := exec.CommandContext(ctx, "go", "test", "-json", "-count=1", "-vet=off",
		"-timeout", testTimeout.String(), "-run", pattern(names), pkg)
	cmd.Dir = b.root
	cmd.Env = pidns.Outside(os.Environ()) // so that tests which want a namespace get their own
	if overlay != "" {
		// Not an argument: a test may call go build itself, for the same program.
		cmd.Env = append(cmd.Env, "GOFLAGS="+strings.TrimSpace(b.flags+" -overlay="+overlay))
	}
	var messages bytes.Buffer
	cmd.Stderr = &messages
	out, err := cmd.Output()
	var exit *exec.ExitError
	if ctx.Err() != nil {
		return outcome{}, ctx.Err()
	}
	if err != nil && !errors.As(err, &exit) {
		return outcome{}, err
	}
	o := read(out)
	o.ok = err == nil
	o.output += messages.String()
	return o, nil
}

// goFlags are those of the environment, or of go env -w.
func goFlags(ctx context.Context, dir string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "env", "GOFLAGS")
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("go env GOFLAGS: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// read is what the events say.
func read(stream []byte) outcome {
	o := outcome{passed: map[string]bool{}, failed: map[string]bool{}, skipped: map[string]bool{}, built: true}
	var text strings.Builder
	lines := bufio.NewScanner(bytes.NewReader(stream))
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			fmt.Fprintln(&text, lines.Text()) // a word of go itself
			continue
		}
		text.WriteString(e.Output)
		switch {
		case e.Action == "build-fail" || e.FailedBuild != "":
			o.built = false
		case e.Test == "":
		case e.Action == "pass":
			o.passed[e.Test] = true
		case e.Action == "fail":
			o.failed[e.Test] = true
		case e.Action == "skip":
			o.skipped[e.Test] = true
		}
	}
	o.output = text.String()
	return o
}

// pattern is for -run: these tests and no others. With subtests it takes what the
// levels have in common, which may be more.
func pattern(names []string) string {
	var levels [][]string
	for _, name := range names {
		for i, part := range strings.Split(name, "/") {
			if i == len(levels) {
				levels = append(levels, nil)
			}
			if !slices.Contains(levels[i], part) {
				levels[i] = append(levels[i], regexp.QuoteMeta(part))
			}
		}
	}
	depth := len(levels)
	for _, name := range names { // a shallow name wants all of its subtests
		depth = min(depth, strings.Count(name, "/")+1)
	}
	parts := make([]string, 0, depth)
	for _, level := range levels[:depth] {
		parts = append(parts, "^("+strings.Join(level, "|")+")$")
	}
	return strings.Join(parts, "/")
}
