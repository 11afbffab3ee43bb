package desired

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// schemaNode is the part of a JSON Schema that these tests read.
type schemaNode struct {
	Ref        string                     `json:"$ref"`
	Defs       map[string]schemaNode      `json:"$defs"`
	Type       string                     `json:"type"`
	Properties map[string]json.RawMessage `json:"properties"`
	Required   []string                   `json:"required"`
	Enum       []any                      `json:"enum"`
	Default    any                        `json:"default"`
	Minimum    any                        `json:"minimum"`
	Maximum    any                        `json:"maximum"`
	About      string                     `json:"description"`
	OneOf      []schemaNode               `json:"oneOf"`
	Extra      any                        `json:"additionalProperties"`
	Then       *schemaNode                `json:"then"`
	Else       *schemaNode                `json:"else"`
}

func readSchema(t *testing.T) schemaNode {
	t.Helper()
	text, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	var s schemaNode
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s schemaNode) property(t *testing.T, name string) schemaNode {
	t.Helper()
	raw, ok := s.Properties[name]
	if !ok {
		t.Fatalf("the schema has no property %q", name)
	}
	var p schemaNode
	if err := json.Unmarshal(raw, &p); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestSchemaKnowsEveryFieldOfAManifest(t *testing.T) {
	s := readSchema(t)
	all := []schemaNode{s}
	for _, d := range s.Defs {
		all = append(append(all, d), d.OneOf...)
	}
	for src, l := range layouts() {
		found := false
		for _, d := range all {
			found = found || hasAll(d, l.names())
		}
		if !found && src.Name() != "inheritEnvironment" {
			t.Errorf("no section of the schema has all fields of %s: %v", src.Name(), l.names())
		}
	}
}

func hasAll(s schemaNode, names []string) bool {
	for _, name := range names {
		if _, ok := s.Properties[name]; !ok {
			return false
		}
	}
	return len(s.Properties) == len(names)
}

func TestSchemaSaysWhatTheDecoderChecks(t *testing.T) {
	s := readSchema(t)

	if diff := cmp.Diff([]string{"name"}, s.Required); diff != "" {
		t.Errorf("required (-want +got):\n%s", diff)
	}
	if s.Extra != false {
		t.Errorf("additionalProperties = %v, want false: unknown fields are mistakes", s.Extra)
	}
	policy := s.property(t, "restart_policy")
	if diff := cmp.Diff([]any{"permanent", "transient", "temporary"}, policy.Enum); diff != "" || policy.Default != "permanent" || policy.About == "" {
		t.Errorf("restart_policy: default %v, description %q, enum (-want +got):\n%s", policy.Default, policy.About, diff)
	}
	jitter := s.Defs["backoff"].property(t, "jitter_ratio")
	if jitter.Type != "number" || jitter.Minimum != 0.0 || jitter.Maximum != 1.0 || jitter.Default != 0.2 {
		t.Errorf("backoff.jitter_ratio = %+v; want a number from 0 to 1, by default 0.2", jitter)
	}
	if got := len(s.property(t, "command").OneOf); got != 2 {
		t.Errorf("command has %d forms, want 2: a string or a list", got)
	}
	if got := len(s.Defs["dependency"].OneOf); got != 2 {
		t.Errorf("a dependency has %d forms, want 2: a name or a section", got)
	}
	if _, ok := s.Then.Properties["command"]; !ok {
		t.Error("a supervisor may have a command")
	}
	if _, ok := s.Else.Properties["strategy"]; !ok {
		t.Error("a worker may have a strategy")
	}
}
