package reconcile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// Class says what a change of a field does to a running child.
type Class string

// The classes, as the class tags of child.Spec name them.
const (
	ClassLive    Class = "live"    // applied without a restart
	ClassReload  Class = "reload"  // the running attempt is told
	ClassRestart Class = "restart" // the running attempt is replaced
)

// Hidden stands in a Difference for a value that is there but is never printed.
const Hidden = "(not shown)"

// Difference is one field that is not as it should be. Old and New are for
// people: text as it is, everything else as JSON, "" where there is nothing.
// Values of environment variables and of HTTP headers read Hidden, because they
// may be secrets.
type Difference struct {
	Field string `json:"field"` // path as in the manifest: "environment[1].value"
	Old   string `json:"old"`
	New   string `json:"new"`
	Class Class  `json:"class"`
}

// String is the difference on one line, such as
// "working_dir: /srv/old -> /srv/new (restart)".
func (d Difference) String() string {
	return fmt.Sprintf("%s: %s -> %s (%s)", d.Field, orNone(d.Old), orNone(d.New), d.Class)
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// Diff lists the fields in which two specs differ, in the order of the fields of
// child.Spec. It is empty exactly if the specs have the same Hash, since both
// look at the JSON form: a new field of child.Spec takes part by itself.
func Diff(from, to *child.Spec) []Difference {
	var d differ
	before, after := reflect.ValueOf(from).Elem(), reflect.ValueOf(to).Elem()
	for i, f := range specFields {
		a, b := before.Field(i), after.Field(i)
		if !reflect.DeepEqual(a.Interface(), b.Interface()) {
			d.class = f.class
			d.value(f.path, f.decoded(a), f.decoded(b))
		}
	}
	return d.found
}

// specField is a field of child.Spec: its name, the one of the manifest's fields
// that sets it, its class, and a struct that has this field only.
type specField struct {
	name  string
	path  string
	class Class
	alone reflect.Type
}

// specFields are those of child.Spec, in their order.
var specFields = func() []specField {
	t := reflect.TypeFor[child.Spec]()
	fields := make([]specField, t.NumField())
	for i := range fields {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		alone := reflect.StructOf([]reflect.StructField{{Name: f.Name, Type: f.Type, Tag: f.Tag}})
		path := name
		if other, ok := f.Tag.Lookup("manifest"); ok {
			path = other
		}
		fields[i] = specField{name, path, Class(f.Tag.Get("class")), alone}
	}
	return fields
}()

// decoded is the JSON form of the value v of the field, as maps, slices and
// json.Numbers. Encoding the one field that differs takes a quarter of the time of
// a whole spec, and a change of a folder's defaults changes all its children.
func (f specField) decoded(v reflect.Value) side {
	s := reflect.New(f.alone).Elem()
	s.Field(0).Set(v)
	b, err := json.Marshal(s.Interface())
	if err != nil {
		panic("reconcile: a spec is always encodable: " + err.Error())
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	var m map[string]any
	if err := dec.Decode(&m); err != nil {
		panic("reconcile: an encoded spec is always decodable: " + err.Error())
	}
	return at(m, f.name)
}

// side is one of the two values that are compared; the value of a field that is
// left out is not there.
type side struct {
	v     any
	there bool
}

func at(m map[string]any, key string) side {
	v, ok := m[key]
	return side{v, ok}
}

type differ struct {
	class Class
	found []Difference
}

func (d *differ) value(path string, a, b side) {
	if a.there == b.there && reflect.DeepEqual(a.v, b.v) {
		return
	}
	am, aIsMap := a.v.(map[string]any)
	bm, bIsMap := b.v.(map[string]any)
	if aIsMap && bIsMap {
		d.object(path, am, bm)
		return
	}
	al, aNamed := named(a.v)
	bl, bNamed := named(b.v)
	if aNamed && bNamed {
		d.list(path, al, bl)
		return
	}
	d.add(path, show(path, a), show(path, b))
}

func (d *differ) object(path string, a, b map[string]any) {
	keys := maps.Clone(a)
	maps.Copy(keys, b)
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		d.value(path+"."+key, at(a, key), at(b, key))
	}
}

// list compares lists of named elements by name, so that an element put in front
// is one difference and not one for each element behind it. An index is that of
// the new list, for an element that is gone that of the old one.
func (d *differ) list(path string, a, b []element) {
	var both, bothBefore []string
	for _, e := range a {
		if !slices.ContainsFunc(b, e.sameName) {
			d.value(indexed(path, e.index), side{e.fields, true}, side{})
			continue
		}
		bothBefore = append(bothBefore, e.name)
	}
	for _, e := range b {
		i := slices.IndexFunc(a, e.sameName)
		if i < 0 {
			d.value(indexed(path, e.index), side{}, side{e.fields, true})
			continue
		}
		both = append(both, e.name)
		d.value(indexed(path, e.index), side{a[i].fields, true}, side{e.fields, true})
	}
	if !slices.Equal(bothBefore, both) {
		d.add(path, strings.Join(bothBefore, ", "), strings.Join(both, ", "))
	}
}

func (d *differ) add(path, from, to string) {
	d.found = append(d.found, Difference{Field: path, Old: from, New: to, Class: d.class})
}

func indexed(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// element is one object of a list, with the name that it has among the others.
type element struct {
	index  int
	name   string
	fields map[string]any
}

func (e element) sameName(o element) bool { return e.name == o.name }

// named reads v as a list of objects that have different names.
func named(v any) ([]element, bool) {
	list, ok := v.([]any)
	if !ok {
		return nil, false
	}
	seen := map[string]bool{}
	elements := make([]element, len(list))
	for i := range list {
		fields, _ := list[i].(map[string]any)
		name, ok := fields["name"].(string)
		if !ok || seen[name] {
			return nil, false
		}
		seen[name] = true
		elements[i] = element{i, name, fields}
	}
	return elements, true
}

// show is a value for people.
func show(path string, s side) string {
	if !s.there {
		return ""
	}
	v := hide(path, s.v)
	if text, ok := v.(string); ok {
		return text
	}
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic("reconcile: a decoded value is always encodable: " + err.Error())
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// hide puts Hidden in the place of every value below path that may be a secret.
func hide(path string, v any) any {
	if isSecret(path) {
		return Hidden
	}
	switch v := v.(type) {
	case map[string]any:
		m := make(map[string]any, len(v))
		for key, value := range v {
			m[key] = hide(path+"."+key, value)
		}
		return m
	case []any:
		list := make([]any, len(v))
		for i, value := range v {
			list[i] = hide(indexed(path, i), value)
		}
		return list
	}
	return v
}

func isSecret(path string) bool {
	return strings.HasPrefix(path, "environment[") && strings.HasSuffix(path, "].value") ||
		strings.Contains(path, ".headers.")
}
