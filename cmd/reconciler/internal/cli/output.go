package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"strings"

	"k8s.io/client-go/util/jsonpath"

	"github.com/reconciler-dev/reconciler/internal/harmless"
)

// outputs are the values of -o where children are printed.
var outputs = []string{"table", "wide", "json", "yaml", "name", pathPrefix}

// pathPrefix begins a value of -o that is a template, as kubectl's.
const pathPrefix = "jsonpath="

// template is a value of -o that picks fields, in the syntax of kubectl.
type template struct {
	path *jsonpath.JSONPath
	text string
}

// parseTemplate reads the value of -o behind "jsonpath=". As in kubectl the
// braces around one single path may be left out.
func parseTemplate(text string) (*template, error) {
	if !strings.Contains(text, "{") {
		text = "{" + text + "}"
	}
	path := jsonpath.New("output").AllowMissingKeys(true)
	if err := path.Parse(text); err != nil || text == "{}" {
		return nil, withCode(Usage, "--output jsonpath=%s is no template%s: want one such as '{.phase}' or '{range [*]}{.child_id}{\"\\n\"}{end}'", text, because(err))
	}
	return &template{path, text}, nil
}

func because(err error) string {
	if err == nil {
		return ""
	}
	return " (" + err.Error() + ")"
}

// print writes what the template picks from the JSON form of v.
func (t *template) print(w io.Writer, v any) error {
	root, err := decoded(v)
	if err != nil {
		return err
	}
	if _, isList := root.([]any); isList && strings.Contains(t.text, ".items") {
		return withCode(Usage, "--output jsonpath=%s: the children are a list without items around it: write [*] for .items[*]", t.text)
	}
	var b bytes.Buffer
	if err := t.path.Execute(&b, root); err != nil {
		hint := ""
		if _, isList := root.([]any); isList {
			hint = "; the root is the list of children: '{[*].phase}'"
		}
		return fmt.Errorf("pick from the status: %w%s", err, hint)
	}
	return write(w, b.String())
}

// decoded is the JSON form of v as maps and slices. A number that is whole is an
// int64, so that it reads 4711 and can be compared; a field that is null is
// missing, so that it reads as nothing. A text is one line of text.
func decoded(v any) (any, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var root any
	if err := dec.Decode(&root); err != nil {
		return nil, err
	}
	return plain(root), nil
}

func plain(v any) any {
	switch v := v.(type) {
	case map[string]any:
		maps.DeleteFunc(v, func(_ string, value any) bool { return value == nil })
		for key := range v {
			v[key] = plain(v[key])
		}
	case []any:
		for i := range v {
			v[i] = plain(v[i])
		}
	case string:
		return harmless.Text(v)
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		f, err := v.Float64()
		if err != nil {
			return string(v)
		}
		return f
	}
	return v
}

// oneOfOutputs checks -o where a template is allowed.
func oneOfOutputs(value string, allowed ...string) error {
	if strings.HasPrefix(value, pathPrefix) {
		_, err := parseTemplate(strings.TrimPrefix(value, pathPrefix))
		return err
	}
	return oneOf("output", value, allowed...)
}
