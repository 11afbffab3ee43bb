package desired

import (
	"fmt"
	"math"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// decimal is how a number is written in a manifest. YAML's other ways are
// refused, because its versions disagree about them: 010 is ten or eight.
var decimal = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$`)

// truths are the words that YAML 1.1 takes for a boolean and YAML 1.2 for text.
// A plain y or n passes as text all the same: YAML 1.1 names them too, but hardly
// a parser ever read them so, and they are good names for small things.
var truths = map[string]string{"y": "true", "yes": "true", "on": "true", "n": "false", "no": "false", "off": "false"}

// scalar reads n into a string, a boolean or a number.
func (w *walk) scalar(n *yaml.Node, path string, r *rules, dst reflect.Value) {
	switch dst.Kind() {
	case reflect.String:
		if s, ok := w.textOf(n, path, r); ok {
			dst.SetString(s)
		}
	case reflect.Bool:
		if b, ok := w.truth(n, path); ok {
			dst.SetBool(b)
		}
	default:
		w.number(n, path, r, dst)
	}
}

// textOf reads a text that keeps the rules of its field.
func (w *walk) textOf(n *yaml.Node, path string, r *rules) (string, bool) {
	if d := deref(n); r.enum != nil && d.Kind == yaml.ScalarNode && d.Style&yaml.TaggedStyle == 0 {
		// Whether "no" is a boolean is no question here: it is none of the words.
		n = &yaml.Node{Kind: d.Kind, Tag: "!!str", Value: d.Value, Style: yaml.DoubleQuotedStyle, Line: n.Line, Column: n.Column}
	}
	s, ok := w.text(n, path)
	if !ok {
		return "", false
	}
	if reason, hint := r.checkText(s); reason != "" {
		w.report(path, position{n.Line, n.Column}, reason, hint)
		return "", false
	}
	return s, true
}

// text reads a text: a quoted scalar, or a plain one that every version of YAML
// takes for text.
func (w *walk) text(n *yaml.Node, path string) (string, bool) {
	at := position{n.Line, n.Column}
	n = deref(n)
	plain := isPlain(n) && n.Style&yaml.TaggedStyle == 0
	_, truth := truths[strings.ToLower(n.Value)]
	truth = truth && len(n.Value) > 1
	switch {
	case n.Kind != yaml.ScalarNode:
		w.report(path, w.sectionPlace(path, at), "is "+kindOf(n)+"; want a text", "")
	case n.Tag == "!!null" && n.Value == "":
		w.report(path, at, "is empty; want a text", `give it a value; "" is an empty text`)
	case plain && (truth || n.Tag != "!!str" && readings[n.Tag] != ""):
		reading := readings[n.Tag]
		if truth {
			reading = "a boolean"
		}
		w.report(path, at, fmt.Sprintf("%s is read as %s; want a text", cut(n.Value), reading), fmt.Sprintf("quote it: %s", quoted(n.Value)))
	case n.Tag != "!!str":
		w.unfit(n, path, at, "a text")
	case strings.ContainsRune(n.Value, 0):
		w.report(path, at, "holds a NUL character", "remove it")
	default:
		return n.Value, true
	}
	return "", false
}

// isPlain reports whether n is written without quotes.
func isPlain(n *yaml.Node) bool {
	return n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) == 0
}

// readings says what YAML takes a plain scalar for.
var readings = map[string]string{
	"!!bool": "a boolean", "!!int": "a number", "!!float": "a number", "!!timestamp": "a date", "!!null": "nothing", "!!merge": "a merge key", "!!str": "a text",
}

func (w *walk) truth(n *yaml.Node, path string) (value, ok bool) {
	at := position{n.Line, n.Column}
	n = deref(n)
	lower := strings.ToLower(n.Value)
	word, known := truths[lower]
	switch {
	case n.Kind != yaml.ScalarNode || readings[n.Tag] == "":
		w.unfit(n, path, at, "true or false")
	case known:
		w.report(path, at, fmt.Sprintf("%s is not true or false", cut(n.Value)), "write "+word)
	case lower != "true" && lower != "false":
		w.unfit(n, path, at, "true or false")
	case n.Tag != "!!bool":
		w.report(path, at, quoted(n.Value)+" is a text; want true or false", "remove the quotes")
	default:
		return lower == "true", true
	}
	return false, false
}

// number reads an integer, a fraction or a duration.
func (w *walk) number(n *yaml.Node, path string, r *rules, dst reflect.Value) {
	at := position{n.Line, n.Column}
	n = deref(n)
	if n.Kind != yaml.ScalarNode || n.Tag != "!!int" && n.Tag != "!!float" || !decimal.MatchString(n.Value) {
		w.notNumber(n, path, at, dst)
		return
	}
	f, err := strconv.ParseFloat(n.Value, 64)
	if err != nil {
		w.report(path, at, cut(n.Value)+" is out of range", "")
		return
	}
	if reason := r.checkNumber(f, n.Value); reason != "" {
		w.report(path, at, reason, "")
		return
	}
	switch dst.Interface().(type) {
	case child.Seconds:
		w.duration(n, f, time.Second, path, at, dst)
	case child.Millis:
		w.duration(n, f, time.Millisecond, path, at, dst)
	case float64:
		dst.SetFloat(f)
	default:
		i, err := strconv.ParseInt(n.Value, 10, 64)
		if err != nil {
			w.report(path, at, cut(n.Value)+" is not a whole number", "")
			return
		}
		dst.SetInt(i)
	}
}

func (w *walk) duration(n *yaml.Node, f float64, unit time.Duration, path string, at position, dst reflect.Value) {
	if most := float64(child.MaxDuration) / float64(unit); f > most {
		w.report(path, at, fmt.Sprintf("%s is too large; at most %s", cut(n.Value), plain(most)), "")
		return
	}
	dst.SetInt(int64(math.Round(f * float64(unit))))
}

// notNumber reports a value that is no number, with a hint for the usual slips:
// quotes, and units such as 5s or 256MB.
func (w *walk) notNumber(n *yaml.Node, path string, at position, dst reflect.Value) {
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" || readings[n.Tag] == "" {
		w.unfit(n, path, at, "a number")
		return
	}
	hint := "write a plain decimal number"
	if d, err := time.ParseDuration(n.Value); err == nil {
		switch dst.Interface().(type) {
		case child.Seconds:
			hint = fmt.Sprintf("write %s: the unit is seconds", plain(d.Seconds()))
		case child.Millis:
			hint = fmt.Sprintf("write %s: the unit is milliseconds", plain(float64(d)/float64(time.Millisecond)))
		}
	} else if decimal.MatchString(n.Value) && !isPlain(n) {
		hint = "remove the quotes"
	}
	w.report(path, at, quoted(n.Value)+" is not a plain number", hint)
}

// unfit reports a node of the wrong kind, or with a tag that nobody knows.
func (w *walk) unfit(n *yaml.Node, path string, at position, want string) {
	known := readings[n.Tag] != "" || n.Kind != yaml.ScalarNode
	switch {
	case n.Tag == "!!null":
		w.report(path, at, "is empty; want "+want, "give it a value or remove the line")
	case !known:
		w.report(path, at, fmt.Sprintf("has the unknown tag %s", quoted(n.Tag)), "remove the tag")
	case n.Kind != yaml.ScalarNode:
		w.report(path, w.sectionPlace(path, at), "is "+kindOf(n)+"; want "+want, "")
	default:
		w.report(path, at, fmt.Sprintf("%s is %s; want %s", quoted(n.Value), readings[n.Tag], want), "")
	}
}

// sectionPlace is where path stands if it is a field, else at.
func (w *walk) sectionPlace(path string, at position) position {
	if i := len(w.pos) - 1; i >= 0 && w.pos[i].path == path {
		return w.pos[i].at
	}
	return at
}

func kindOf(n *yaml.Node) string {
	switch deref(n).Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.ScalarNode:
		if deref(n).Tag == "!!null" {
			return "empty"
		}
		return "a single value"
	}
	return "nothing"
}

// cut is s as it was written, cut where it is too long to be read.
func cut(s string) string {
	const most = 60
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
