package importer

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"sigs.k8s.io/yaml"
)

// section is a mapping of a YAML file that remembers what was read of it, so that
// the rest can be told.
type section struct {
	values map[string]any
	left   map[string]bool
}

// parseYAML reads a file whose top is a mapping.
func parseYAML(f File) (*section, error) {
	var top any
	if err := yaml.Unmarshal(f.Text, &top); err != nil {
		return nil, fmt.Errorf("read %s: %w", f.Name, err)
	}
	m, ok := top.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("read %s: want a mapping of keys at the top", f.Name)
	}
	return newSection(m), nil
}

func newSection(m map[string]any) *section {
	s := &section{values: m, left: map[string]bool{}}
	for key := range m {
		s.left[key] = true
	}
	return s
}

// get is the value of key, nil without one.
func (s *section) get(key string) any {
	delete(s.left, key)
	return s.values[key]
}

// text is a scalar as a string.
func (s *section) text(key string) string { return text(s.get(key)) }

func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return strconv.FormatInt(int64(v), 10)
		}
		return strconv.FormatFloat(v, 'g', -1, 64)
	case json.Number:
		return v.String()
	case bool, int64, uint64, int:
		return fmt.Sprint(v)
	}
	return ""
}

func (s *section) flag(key string) bool { return s.text(key) == "true" }

// number is 0 where there is none.
func (s *section) number(key string) float64 {
	n, err := strconv.ParseFloat(s.text(key), 64)
	if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
		return 0
	}
	return n
}

// list is a list of scalars, or one scalar as a list of one.
func (s *section) list(key string) []string { return list(s.get(key)) }

func list(v any) []string {
	all, ok := v.([]any)
	if !ok {
		if one := text(v); one != "" {
			return []string{one}
		}
		return nil
	}
	var out []string
	for _, e := range all {
		out = append(out, text(e))
	}
	return out
}

// sub is a mapping below key; an empty one where there is none.
func (s *section) sub(key string) *section {
	m, _ := s.get(key).(map[string]any)
	return newSection(m)
}

// each calls do for the mappings below key, sorted by name. A name without a
// mapping has an empty one.
func (s *section) each(key string, do func(name string, s *section)) {
	m, _ := s.get(key).(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(m)) {
		inner, _ := m[name].(map[string]any)
		do(name, newSection(inner))
	}
}

// rest are the keys that nobody asked for, sorted.
func (s *section) rest() []string { return slices.Sorted(maps.Keys(s.left)) }

// noteRest says of every key that was not read that it was left out, and why if
// reasons knows it; those with the reason "" mean nothing here and are not told.
func (s *section) noteRest(m *Manifest, reasons map[string]string) {
	for _, key := range s.rest() {
		noteLeft(m, key, reasons)
	}
}

func noteLeft(m *Manifest, key string, reasons map[string]string) {
	switch reason, known := reasons[key]; {
	case !known:
		m.note(key, "a manifest has nothing like it")
	case reason != "":
		m.note(key, reason)
	}
}

// environment reads variables from a mapping or from a list of NAME=value. A name
// alone takes its value from where the program runs, which is what happens here.
func (m *Manifest) environment(v any) {
	switch v := v.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if v[name] != nil {
				m.setEnvironment(name, text(v[name]))
			}
		}
	case []any:
		for _, e := range v {
			if name, value, ok := strings.Cut(text(e), "="); ok {
				m.setEnvironment(name, value)
			}
		}
	}
}

// absolute is a path of the source as manifests want it.
func absolute(dir, path string) string {
	if path == "" || filepath.IsAbs(path) || dir == "" {
		return path
	}
	return filepath.Join(dir, path)
}
