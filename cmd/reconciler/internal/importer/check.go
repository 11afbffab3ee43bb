package importer

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/reconciler-dev/reconciler/pkg/desired"
)

// check puts the manifests into a directory of their own and looks at it as the
// reconciler would, until it finds nothing. A field with a problem is taken out
// with a note; a manifest that is wrong without one is left out.
func (r *Result) check() error {
	dir, err := os.MkdirTemp("", "reconciler-import-")
	if err != nil {
		return fmt.Errorf("check the manifests: %w", err)
	}
	defer os.RemoveAll(dir)
	for {
		set, err := r.look(dir)
		if err != nil {
			return err
		}
		if len(set.Problems) == 0 {
			return nil
		}
		if !r.mend(set.Problems) {
			var lines []error
			for _, p := range set.Problems {
				lines = append(lines, errors.New(p.String()))
			}
			return fmt.Errorf("the imported manifests do not pass validate: %w", errors.Join(lines...))
		}
	}
}

func (r *Result) look(dir string) (*desired.Set, error) {
	root := filepath.Join(dir, "manifests")
	if err := os.RemoveAll(root); err != nil {
		return nil, fmt.Errorf("check the manifests: %w", err)
	}
	if err := r.WriteTo(root); err != nil {
		return nil, err
	}
	return desired.Look(desired.Options{Root: root, AllowEmpty: true, AnyOwner: true})
}

// mend takes out what has a problem. It reports whether it changed anything, so
// that the check ends.
func (r *Result) mend(problems []desired.Problem) (changed bool) {
	for _, p := range problems {
		i := slices.IndexFunc(r.Manifests, func(m *Manifest) bool { return m.File() == p.File })
		if i < 0 {
			continue
		}
		m := r.Manifests[i]
		field, _, _ := strings.Cut(p.Field, ".")
		field, _, _ = strings.Cut(field, "[")
		p.File = ""
		switch {
		case field == "" || field == "name" || slices.Contains(m.remove, field):
			r.note(m.Source, m.Name, "it was left out: "+p.String())
			r.Manifests = slices.Delete(r.Manifests, i, i+1)
		default:
			m.remove = append(m.remove, field)
			m.note(field, "it was left out: "+p.String())
		}
		changed = true
	}
	return changed
}

// WriteTo writes every manifest below dir. It overwrites nothing, and writes nothing
// where one of the files exists.
func (r *Result) WriteTo(dir string) error {
	for _, m := range r.Manifests {
		file := filepath.Join(dir, filepath.FromSlash(m.File()))
		if _, err := os.Lstat(file); err == nil {
			return existsAlready(file)
		}
	}
	for _, m := range r.Manifests {
		text, err := m.Render()
		if err != nil {
			return err
		}
		file := filepath.Join(dir, filepath.FromSlash(m.File()))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return fmt.Errorf("write the manifests: %w", err)
		}
		if err := writeNew(file, text); err != nil {
			return err
		}
	}
	if len(r.Manifests) == 0 {
		return os.MkdirAll(dir, 0o755)
	}
	return nil
}

func writeNew(file string, text []byte) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, os.ErrExist) {
		return existsAlready(file)
	} else if err != nil {
		return fmt.Errorf("write the manifests: %w", err)
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}

func existsAlready(file string) error {
	return fmt.Errorf("%s exists already, and nothing is overwritten: name another directory, or move it away", file)
}
