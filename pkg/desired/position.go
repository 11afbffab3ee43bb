package desired

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// position is a place in a file; both count from 1, columns in characters.
type position struct{ line, column int }

// fieldPosition is where one field stands: its value, or its key if its value is a list
// or a section.
type fieldPosition struct {
	path string
	at   position
}

// positions are the places of all fields of a document, in the order in which
// they were read. The first one is the document itself, with an empty path. A
// manifest has some fifteen of them: a slice is smaller than a map and as fast.
type positions []fieldPosition

// find is the place of path, or of its nearest parent that was written. It
// looks from the end, because most questions are about what was just read.
func (p positions) find(path string) position {
	for {
		for i := len(p) - 1; i >= 0; i-- {
			if p[i].path == path {
				return p[i].at
			}
		}
		if path == "" {
			return position{}
		}
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
}

// pair is a key of a mapping and its value.
type pair struct{ key, value *yaml.Node }

// at is the place of a value behind key; key is nil in a list.
func at(key, value *yaml.Node) position {
	if key != nil && value.Kind != yaml.ScalarNode {
		return position{key.Line, key.Column}
	}
	return position{value.Line, value.Column}
}

// join is the path of field below parent.
func join(parent, field string) string {
	if parent == "" {
		return field
	}
	return parent + "." + field
}

// safe is a key that a manifest made up, as a part of a path: one short word
// that can end no line of a log.
func safe(key string) string {
	for _, r := range key {
		if r <= ' ' || r > '~' {
			return quoted(key)
		}
	}
	return cut(key)
}
