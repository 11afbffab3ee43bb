// Package desired turns a directory of manifests into the desired state: which
// children should be there, and what each of them should be.
//
// Its first half is pure. Decode reads the documents of one file, YAML or JSON,
// and returns a Manifest for each one that is sound and every Problem of those
// that are not, with its line, column, field path and a hint. Manifest.Spec
// places a manifest into the tree: names become ids, defaults are inherited and
// filled in, and what means the same becomes the same child.Spec, so that a file
// which was reformatted changes no hash. Schema describes manifests to editors.
// The fields are listed once, in fields.go: decoder, checks, defaults and schema
// are read from the tags there.
//
// Its second half looks at the directory: it reads the tree, merges what it saw
// with what was in force, and watches for changes. A mistake in a file never
// stops a child and an empty look never empties the machine; both promises are
// kept in Merge and nowhere else.
//
// Whatever a file holds, reading it is bounded: 1 MiB, 32 levels, 1 MiB of
// expanded aliases, 100,000 lines and separators a document.
package desired
