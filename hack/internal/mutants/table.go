package mutants

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Dir is where the table lies, a file for each area, relative to the module.
const Dir = "hack/testdata/mutants"

// Row is one reversal.
type Row struct {
	Area string `yaml:"-"`
	Name string `yaml:"name"`

	File   string `yaml:"file"`   // relative to the module
	Text   string `yaml:"text"`   // stands in it exactly once
	Before string `yaml:"before"` // takes its place; may be empty
	Tests  []Test `yaml:"tests"`  // each must fail then
}

// ID is what the row is called in reports.
func (r Row) ID() string { return r.Area + "/" + r.Name }

// Test is a test of a package, written "./pkg/x TestName".
type Test struct {
	Package string // ./pkg/x
	Name    string // may be TestName/a_subtest
}

func (t Test) String() string { return t.Package + " " + t.Name }

var testPattern = regexp.MustCompile(`^(\./\S+) (Test\S+)$`)

// UnmarshalYAML reads the two words.
func (t *Test) UnmarshalYAML(n *yaml.Node) error {
	m := testPattern.FindStringSubmatch(n.Value)
	if m == nil {
		return fmt.Errorf("line %d: a test is written \"./pkg/x TestName\", not %q", n.Line, n.Value)
	}
	t.Package, t.Name = m[1], m[2]
	return nil
}

// Load reads the table of the module at root, in the order of areas and rows.
func Load(root string) ([]Row, error) {
	files, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(Dir), "*.yaml"))
	if err != nil {
		return nil, err
	}
	var rows []Row
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			return nil, err
		}
		more, err := parse(strings.TrimSuffix(filepath.Base(f), ".yaml"), text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f, err)
		}
		rows = append(rows, more...)
	}
	return rows, nil
}

// parse reads the rows of one area.
func parse(area string, text []byte) ([]Row, error) {
	var rows []Row
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(&rows); err != nil && !errors.Is(err, io.EOF) {
		if strings.Contains(err.Error(), "tab character") {
			err = fmt.Errorf("%w (a block whose first line begins with a tab is written |2)", err)
		}
		return nil, err
	}
	seen := map[string]bool{}
	for i := range rows {
		r := &rows[i]
		r.Area = area
		switch {
		case r.Name == "" || r.File == "" || r.Text == "" || len(r.Tests) == 0:
			return nil, fmt.Errorf("row %d (%q): name, file, text and tests must be there", i+1, r.Name)
		case r.Text == r.Before:
			return nil, fmt.Errorf("row %q changes nothing", r.Name)
		case seen[r.Name]:
			return nil, fmt.Errorf("two rows are called %q", r.Name)
		case !filepath.IsLocal(filepath.FromSlash(r.File)):
			return nil, fmt.Errorf("row %q: %s is not a path inside the module", r.Name, r.File)
		}
		seen[r.Name] = true
	}
	return rows, nil
}

// StaleError says that the text of a row is not in its file, or more than once.
type StaleError struct {
	Row   Row
	Count int
}

// Error says where and how often.
func (e *StaleError) Error() string {
	return fmt.Sprintf("%s: its text occurs %d times in %s, want once; follow the code, or say more of it",
		e.Row.ID(), e.Count, e.Row.File)
}

// apply is the file's text without the mending.
func (r Row) apply(text string) (string, error) {
	if n := strings.Count(text, r.Text); n != 1 {
		return "", &StaleError{Row: r, Count: n}
	}
	return strings.Replace(text, r.Text, r.Before, 1), nil
}

// Check says whether the row still fits its file below root.
func (r Row) Check(root string) error {
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(r.File)))
	if err != nil {
		return fmt.Errorf("%s: %w", r.ID(), err)
	}
	_, err = r.apply(string(text))
	return err
}

// packages are those of its tests, each once.
func (r Row) packages() []string {
	var all []string
	for _, t := range r.Tests {
		if !slices.Contains(all, t.Package) {
			all = append(all, t.Package)
		}
	}
	return all
}

// testsOf are the names of its tests in one package.
func (r Row) testsOf(pkg string) []string {
	var all []string
	for _, t := range r.Tests {
		if t.Package == pkg {
			all = append(all, t.Name)
		}
	}
	return all
}
