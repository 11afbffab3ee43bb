package importer

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// File is one file to import. Name may be a path; relative paths within the file
// are taken from its directory.
type File struct {
	Name string
	Text []byte
}

// dir is the absolute directory of f; "" where it cannot be known.
func (f File) dir() string {
	abs, err := filepath.Abs(f.Name)
	if err != nil {
		return ""
	}
	return filepath.Dir(abs)
}

// Result is what came out of an import.
type Result struct {
	Manifests []*Manifest // sorted by folder and name; each has its own notes
	Notes     []Note      // of what became no manifest
}

func (r *Result) note(where, field, reason string) {
	r.Notes = append(r.Notes, Note{Where: where, Field: field, Reason: reason})
}

// format reads the files of one format into r. Files of a format that are one
// whole, such as layers, are read together.
type format func(r *Result, files []File) error

var formats = map[string]format{
	"supervisord":     readSupervisord,
	"systemd":         readSystemd,
	"procfile":        readProcfiles,
	"process-compose": readProcessCompose,
	"compose":         readCompose,
	"pebble":          readPebble,
}

// Formats are the names of what Import reads, sorted.
func Formats() []string { return slices.Sorted(maps.Keys(formats)) }

// maxFileSize bounds a file: configurations are small, and parsers are not made
// for gigabytes.
const maxFileSize = 4 << 20

// Import makes manifests of the files. It is an error when a file is not of the
// format; what cannot be carried over is a note.
func Import(name string, files []File) (*Result, error) {
	read, ok := formats[name]
	if !ok {
		return nil, fmt.Errorf("import %q: there is no such format; want %s", name, strings.Join(Formats(), ", "))
	}
	for _, f := range files {
		if len(f.Text) > maxFileSize {
			return nil, fmt.Errorf("import %s: the file is larger than %d bytes", f.Name, maxFileSize)
		}
	}
	r := &Result{}
	if err := read(r, files); err != nil {
		return nil, err
	}
	r.finish()
	slices.SortFunc(r.Manifests, func(a, b *Manifest) int { return strings.Compare(a.ID(), b.ID()) })
	return r, r.check()
}

// finish is what all formats have in common: names that manifests may have,
// dependencies by those names, and a word about secrets.
func (r *Result) finish() {
	renamed := r.rename()
	for _, m := range r.Manifests {
		m.Dependencies = slices.DeleteFunc(m.Dependencies, func(d dependency) bool {
			_, known := renamed[d.Name]
			if !known {
				m.note(d.Name, "a dependency on it was left out: it was not imported")
			}
			return !known
		})
		for i := range m.Dependencies {
			m.Dependencies[i].Name = renamed[m.Dependencies[i].Name]
		}
		for _, v := range m.Environment {
			if looksSecret(v.Name) && v.Value != "" {
				m.note(v.Name, "looks like a secret and stands in this manifest as text now, as it did before: better keep it in a file of env_files that only its user may read")
			}
		}
		for _, file := range m.EnvFiles {
			m.note(file, "its values were not copied: the child reads the file at its start; it must be there, with KEY=value lines")
		}
	}
}

func looksSecret(name string) bool {
	name = strings.ToUpper(name)
	return slices.ContainsFunc([]string{"PASSWORD", "PASSWD", "SECRET", "TOKEN", "API_KEY", "APIKEY", "PRIVATE_KEY", "CREDENTIAL", "ACCESS_KEY"},
		func(part string) bool { return strings.Contains(name, part) })
}
