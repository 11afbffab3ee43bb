package desired

import (
	"encoding/json"
	"reflect"
	"strconv"

	"github.com/invopop/jsonschema"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// Schema is the JSON Schema (draft 2020-12) of one manifest, from which editors
// complete and check. It is made of the same tags as the decoder.
func Schema() ([]byte, error) {
	r := jsonschema.Reflector{
		Anonymous:                  true,
		ExpandedStruct:             true,
		RequiredFromJSONSchemaTags: true,
		Mapper:                     schemaOf,
		LookupComment: func(t reflect.Type, name string) string {
			if name == "" {
				return "" // types are explained where they are used
			}
			f, _ := t.FieldByName(name)
			return f.Tag.Get("about")
		},
	}
	s := r.Reflect(&manifestFields{})
	s.Title = "reconciler manifest"
	s.If = &jsonschema.Schema{Properties: jsonschema.NewProperties(), Required: []string{"kind"}}
	s.If.Properties.Set("kind", &jsonschema.Schema{Const: string(child.Supervisor)})
	s.Then, s.Else = noneOf("worker"), noneOf("supervisor")
	return json.MarshalIndent(s, "", "  ")
}

// noneOf is the schema of what has no field of role.
func noneOf(role string) *jsonschema.Schema {
	s := &jsonschema.Schema{Properties: jsonschema.NewProperties()}
	for _, f := range layouts()[reflect.TypeFor[manifestFields]()].fields {
		if f.role == role {
			s.Properties.Set(f.name, jsonschema.FalseSchema)
		}
	}
	return s
}

// JSONSchemaExtend says that a dependency may also be a name alone.
func (dependency) JSONSchemaExtend(s *jsonschema.Schema) {
	section := *s
	*s = *either(&jsonschema.Schema{Type: "string"}, &section)
}

// schemaOf is the schema of the types that read themselves.
func schemaOf(t reflect.Type) *jsonschema.Schema {
	text := &jsonschema.Schema{Type: "string"}
	switch t {
	case reflect.TypeFor[child.Seconds](), reflect.TypeFor[child.Millis]():
		return &jsonschema.Schema{Type: "number"}
	case reflect.TypeFor[command]():
		return either(&jsonschema.Schema{Type: "string", MinLength: ptr[uint64](1)}, &jsonschema.Schema{Type: "array", Items: text, MinItems: ptr[uint64](1)})
	case reflect.TypeFor[account]():
		return either(text, &jsonschema.Schema{Type: "integer", Minimum: "0", Maximum: json.Number(strconv.Itoa(highest))})
	case reflect.TypeFor[inheritEnvironment]():
		return either(&jsonschema.Schema{Type: "boolean"}, &jsonschema.Schema{Type: "array", Items: text})
	case reflect.TypeFor[signal]():
		return &jsonschema.Schema{Type: "string", Pattern: "^SIG([A-Z0-9]+|RTMIN[+][0-9]+|RTMAX-[0-9]+)$"}
	}
	return nil
}

func either(some ...*jsonschema.Schema) *jsonschema.Schema {
	return &jsonschema.Schema{OneOf: some}
}

func ptr[T any](v T) *T { return &v }
