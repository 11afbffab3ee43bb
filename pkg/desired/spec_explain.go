package desired

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// FieldSource says who set a field of a spec.
type FieldSource string

// The sources, in the order in which they win.
const (
	FromManifest FieldSource = "manifest"           // the child's own
	FromFolder   FieldSource = "supervisor_default" // the defaults of a folder above, the nearest first
	FromRole     FieldSource = "role"               // what work_role stands for
	BuiltIn      FieldSource = "built_in"

	// FromEarlier is a value that is in force from a manifest of before: the file is
	// broken or gone now, or its change has not reached the child yet.
	FromEarlier FieldSource = "earlier_manifest"

	// FromRequest is a value of a child that no file declares: it was put through
	// the control socket.
	FromRequest FieldSource = "request"
)

// FieldOrigin is the effective value of one field, and where it came from.
type FieldOrigin struct {
	Field      string          `json:"-"`                    // its path; a variable or a secret by its name: "environment[MODE]"
	Value      json.RawMessage `json:"value"`                // as a manifest says it; of a variable only its secret_ref
	Source     FieldSource     `json:"source"`               //
	Supervisor child.ID        `json:"supervisor,omitempty"` // whose defaults
	Role       string          `json:"role,omitempty"`       // which role
	File       string          `json:"file,omitempty"`       // relative to the manifests directory
	Line       int             `json:"line,omitempty"`       // from 1; 0 where it is not known
	Column     int             `json:"-"`                    // from 1; 0 where it is not known
}

// Explain tells of every field of a child that has a value where that came from,
// in the order of the reference. running is the spec that is in force in the
// runtime, whose values are told; nil means the one of the Set. It works out
// everything from the documents: nothing is kept for it.
func (s *Set) Explain(id child.ID, running *child.Spec) []FieldOrigin {
	e := s.items[id]
	var made *rendered
	if e != nil {
		made = e.made
		if running == nil {
			running = e.Spec
		}
	}
	if running == nil {
		return nil
	}
	x := explaining{id: id, file: originFile(e), role: "worker", made: made}
	if running.Kind == child.Supervisor {
		x.role = "supervisor"
	}
	told := *running
	told.InheritEnvironment = running.Inherited()
	if told.Logs.WhenFull == "" {
		told.Logs.WhenFull = child.BlockOutput // how it is kept, see child.Logs
	}
	x.section("", reflect.TypeFor[manifestFields](), reflect.ValueOf(&told).Elem())
	if made != nil && e.Spec != running {
		x.compare(s.Explain(id, nil))
	}
	return x.found
}

func originFile(e *item) string {
	if e == nil {
		return ""
	}
	return e.Origin.File
}

// explaining is a spec while its fields are explained.
type explaining struct {
	id    child.ID
	file  string
	role  string    // whose fields it has: "worker" or "supervisor"
	made  *rendered // nil if no document of now declares it
	found []FieldOrigin
}

// section explains the fields of a section; src is its type in fields.go.
func (x *explaining) section(path string, src reflect.Type, spec reflect.Value) {
	for _, s := range steps()[src] {
		if s.role != "" && s.role != x.role {
			continue
		}
		full, value := join(path, s.name), spec.FieldByIndex(s.dst)
		from := src.FieldByIndex(s.src).Type
		switch names, named := namesOf(value); {
		case isUnset(value): // nothing holds
		case named:
			for i, name := range names {
				x.field(full, name, value.Index(i), true)
			}
		case isSection(from, value.Type()):
			x.section(full, bare(from), reflect.Indirect(value))
		default:
			x.field(full, "", value, s.preset.IsValid())
		}
	}
}

// isSection reports whether a field of type t in fields.go is a struct whose
// fields are fields by themselves; to is its type in child.
func isSection(t, to reflect.Type) bool {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.Kind() == reflect.Struct && !t.ConvertibleTo(to)
}

// namesOf are the names of the elements of a list that is inherited name by name.
func namesOf(list reflect.Value) (names []string, named bool) {
	switch all := list.Interface().(type) {
	case []child.EnvVar:
		for _, v := range all {
			names = append(names, v.Name)
		}
	case []child.Secret:
		for _, s := range all {
			names = append(names, s.Name)
		}
	default:
		return nil, false
	}
	return names, true
}

// field explains one field; name is that of an element of a list.
func (x *explaining) field(path, name string, value reflect.Value, hasDefault bool) {
	o := FieldOrigin{Field: path, Value: plainJSON(shown(value)), Source: FromEarlier, File: x.file}
	if name != "" {
		o.Field = path + "[" + name + "]"
	}
	if x.made != nil {
		o = x.source(o, path, name)
	}
	if o.Source == BuiltIn && value.IsZero() && !hasDefault {
		return // nothing holds
	}
	x.found = append(x.found, o)
}

// source finds who set a field: the first who wrote it.
func (x *explaining) source(o FieldOrigin, path, name string) FieldOrigin {
	o.File = ""
	if m := x.made.document; m != nil {
		if at, ok := writtenAt(reflect.ValueOf(m.fields), path, name); ok {
			o.Source, o.File = FromManifest, m.File
			o.Line, o.Column = m.Position(at)
			return o
		}
	}
	for i, above := range slices.Backward(x.made.chain) {
		if x.role != "worker" || above == nil || above.fields.Defaults == nil {
			continue
		}
		if at, ok := writtenAt(reflect.ValueOf(*above.fields.Defaults), path, name); ok {
			o.Source, o.File, o.Supervisor = FromFolder, above.File, supervisorAt(x.id, i)
			o.Line, o.Column = above.Position("defaults." + at)
			return o
		}
	}
	o.Source = BuiltIn
	if role := x.workRole(); role != "" {
		if _, ok := writtenAt(reflect.ValueOf(packs[role].defaults), path, name); ok {
			o.Source, o.Role = FromRole, role
		}
	}
	return o
}

func (x *explaining) workRole() string {
	if m := x.made.document; m != nil && m.fields.WorkRole != nil {
		return *m.fields.WorkRole
	}
	return ""
}

// supervisorAt is the folder at a level above id; 0 is the root.
func supervisorAt(id child.ID, level int) child.ID {
	if level == 0 {
		return child.RootSupervisor
	}
	return child.ID(strings.Join(strings.Split(string(id), "/")[:level], "/"))
}

// writtenAt reports whether the struct v of fields.go has a field that was
// written, and at which path. name asks for the element of a list by its name.
func writtenAt(v reflect.Value, path, name string) (string, bool) {
	for _, key := range strings.Split(path, ".") {
		if v.Kind() == reflect.Pointer {
			if v.IsNil() {
				return "", false
			}
			v = v.Elem()
		}
		l := layouts()[v.Type()]
		i, ok := l.byName[key]
		if !ok {
			return "", false
		}
		v = v.FieldByIndex(l.fields[i].index)
	}
	if name == "" || isUnset(v) {
		return path, !isUnset(v)
	}
	for i := range v.Len() {
		if v.Index(i).FieldByName("Name").String() == name {
			return fmt.Sprintf("%s[%d]", path, i), true
		}
	}
	return "", false
}

// compare marks what is in force otherwise than the documents of now want it.
func (x *explaining) compare(wanted []FieldOrigin) {
	want := make(map[string]FieldOrigin, len(wanted))
	for _, o := range wanted {
		want[o.Field] = o
	}
	for i, o := range x.found {
		if w, ok := want[o.Field]; !ok || !bytes.Equal(w.Value, o.Value) {
			x.found[i] = FieldOrigin{Field: o.Field, Value: o.Value, Source: FromEarlier, File: x.file}
		}
	}
}

// notShown stands for a value that may be a secret.
const notShown = "(not shown)"

// shown is a value as people may see it: what may be a secret is left out, as diff
// leaves it out too.
func shown(v reflect.Value) any {
	switch v := v.Interface().(type) {
	case child.EnvVar:
		if v.SecretRef != "" {
			return v.SecretRef
		}
		return notShown
	case map[string]string: // headers of a probe
		return notShown
	default:
		return v
	}
}

// plainJSON is a value as JSON that a person can read: without the escapes that
// JSON in a web page needs.
func plainJSON(v any) json.RawMessage {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic("desired: a field of a spec is always encodable: " + err.Error())
	}
	return bytes.TrimSpace(b.Bytes())
}
