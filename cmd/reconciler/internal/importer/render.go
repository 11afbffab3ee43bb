package importer

import (
	"bytes"
	"fmt"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/reconciler-dev/reconciler/internal/harmless"
)

// Render is the manifest as a file: where it came from and what was not carried
// over as comments, then the fields.
func (m *Manifest) Render() ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Imported from %s.\n", oneLine(m.Source))
	if m.About != "" {
		fmt.Fprintf(&b, "# %s\n", oneLine(m.About))
	}
	if len(m.Notes) > 0 {
		b.WriteString("#\n# Not carried over as it was:\n")
	}
	for _, n := range m.Notes {
		fmt.Fprintf(&b, "#   %s\n", oneLine(n.String()))
	}
	var node yaml.Node
	if err := node.Encode(m); err != nil {
		return nil, fmt.Errorf("write the manifest %s: %w", m.ID(), err)
	}
	m.takeOut(&node)
	harmless.Quote(&node)
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(&node); err != nil {
		return nil, fmt.Errorf("write the manifest %s: %w", m.ID(), err)
	}
	if err := enc.Close(); err != nil {
		return nil, err
	}
	return harmless.QuotedYAML(b.Bytes()), nil
}

// takeOut removes the fields that did not pass the check.
func (m *Manifest) takeOut(node *yaml.Node) {
	var kept []*yaml.Node
	for i := 0; i+1 < len(node.Content); i += 2 {
		if !slices.Contains(m.remove, node.Content[i].Value) {
			kept = append(kept, node.Content[i], node.Content[i+1])
		}
	}
	node.Content = kept
}

// oneLine is text for a comment: nothing in it ends the line.
func oneLine(s string) string { return harmless.Text(s) }
