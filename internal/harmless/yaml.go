package harmless

import (
	"bytes"
	"encoding/json"

	"go.yaml.in/yaml/v3"
	kubernetes "sigs.k8s.io/yaml"
)

// YAML is v as its JSON form says it. Where a text has a character that is not
// graphic all texts are quoted, and those characters escaped.
func YAML(v any) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	text = []byte(replaceAs(string(text), "\n\t", highForm))
	out, err := kubernetes.JSONToYAML(text)
	if err != nil || Lines(string(out)) == string(out) {
		return out, err
	}
	var node yaml.Node
	if err := yaml.Unmarshal(text, &node); err != nil { // JSON is YAML
		return nil, err
	}
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(inBlocks(&node)); err != nil {
		return nil, err
	}
	return QuotedYAML(b.Bytes()), nil
}

// inBlocks takes the braces of JSON from a node, and leaves texts their quotes.
func inBlocks(n *yaml.Node) *yaml.Node {
	if n.Kind != yaml.ScalarNode {
		n.Style = 0
	}
	for _, in := range n.Content {
		inBlocks(in)
	}
	return n
}

// QuotedYAML is YAML text of the same value without characters that are not graphic,
// if those stand within double quotes, or in comments: see Quote.
func QuotedYAML(text []byte) []byte { return []byte(replaceAs(string(text), "\n\t", yamlForm)) }

// Quote gives every text in a node its quotes that has a character that is not
// graphic.
func Quote(n *yaml.Node) {
	if n.Kind == yaml.ScalarNode && Lines(n.Value) != n.Value {
		n.Style = yaml.DoubleQuotedStyle
	}
	for _, in := range n.Content {
		Quote(in)
	}
}
