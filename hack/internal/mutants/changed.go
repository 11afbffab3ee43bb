package mutants

import (
	"context"
	"fmt"
	"os/exec"
	"path"
	"path/filepath"
	"reflect"
	"strings"
)

// Changed are the rows that may have lost their guard since a commit: those that are
// new or different, and those whose file, or a test of theirs, is in a package with a
// change, committed or not.
func Changed(ctx context.Context, root, base string, rows []Row) ([]Row, error) {
	diff, err := git(ctx, root, "diff", "--name-only", "--no-renames", "-z", base, "--")
	if err != nil {
		return nil, err
	}
	untracked, err := git(ctx, root, "ls-files", "--others", "--exclude-standard", "-z")
	if err != nil {
		return nil, err
	}
	packages := map[string]bool{}
	for _, file := range strings.Split(diff+untracked, "\x00") {
		if strings.HasSuffix(file, ".go") {
			packages[path.Dir(file)] = true
		}
	}
	before := map[string]Row{}
	known := map[string]bool{}
	var changed []Row
	for _, r := range rows {
		if !known[r.Area] {
			known[r.Area] = true
			for _, old := range rowsAt(ctx, root, base, r.Area) {
				before[old.ID()] = old
			}
		}
		if !reflect.DeepEqual(before[r.ID()], r) || r.touches(packages) {
			changed = append(changed, r)
		}
	}
	return changed, nil
}

func (r Row) touches(packages map[string]bool) bool {
	if packages[path.Dir(r.File)] {
		return true
	}
	for _, t := range r.Tests {
		if packages[path.Clean(t.Package)] {
			return true
		}
	}
	return false
}

// rowsAt are the rows of an area as they were; none where they cannot be read.
func rowsAt(ctx context.Context, root, commit, area string) []Row {
	text, err := git(ctx, root, "show", commit+":"+path.Join(Dir, area+".yaml"))
	if err != nil {
		return nil
	}
	rows, err := parse(area, []byte(text))
	if err != nil {
		return nil
	}
	return rows
}

func git(ctx context.Context, root string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", append([]string{"-C", filepath.Clean(root)}, args...)...)
	var messages strings.Builder
	cmd.Stderr = &messages
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w: %s", args[0], err, strings.TrimSpace(messages.String()))
	}
	return string(out), nil
}
