// Command apicheck compares the exported API of pkg/... with that of another commit;
// hack/api calls it. A change that breaks a program which imports us fails, unless the
// section Unreleased of CHANGELOG.md tells of it: a line, or one that goes on, with the
// package and each symbol in backquotes.
package main

import (
	"fmt"
	"go/types"
	"maps"
	"os"
	"slices"
	"strings"

	"golang.org/x/exp/apidiff"
	"golang.org/x/tools/go/packages"
)

const module = "github.com/reconciler-dev/reconciler/"

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: hack/api [COMMIT]")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "api:", err)
		os.Exit(1)
	}
}

// run compares the module in the directory before with the one here.
func run(before string) error {
	old, err := load(before)
	if err != nil {
		return err
	}
	now, err := load(".")
	if err != nil {
		return err
	}
	changelog, err := os.ReadFile("CHANGELOG.md")
	if err != nil {
		return err
	}
	all := breaks(old, now)
	untold := untold(all, string(changelog))
	fmt.Printf("%d packages, %d breaks of their API, %d of them not told\n", len(now), len(all), len(untold))
	if len(untold) == 0 {
		return nil
	}
	for _, b := range untold {
		fmt.Printf("    %s\n", b)
	}
	return fmt.Errorf("tell of each in CHANGELOG.md under Unreleased, as in: - In Go: `%s` `%s` …", untold[0].pkg, untold[0].symbol)
}

// load type-checks the packages of a module, by name.
func load(dir string) (map[string]*types.Package, error) {
	loaded, err := packages.Load(&packages.Config{Mode: packages.LoadTypes, Dir: dir}, "./pkg/...")
	if err != nil {
		return nil, fmt.Errorf("load the packages in %s: %w", dir, err)
	}
	found := map[string]*types.Package{}
	for _, p := range loaded {
		if len(p.Errors) > 0 {
			return nil, fmt.Errorf("load the packages in %s: %v", dir, p.Errors[0])
		}
		found[strings.TrimPrefix(p.PkgPath, module)] = p.Types
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("no packages in %s", dir)
	}
	return found, nil
}

// broken is one thing that an importer may have relied on.
type broken struct{ pkg, symbol, what string }

func (b broken) String() string { return b.pkg + ": " + b.what }

// breaks are the incompatible changes, sorted.
func breaks(old, now map[string]*types.Package) (all []broken) {
	for _, name := range slices.Sorted(maps.Keys(old)) {
		if now[name] == nil {
			all = append(all, broken{name, name, "package removed"})
			continue
		}
		for _, c := range apidiff.Changes(old[name], now[name]).Changes {
			if !c.Compatible {
				all = append(all, broken{name, symbolOf(c.Message), c.Message})
			}
		}
	}
	return all
}

// symbolOf is Client.Put in "(*Client).Put: changed from …".
func symbolOf(message string) string {
	symbol, _, _ := strings.Cut(message, ":")
	return strings.NewReplacer("(*", "", "(", "", ")", "").Replace(symbol)
}

// untold are those of which no entry of the section Unreleased tells.
func untold(all []broken, changelog string) (left []broken) {
	_, section, _ := strings.Cut(changelog, "\n## Unreleased\n")
	section, _, _ = strings.Cut(section, "\n## ")
	entries := strings.Split(section, "\n- ")
	for _, b := range all {
		if !slices.ContainsFunc(entries, func(e string) bool {
			return strings.Contains(e, "`"+b.pkg+"`") && strings.Contains(e, "`"+b.symbol+"`")
		}) {
			left = append(left, b)
		}
	}
	return left
}
