package cli

import (
	"encoding/json"
	"reflect"
	"strings"

	"github.com/invopop/jsonschema"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/status"
)

// statusSchema is the JSON Schema of a child's status file. Fields may be added
// to the file, so it allows others than those it names.
func statusSchema() ([]byte, error) {
	r := jsonschema.Reflector{
		Anonymous:                 true,
		ExpandedStruct:            true,
		DoNotReference:            true,
		AllowAdditionalProperties: true,
		Mapper: func(t reflect.Type) *jsonschema.Schema {
			if t == reflect.TypeFor[child.Seconds]() {
				return &jsonschema.Schema{Type: "number"}
			}
			return nil
		},
	}
	s := r.Reflect(&status.Child{})
	allowNull(s, reflect.TypeFor[status.Child]())
	s.Title = "reconciler status of a child, " + status.SchemaVersion
	return json.Marshal(s)
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
