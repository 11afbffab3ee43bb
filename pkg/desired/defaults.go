package desired

import (
	"reflect"
	"slices"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// inherit gives own what it does not say and above does: sections field by
// field, environment and secrets name by name, other lists whole. What own
// holds is never written into; it belongs to a manifest.
func inherit(own, above *inheritable) {
	variables := united(own.Environment, above.Environment, func(v envVar) string { return v.Name })
	secrets := united(own.Secrets, above.Secrets, func(s secret) string { return s.Name })
	complete(reflect.ValueOf(own).Elem(), reflect.ValueOf(above).Elem())
	own.Environment, own.Secrets = variables, secrets
}

// complete fills the unset fields of the struct own from above.
func complete(own, above reflect.Value) {
	for i := range own.NumField() {
		o, a := own.Field(i), above.Field(i)
		switch {
		case a.IsNil():
		case o.IsNil():
			o.Set(a)
		case o.Kind() == reflect.Pointer && sections[o.Type().Elem()]:
			merged := reflect.New(o.Type().Elem())
			merged.Elem().Set(o.Elem())
			complete(merged.Elem(), a.Elem())
			o.Set(merged)
		}
	}
}

// sections are the structs of inheritable that are inherited field by field.
var sections = map[reflect.Type]bool{
	reflect.TypeFor[runAs](): true, reflect.TypeFor[resourceLimits](): true, reflect.TypeFor[shutdown](): true, reflect.TypeFor[backoff](): true,
	reflect.TypeFor[restartLimit](): true, reflect.TypeFor[commandPermissions](): true, reflect.TypeFor[logs](): true,
}

// united is own and those elements of above whose names own does not have.
func united[E any](own, above []E, name func(E) string) []E {
	has := make(map[string]bool, len(own))
	for _, e := range own {
		has[name(e)] = true
	}
	all := slices.Clone(own)
	for _, e := range above {
		if !has[name(e)] {
			all = append(all, e)
		}
	}
	return all
}

// complement and complementBackoff fill in those defaults that depend on other
// fields. A default
// never contradicts what was written: whoever writes max_delay_ms: 5 begins at 5,
// not at 10.
func complement(s *child.Spec, f *manifestFields) {
	if s.SuccessExitCodes == nil {
		s.SuccessExitCodes = []int{0}
	}
	if f.InheritEnvironment == nil {
		s.InheritEnvironment.All = true
	} else {
		s.WholeEnvironment = s.InheritEnvironment.All && s.RunAs != nil && s.RunAs.User != ""
	}
}

// complementBackoff is complement for what supervisors have too.
func complementBackoff(s *child.Spec, f *manifestFields) {
	if f.Backoff == nil {
		return
	}
	if f.Backoff.InitialDelay == nil {
		s.Backoff.InitialDelay = min(s.Backoff.InitialDelay, s.Backoff.MaxDelay)
	}
	if f.Backoff.MaxDelay == nil {
		s.Backoff.MaxDelay = max(s.Backoff.MaxDelay, s.Backoff.InitialDelay)
	}
}
