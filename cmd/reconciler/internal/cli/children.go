package cli

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/reconciler-dev/reconciler/pkg/control"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// knownIDs are the children that have a status file, sorted. It reads names only:
// completion asks for it at every press of a key.
func (a *app) knownIDs() ([]child.ID, error) {
	var ids []child.ID
	err := filepath.WalkDir(a.Status, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, isJSON := strings.CutSuffix(file, ".json")
		rel, err := filepath.Rel(a.Status, name)
		if err != nil {
			return err
		}
		id, err := child.ParseID(filepath.ToSlash(rel))
		if err == nil && isJSON && id != runtimeFile {
			ids = append(ids, id)
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	slices.Sort(ids)
	return ids, err
}

// runtimeFile is the one status file that is no child's.
const runtimeFile = "reconciler"

// logDir is where the output of a child is kept.
func (a *app) logDir(id child.ID) string {
	return filepath.Join(a.State, "logs", filepath.FromSlash(string(id)))
}

// isKnown reports whether a child has a status file or, removed since, a log.
func (a *app) isKnown(id child.ID) bool {
	for _, path := range []string{filepath.Join(a.Status, filepath.FromSlash(string(id))+".json"), filepath.Join(a.logDir(id), "current")} {
		if _, err := os.Stat(path); err == nil {
			return true
		}
	}
	return false
}

// noSuchChild is the error for an id that nobody knows.
func (a *app) noSuchChild(name string) error {
	ids, err := a.knownIDs()
	if err != nil {
		return err
	}
	return withCode(NoSuchChild, "child not found: %q%s", name, didYouMean(control.Nearest(name, ids)))
}

// completeChildren offers the ids that are not on the line yet.
func (a *app) completeChildren(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	ids, err := a.knownIDs()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var names []string
	for _, id := range ids {
		if !slices.Contains(args, string(id)) {
			names = append(names, string(id))
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// completeOneChild offers ids for the first argument only.
func (a *app) completeOneChild(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.completeChildren(cmd, args, toComplete)
}
