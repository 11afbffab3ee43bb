package desired

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// rules is what the tags of a field say about its value. In a list all but
// minItems is about its elements.
type rules struct {
	required  bool
	enum      []string
	preset    string // the default; "" means none
	min, max  *float64
	minLength int
	maxLength int // 0 means any
	minItems  int
	pattern   *regexp.Regexp
	hint      string
}

// field is one field of a struct of fields.go, those of embedded structs included.
type field struct {
	name  string
	index []int
	role  string // "worker", "supervisor" or "" for both
	rules rules
}

// layout is a struct of fields.go, read once.
type layout struct {
	fields []field
	byName map[string]int
}

func (l *layout) names() []string {
	names := make([]string, len(l.fields))
	for i := range l.fields {
		names[i] = l.fields[i].name
	}
	return names
}

// layouts holds the layout of every struct that a manifest may contain.
var layouts = sync.OnceValue(func() map[reflect.Type]*layout {
	all := map[reflect.Type]*layout{}
	readLayout(all, reflect.TypeFor[manifestFields]())
	return all
})

func readLayout(all map[reflect.Type]*layout, t reflect.Type) {
	t = bare(t)
	if t.Kind() != reflect.Struct || all[t] != nil {
		return
	}
	l := &layout{byName: map[string]int{}}
	all[t] = l
	for _, f := range reflect.VisibleFields(t) {
		if f.Anonymous {
			continue
		}
		l.byName[key(f)] = len(l.fields)
		l.fields = append(l.fields, field{name: key(f), index: f.Index, role: f.Tag.Get("for"), rules: readRules(f.Tag)})
		readLayout(all, f.Type)
	}
}

// key is what a manifest calls f.
func key(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

func readRules(tag reflect.StructTag) rules {
	r := rules{hint: tag.Get("hint")}
	for _, word := range strings.Split(tag.Get("jsonschema"), ",") {
		key, value, _ := strings.Cut(word, "=")
		switch key {
		case "required":
			r.required = true
		case "enum":
			r.enum = append(r.enum, value)
		case "default":
			r.preset = value
		case "minimum":
			r.min = number(value)
		case "maximum":
			r.max = number(value)
		case "minLength":
			r.minLength = int(*number(value))
		case "maxLength":
			r.maxLength = int(*number(value))
		case "minItems":
			r.minItems = int(*number(value))
		case "pattern":
			r.pattern = regexp.MustCompile(value)
		}
	}
	return r
}

func number(s string) *float64 {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		panic("desired: a tag of fields.go holds no number: " + s)
	}
	return &f
}

// checkText says what is wrong with s, and what to do; "" if nothing is.
func (r *rules) checkText(s string) (reason, hint string) {
	switch {
	case r.enum != nil && !slices.Contains(r.enum, s):
		return fmt.Sprintf("%s is not one of %s", quoted(s), strings.Join(r.enum, ", ")), didYouMean(s, r.enum)
	case len(s) < r.minLength:
		return "is empty", "give it a value or remove the line"
	case r.maxLength > 0 && len(s) > r.maxLength:
		return fmt.Sprintf("%s has %d characters; at most %d are allowed", quoted(s), len(s), r.maxLength), ""
	case r.pattern != nil && !r.pattern.MatchString(s):
		return fmt.Sprintf("%s does not match %s", quoted(s), r.pattern), r.hint
	}
	return "", ""
}

// checkNumber says what is wrong with f, which is read from text; "" if nothing is.
func (r *rules) checkNumber(f float64, text string) string {
	switch {
	case r.min != nil && f < *r.min:
		return fmt.Sprintf("%s is too small; at least %s", cut(text), plain(*r.min))
	case r.max != nil && f > *r.max:
		return fmt.Sprintf("%s is too large; at most %s", cut(text), plain(*r.max))
	}
	return ""
}

func plain(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// quoted is s in quotes, cut where it is too long to be read.
func quoted(s string) string {
	const most = 60
	if r := []rune(s); len(r) > most {
		return strconv.Quote(string(r[:most]) + "…")
	}
	return strconv.Quote(s)
}

// setPreset gives dst the default that the tags of its field say.
func (r *rules) setPreset(dst reflect.Value) {
	switch dst.Interface().(type) {
	case child.Seconds, child.Millis:
		if err := dst.Addr().Interface().(interface{ UnmarshalJSON([]byte) error }).UnmarshalJSON([]byte(r.preset)); err != nil {
			panic("desired: a default of fields.go is out of range: " + r.preset)
		}
		return
	}
	switch dst.Kind() {
	case reflect.String:
		dst.SetString(r.preset)
	case reflect.Bool:
		dst.SetBool(r.preset == "true")
	case reflect.Float64:
		dst.SetFloat(*number(r.preset))
	default:
		dst.SetInt(int64(*number(r.preset)))
	}
}
