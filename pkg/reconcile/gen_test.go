package reconcile

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/reconciler-dev/reconciler/pkg/desired"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"pgregory.net/rapid"
)

// specOf reads a spec from JSON, so that a test shows only what matters to it.
func specOf(t testing.TB, text string) *child.Spec {
	t.Helper()
	s := &child.Spec{Kind: child.AsyncWorker}
	if err := json.Unmarshal([]byte(text), s); err != nil {
		t.Fatalf("spec %s: %v", text, err)
	}
	return s
}

// entryOf is a declared child; its file is named for it.
func entryOf(id child.ID, s *child.Spec) desired.Entry {
	o := child.Origin{File: string(id) + ".yaml", Document: 1, Hash: s.Hash(), Generation: 1}
	return desired.Entry{ID: id, Spec: s, Origin: o}
}

func setOf(entries ...desired.Entry) *desired.Set {
	slices.SortFunc(entries, func(a, b desired.Entry) int { return compareText(a.ID, b.ID) })
	return &desired.Set{Entries: entries, Complete: true}
}

func compareText(a, b child.ID) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// running is a child as the runtime shows it after it took e.
func running(e desired.Entry) *child.Snapshot {
	return &child.Snapshot{ID: e.ID, Spec: e.Spec, Origin: e.Origin, Phase: child.Running, Operation: child.Active}
}

// model is a runtime that does at once what it is told.
type model map[child.ID]*child.Snapshot

func (m model) apply(actions []Action) {
	for _, a := range actions {
		if a.Verb == Remove {
			delete(m, a.ID)
			continue
		}
		m[a.ID] = running(desired.Entry{ID: a.ID, Spec: a.Spec, Origin: a.Origin})
	}
}

func (m model) children() []*child.Snapshot {
	var all []*child.Snapshot
	for _, s := range m {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b *child.Snapshot) int { return compareText(a.ID, b.ID) })
	return all
}

var ids = []child.ID{"root", "a", "b", "c", "f", "f/a", "f/b", "f/g", "f/g/a", "z"}

// drawSpec makes specs that often differ a little.
func drawSpec(t *rapid.T, id child.ID) *child.Spec {
	s := &child.Spec{Kind: child.AsyncWorker}
	if id == "root" || id == "f" || id == "f/g" {
		s.Kind = child.Supervisor
	}
	s.Command = rapid.SampledFrom([][]string{nil, {"sleep", "1"}, {"sleep", "2"}}).Draw(t, "command")
	s.Criticality = rapid.SampledFrom([]child.Criticality{child.Optional, child.Critical}).Draw(t, "criticality")
	s.Tags = rapid.SliceOfN(rapid.SampledFrom([]string{"x", "y"}), 0, 2).Draw(t, "tags")
	for i := range rapid.IntRange(0, 3).Draw(t, "variables") {
		value := rapid.SampledFrom([]string{"1", "2"}).Draw(t, "value")
		s.Environment = append(s.Environment, child.EnvVar{Name: fmt.Sprintf("V%d", i), Value: &value})
	}
	if rapid.Bool().Draw(t, "limited") {
		s.RestartLimit = &child.RestartLimit{MaxRestarts: rapid.IntRange(0, 2).Draw(t, "max")}
	}
	for _, on := range ids {
		if on > id && rapid.IntRange(0, 5).Draw(t, "depends") == 0 { // never a cycle
			s.Dependencies = append(s.Dependencies, child.Dependency{ID: on, Condition: child.WhenReady})
		}
	}
	return s
}

func drawSet(t *rapid.T) *desired.Set {
	var entries []desired.Entry
	for _, id := range ids {
		if rapid.IntRange(0, 2).Draw(t, "declared") == 0 {
			continue
		}
		e := entryOf(id, drawSpec(t, id))
		e.Origin.File = rapid.SampledFrom([]string{"one.yaml", "two.yaml"}).Draw(t, "file")
		e.Origin.Generation = rapid.Uint64Range(1, 2).Draw(t, "generation")
		entries = append(entries, e)
	}
	return setOf(entries...)
}
