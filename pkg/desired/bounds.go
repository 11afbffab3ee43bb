package desired

import (
	"fmt"

	"go.yaml.in/yaml/v3"
)

// bounded says which bound of a document root breaks; nil if none. It looks at
// every node once, however often aliases repeat it.
func bounded(root *yaml.Node) *Problem {
	b := bounds{}
	b.measure(root, 1)
	return b.problem
}

// bounds measures a document.
type bounds struct {
	anchored map[*yaml.Node]*extent // also those that are being measured now
	expanded int                    // what all aliases so far stand for
	problem  *Problem
}

// extent is how far a node reaches once its aliases are written out.
type extent struct {
	height, size int
	done         bool
}

// measure is the extent of n, which stands at level depth. Once there is a
// problem it means nothing any more.
func (b *bounds) measure(n *yaml.Node, depth int) extent {
	if b.problem != nil {
		return extent{}
	}
	if n.Kind == yaml.AliasNode {
		return b.alias(n, depth)
	}
	if n.Anchor != "" {
		if b.anchored == nil {
			b.anchored = map[*yaml.Node]*extent{}
		}
		b.anchored[n] = &extent{}
	}
	e := extent{size: 1 + len(n.Value), done: true}
	if n.Kind != yaml.ScalarNode {
		e.height = 1
		if depth > maxDepth {
			b.fail(n, fmt.Sprintf("nested deeper than %d levels", maxDepth), "")
			return e
		}
	}
	for _, c := range n.Content {
		inner := b.measure(c, depth+1)
		e.height = max(e.height, inner.height+1)
		e.size = min(e.size+inner.size, 2*maxExpansion) // it need not be exact beyond
	}
	if n.Anchor != "" {
		*b.anchored[n] = e
	}
	return e
}

func (b *bounds) alias(n *yaml.Node, depth int) extent {
	e := b.anchored[n.Alias]
	switch {
	case e == nil || !e.done:
		b.fail(n, fmt.Sprintf("the alias *%s stands inside of what it repeats", cut(n.Value)), "")
		return extent{}
	case depth-1+e.height > maxDepth:
		b.fail(n, fmt.Sprintf("nested deeper than %d levels", maxDepth), "")
	}
	b.expanded += e.size
	if b.expanded > maxExpansion {
		b.fail(n, fmt.Sprintf("the aliases of this document stand for more than %d bytes", maxExpansion), "write less, or several manifests")
	}
	return *e
}

func (b *bounds) fail(n *yaml.Node, reason, hint string) {
	b.problem = &Problem{Line: n.Line, Column: n.Column, Reason: reason, Hint: hint}
}
