package desired

import (
	"reflect"
	"sync"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// step carries one field of a struct of fields.go over into child's struct.
type step struct {
	name     string
	src, dst []int
	role     string
	preset   reflect.Value // for a field that was not written; may be invalid
	always   bool          // a section that child always has, written or not
}

// steps are the ways from each struct of fields.go to its struct of child, read
// once. Fields are the same when their keys are.
var steps = sync.OnceValue(func() map[reflect.Type][]step {
	all := map[reflect.Type][]step{}
	readSteps(all, reflect.TypeFor[manifestFields](), reflect.TypeFor[child.Spec]())
	return all
})

func readSteps(all map[reflect.Type][]step, src, dst reflect.Type) {
	src, dst = bare(src), bare(dst)
	if src.Kind() != reflect.Struct || dst.Kind() != reflect.Struct || all[src] != nil {
		return
	}
	all[src] = []step{}
	targets := map[string]reflect.StructField{}
	for _, f := range reflect.VisibleFields(dst) {
		targets[key(f)] = f
	}
	var list []step
	for _, f := range layouts()[src].fields {
		to, ok := targets[f.name]
		if !ok {
			continue // name and defaults; a test knows that there are no others
		}
		from := src.FieldByIndex(f.index).Type
		s := step{name: f.name, src: f.index, dst: to.Index, role: f.role}
		s.always = bare(from).Kind() == reflect.Struct && to.Type.Kind() == reflect.Struct && !bare(from).ConvertibleTo(to.Type)
		if f.rules.preset != "" {
			s.preset = reflect.New(to.Type).Elem()
			f.rules.setPreset(s.preset)
		}
		readSteps(all, from, to.Type)
		list = append(list, s)
	}
	all[src] = list
}

// bare is t without pointers and slices.
func bare(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	return t
}

// settle carries the written fields of role into s and gives the others their
// defaults.
func settle(s *child.Spec, f *manifestFields, role string) {
	carryFields(reflect.ValueOf(s).Elem(), reflect.ValueOf(f).Elem(), role)
}

func carryFields(dst, src reflect.Value, role string) {
	for _, s := range steps()[src.Type()] {
		if s.role != "" && s.role != role {
			continue
		}
		from, to := src.FieldByIndex(s.src), dst.FieldByIndex(s.dst)
		switch unset := isUnset(from); {
		case !unset:
			carry(to, from, role)
		case s.always:
			carryFields(to, reflect.Zero(bare(from.Type())), role)
		case s.preset.IsValid():
			to.Set(s.preset)
		}
	}
}

func isUnset(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		return v.IsNil()
	}
	return false
}

// carry sets dst to what src says. Both may be pointers; dst then gets its own.
func carry(dst, src reflect.Value, role string) {
	if src.Kind() == reflect.Pointer {
		src = src.Elem()
	}
	if dst.Kind() == reflect.Pointer {
		dst.Set(reflect.New(dst.Type().Elem()))
		dst = dst.Elem()
	}
	switch {
	case src.Kind() == dst.Kind() && src.Type().ConvertibleTo(dst.Type()):
		dst.Set(src.Convert(dst.Type()))
	case src.Kind() == reflect.Slice:
		dst.Set(reflect.MakeSlice(dst.Type(), src.Len(), src.Len()))
		for i := range src.Len() {
			carry(dst.Index(i), src.Index(i), role)
		}
	default:
		carryFields(dst, src, role)
	}
}
