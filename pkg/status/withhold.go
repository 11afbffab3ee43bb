package status

import (
	"reflect"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// Captured says whether what children, their hooks and what probes asked printed or
// answered is in a status, or was left out because everybody may read the file.
type Captured string

// The values of the field captured.
const (
	Complete Captured = "complete"
	Withheld Captured = "withheld"
)

// Withhold is a status without captured output: each child.Words in it is empty, and
// each child.Output has no lines, in whatever field it stands. v is not changed.
func Withhold[T Child | Runtime](v T) T {
	return without(reflect.ValueOf(v)).Interface().(T)
}

var (
	wordsType    = reflect.TypeFor[child.Words]()
	outputType   = reflect.TypeFor[child.Output]()
	capturedType = reflect.TypeFor[Captured]()

	// heard are the types that have captured output in them.
	heard = hearing(reflect.TypeFor[Child](), reflect.TypeFor[Runtime]())
)

// heardFields are the fields with captured output of each struct that has some: a
// status is written for each step of a child, and reflect.Type.Field allocates.
var heardFields = func() map[reflect.Type][]int {
	fields := map[reflect.Type][]int{}
	for t, has := range heard {
		for i := 0; has && t.Kind() == reflect.Struct && i < t.NumField(); i++ {
			if heard[t.Field(i).Type] {
				fields[t] = append(fields[t], i)
			}
		}
	}
	return fields
}()

// hearing finds the types with captured output in them among those that types are
// made of.
func hearing(types ...reflect.Type) map[reflect.Type]bool {
	found := map[reflect.Type]bool{wordsType: true, outputType: true, capturedType: true}
	var look func(t reflect.Type) bool
	look = func(t reflect.Type) bool {
		if known, seen := found[t]; seen {
			return known
		}
		found[t] = false // while it is looked at: a type may hold itself
		has := false
		switch t.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Array:
			has = look(t.Elem())
		case reflect.Map:
			has = look(t.Elem()) || look(t.Key())
		case reflect.Struct:
			for i := range t.NumField() {
				if t.Field(i).IsExported() && look(t.Field(i).Type) {
					has = true
				}
			}
		}
		found[t] = has
		return has
	}
	for _, t := range types {
		look(t)
	}
	return found
}

// without is a copy of v without captured output. What has none is shared.
func without(v reflect.Value) reflect.Value {
	t := v.Type()
	switch {
	case !heard[t]:
		return v
	case t == capturedType:
		return reflect.ValueOf(Withheld)
	case t == outputType:
		return reflect.ValueOf(child.Output{})
	case t == wordsType:
		return reflect.Zero(t)
	}
	switch t.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return v
		}
		out := reflect.New(t.Elem())
		out.Elem().Set(without(v.Elem()))
		return out
	case reflect.Slice:
		if v.IsNil() {
			return v
		}
		out := reflect.MakeSlice(t, v.Len(), v.Len())
		for i := range v.Len() {
			out.Index(i).Set(without(v.Index(i)))
		}
		return out
	case reflect.Struct:
		out := reflect.New(t).Elem()
		out.Set(v)
		for _, i := range heardFields[t] {
			out.Field(i).Set(without(v.Field(i)))
		}
		return out
	}
	panic("status: captured output in a " + t.Kind().String() + ", which without does not know")
}
