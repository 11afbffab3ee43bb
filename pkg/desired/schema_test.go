package desired

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
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

func TestPublishedSchemaIsThatOfTheCode(t *testing.T) {
	const file = "../../docs/schema/manifest.json"
	text, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	text = append(text, '\n')
	if *update {
		if err := os.WriteFile(file, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	published, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(published), string(text)); diff != "" {
		t.Errorf("%s is not what the code says; run go test ./pkg/desired -run Published -update (-page +code):\n%s", file, diff)
	}
}

// TestSchemaAgreesWithTheDecoder asks a validator of the field and our decoder
// about the same manifests.
func TestSchemaAgreesWithTheDecoder(t *testing.T) {
	text, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("manifest.json", parsed); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("manifest.json")
	if err != nil {
		t.Fatal(err)
	}
	for manifest, sound := range map[string]bool{
		"name: web": true,
		everyField:  true,
		"name: root\nkind: supervisor\nwork_role: supervisor\nfailure_groups: [{tag: mail, restart_limit: {max_restarts: 3}}]\ndefaults: {backoff: {max_delay_ms: 5}}": true,
		"name: proxy\nwork_role: sidecar\nsidecar_of: web":   true,
		"name: web\ncommand: sleep 1\ndependencies: [db]":    true,
		"name: web\nreadiness: {}":                           true,
		"{}":                                                 false,
		"name: 1web":                                         false,
		"name: web\nrestart_polcy: permanent":                false,
		"name: web\nrestart_policy: always":                  false,
		"name: web\nstrategy: one_for_all":                   false,
		"name: web\nfailure_groups: []":                      false,
		"name: root\nkind: supervisor\ncommand: [x]":         false,
		"name: web\nbackoff: {initial_delay_ms: fast}":       false,
		"name: web\nlogs: {max_files: 0}":                    false,
		"name: web\nenvironment: [{name: A}]":                false,
		"name: root\nkind: supervisor\nfailure_groups: [{}]": false,
	} {
		var plain any
		if err := yaml.Unmarshal([]byte(manifest), &plain); err != nil {
			t.Fatal(err)
		}
		encoded, err := json.Marshal(plain)
		if err != nil {
			t.Fatal(err)
		}
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(encoded))
		if err != nil {
			t.Fatal(err)
		}
		_, problems := Decode("x.yaml", []byte(manifest))
		if refused := schema.Validate(value); (refused == nil) != sound || (len(problems) == 0) != sound {
			t.Errorf("%s\nsound: want %v, the schema says %v, the decoder %v", manifest, sound, refused, problems)
		}
	}
}
