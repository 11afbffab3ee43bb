package desired

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"

	"go.yaml.in/yaml/v3"
)

// parseJSON parses the documents of a JSON file, one behind the other, into the
// nodes that YAML gives. JSON is nearly a part of YAML, but not its surrogate
// pairs ("\ud83d\ude00"), which many programs write.
func parseJSON(data []byte) iter.Seq[document] {
	j := jsonReader{data: bytes.TrimPrefix(data, []byte("\uFEFF")), mark: position{1, 1}}
	j.decoder = json.NewDecoder(bytes.NewReader(j.data))
	j.decoder.UseNumber()
	return func(yield func(document) bool) {
		for {
			j.nodes = 0
			root, err := j.value(1)
			switch {
			case errors.Is(err, io.EOF):
				return
			case err != nil:
				yield(document{line: j.mark.line, problem: j.problem(err)})
				return
			case !yield(document{line: root.Line, root: root}):
				return
			}
		}
	}
}

// jsonReader makes nodes of JSON.
type jsonReader struct {
	data    []byte
	decoder *json.Decoder
	nodes   int // of this document

	// mark is the place of data[offset]; it only moves forward.
	offset int
	mark   position
}

// value reads the next value, which stands at level depth.
func (j *jsonReader) value(depth int) (*yaml.Node, error) {
	token, err := j.decoder.Token()
	if err != nil {
		return nil, err
	}
	return j.node(token, depth)
}

// node is the value that begins with token.
func (j *jsonReader) node(token json.Token, depth int) (*yaml.Node, error) {
	n := &yaml.Node{Kind: yaml.ScalarNode}
	j.place(n)
	if j.nodes++; j.nodes > maxMarks {
		return nil, &jsonBound{position{n.Line, n.Column}, fmt.Sprintf("the document has more than %d values", maxMarks)}
	}
	switch t := token.(type) {
	case string:
		n.Tag, n.Value, n.Style = "!!str", t, yaml.DoubleQuotedStyle
	case json.Number:
		n.Tag, n.Value = "!!int", t.String()
		if strings.ContainsAny(n.Value, ".eE") {
			n.Tag = "!!float"
		}
	case bool:
		n.Tag, n.Value = "!!bool", fmt.Sprint(t)
	case nil:
		n.Tag, n.Value = "!!null", "null"
	case json.Delim:
		n.Kind, n.Tag = yaml.SequenceNode, "!!seq"
		if t == '{' {
			n.Kind, n.Tag = yaml.MappingNode, "!!map"
		}
		if depth > maxDepth {
			return nil, &jsonBound{position{n.Line, n.Column}, fmt.Sprintf("nested deeper than %d levels", maxDepth)}
		}
		return n, j.content(n, depth)
	}
	return n, nil
}

// content reads the values of a list, or the keys and values of a mapping.
func (j *jsonReader) content(n *yaml.Node, depth int) error {
	for {
		token, err := j.decoder.Token()
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return err
		}
		if end, ok := token.(json.Delim); ok && (end == ']' || end == '}') {
			return nil
		}
		c, err := j.node(token, depth+1)
		if err != nil {
			return err
		}
		n.Content = append(n.Content, c)
	}
}

// place gives n the line and the column at which the token read last begins.
// Only white space and these marks stand between two tokens.
func (j *jsonReader) place(n *yaml.Node) {
	rest := bytes.TrimLeft(j.data[j.offset:], " \t\r\n,:]}")
	j.moveTo(len(j.data) - len(rest))
	n.Line, n.Column = j.mark.line, j.mark.column
	j.moveTo(int(j.decoder.InputOffset()))
}

// moveTo moves the mark forward to offset.
func (j *jsonReader) moveTo(offset int) {
	for _, r := range string(j.data[j.offset:offset]) {
		j.mark.column++
		if r == '\n' {
			j.mark = position{j.mark.line + 1, 1}
		}
	}
	j.offset = offset
}

// jsonBound is a bound that a JSON document breaks.
type jsonBound struct {
	at     position
	reason string
}

func (b *jsonBound) Error() string { return b.reason }

func (j *jsonReader) problem(err error) *Problem {
	if bound := (*jsonBound)(nil); errors.As(err, &bound) {
		return &Problem{Line: bound.at.line, Column: bound.at.column, Reason: bound.reason}
	}
	at := positionOf(j.data, j.broken())
	return &Problem{Line: at.line, Column: at.column, Reason: "not JSON: " + strings.TrimPrefix(err.Error(), "json: "), Hint: "a file named .json is read as JSON; name it .yaml for YAML"}
}

// broken is where the value begins that the decoder could not read, or where in
// it the decoder gave up. The offset of its own error does not count what stands
// between tokens (encoding/json, Decoder.Token).
func (j *jsonReader) broken() int {
	rest := bytes.TrimLeft(j.data[j.decoder.InputOffset():], " \t\r\n,:")
	start := len(j.data) - len(rest)
	if len(rest) == 0 || strings.IndexByte("{}[]", rest[0]) >= 0 {
		return start
	}
	var scalar any
	err := json.NewDecoder(bytes.NewReader(rest)).Decode(&scalar)
	if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
		return start + int(syntax.Offset) - 1
	}
	return start
}
