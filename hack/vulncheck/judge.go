package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// message is the part of govulncheck's stream that matters here; its package
// internal/govulncheck says what the fields mean.
type message struct {
	Config  *struct{}
	OSV     *struct{ ID, Summary string }
	Finding *struct {
		OSV   string
		Fixed string `json:"fixed_version"`
		Trace []frame
	}
}

// frame is a call; the first of a trace is the vulnerable one, and has a function
// only where it is reached.
type frame struct{ Module, Version, Package, Function string }

// judge sorts the vulnerabilities that are called into those of modules and those of
// the standard library, each once.
func judge(stream io.Reader) (modules, library []string, err error) {
	summaries := map[string]string{}
	seen := map[string]bool{}
	configured := false
	for dec := json.NewDecoder(stream); ; {
		var m message
		if err := dec.Decode(&m); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, nil, fmt.Errorf("read the output of govulncheck: %w", err)
		}
		configured = configured || m.Config != nil
		if m.OSV != nil {
			summaries[m.OSV.ID] = m.OSV.Summary
		}
		f := m.Finding
		if f == nil || len(f.Trace) == 0 || f.Trace[0].Function == "" {
			continue
		}
		at := f.Trace[0]
		if seen[f.OSV] {
			continue
		}
		seen[f.OSV] = true
		line := fmt.Sprintf("%s in %s %s, %s: %s", f.OSV, at.Package, at.Version, mended(f.Fixed), summaries[f.OSV])
		if at.Module == "stdlib" {
			library = append(library, line)
		} else {
			modules = append(modules, line)
		}
	}
	if !configured {
		return nil, nil, errors.New("govulncheck has said nothing about itself: was anything looked at?")
	}
	return modules, library, nil
}

func mended(version string) string {
	if version == "" {
		return "not mended yet"
	}
	return "mended in " + version
}
