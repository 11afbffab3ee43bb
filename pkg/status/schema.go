package status

import (
	"encoding/json"
	"reflect"
	"strings"

	"github.com/invopop/jsonschema"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// Schema is the JSON Schema (draft 2020-12) of a child's file. Fields may be added
// to the file, so it allows others than those it names.
func Schema() ([]byte, error) {
	return schemaOf(Child{}, "reconciler status of a child, "+SchemaVersion)
}

// RuntimeSchema is the JSON Schema of reconciler.json, likewise.
func RuntimeSchema() ([]byte, error) {
	return schemaOf(Runtime{}, "reconciler status of the runtime, "+SchemaVersion)
}

func schemaOf(v any, title string) ([]byte, error) {
	r := jsonschema.Reflector{
		Anonymous:                 true,
		ExpandedStruct:            true,
		DoNotReference:            true,
		AllowAdditionalProperties: true,
		Mapper:                    mapped,
	}
	s := r.Reflect(v)
	allowNull(s, reflect.TypeOf(v))
	s.Title = title
	text, err := json.MarshalIndent(s, "", "  ")
	return append(text, '\n'), err
}

// mapped is the schema of types that encode themselves, or whose values are few.
func mapped(t reflect.Type) *jsonschema.Schema {
	text := &jsonschema.Schema{Type: "string"}
	switch t {
	case reflect.TypeFor[child.Seconds]():
		return &jsonschema.Schema{Type: "number", Minimum: "0"}
	case reflect.TypeFor[child.Phase]():
		for _, p := range child.Phases() {
			text.Enum = append(text.Enum, p)
		}
		return text
	case reflect.TypeFor[Captured]():
		text.Enum = []any{Complete, Withheld}
		return text
	case reflect.TypeFor[State]():
		text.Enum = []any{Starting, Alive, ShuttingDown, Completed, Failed}
		return text
	}
	return nil
}

// allowNull adds null to the schema of each field that is a pointer: the file
// says null where there is no value, and jsonschema describes only what a pointer
// points to.
func allowNull(s *jsonschema.Schema, t reflect.Type) {
	switch {
	case t.Kind() == reflect.Slice && s.Items != nil:
		allowNull(s.Items, t.Elem())
		return
	case t.Kind() == reflect.Pointer:
		allowNull(s, t.Elem())
		return
	case t.Kind() != reflect.Struct || s.Properties == nil:
		return
	}
	for f := range fields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		field, ok := s.Properties.Get(name)
		if !ok {
			continue
		}
		allowNull(field, f.Type)
		if f.Type.Kind() == reflect.Pointer {
			s.Properties.Set(name, &jsonschema.Schema{OneOf: []*jsonschema.Schema{field, {Type: "null"}}})
		}
	}
}

// fields are the fields of a struct, those of embedded structs included.
func fields(t reflect.Type) func(func(reflect.StructField) bool) {
	return func(yield func(reflect.StructField) bool) {
		for _, f := range reflect.VisibleFields(t) {
			if !f.Anonymous && !yield(f) {
				return
			}
		}
	}
}
