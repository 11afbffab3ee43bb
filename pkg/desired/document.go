package desired

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Bounds of one document.
const (
	maxDepth = 32

	// maxExpansion bounds what the aliases of a document stand for, in bytes.
	// Without it 400 KB of aliases to one long text became 2.6 GB.
	maxExpansion = 1 << 20

	// maxMarks bounds the characters that may begin a new value, and so the
	// nodes: 1 MiB of "a,a,a" would take 120 MB and half a second to parse.
	maxMarks = 100_000

	// maxDocuments of one file are as many as the children of a runtime. A
	// parser for each costs 5 KB, and 1 MiB has room for 200,000 of them.
	maxDocuments = 10_000
)

// document is one document of a file: its root, or why it has none.
type document struct {
	line    int // where it begins
	root    *yaml.Node
	problem *Problem
}

// unreadable says why nobody can read data as text.
func unreadable(data []byte) (Problem, bool) {
	if len(data) > MaxFileSize {
		return Problem{Reason: fmt.Sprintf("the file is larger than %d bytes", MaxFileSize), Hint: "split it into several files"}, true
	}
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		at := func(reason, hint string) (Problem, bool) {
			p := positionOf(data, i)
			return Problem{Line: p.line, Column: p.column, Reason: reason, Hint: hint}, true
		}
		switch {
		case r == utf8.RuneError && size == 1:
			return at("the file is not text in UTF-8", "save it as UTF-8")
		case r < ' ' && r != '\n' && r != '\r' && r != '\t' || r == 0x7f:
			return at(fmt.Sprintf("the file holds the control character 0x%02x: is it a manifest?", r), "write control characters as escapes in double quotes")
		case r == '\r' && !bytes.HasPrefix(data[i:], []byte("\r\n")), r == '\u0085', r == '\u2028', r == '\u2029':
			return at(fmt.Sprintf("the file holds the line break %U, which programs do not agree about", r), "save it with line feeds; inside a text write the character as an escape in double quotes")
		}
		i += size
	}
	return Problem{}, false
}

// positionOf is the place of the byte at offset.
func positionOf(data []byte, offset int) position {
	offset = min(offset, len(data))
	line := data[bytes.LastIndexByte(data[:offset], '\n')+1 : offset]
	return position{1 + bytes.Count(data[:offset], []byte("\n")), 1 + utf8.RuneCount(line)}
}

// parseYAML parses the documents of a file, each by itself: a line that begins
// with --- or ... ends a document whatever stands around it (YAML 1.2, rule
// c-forbidden), so what is broken in one cannot reach the next.
func parseYAML(data []byte) iter.Seq[document] {
	return func(yield func(document) bool) {
		line := 1
		for _, text := range split(bytes.TrimPrefix(data, []byte("\uFEFF"))) {
			if !blank(text) && !yield(parseOne(text, line)) {
				return
			}
			line += bytes.Count(text, []byte("\n"))
		}
	}
}

// split cuts data before each line of --- and after each line of ... . Lines
// that hold nothing but directives stay with the document that they are for.
func split(data []byte) [][]byte {
	var texts [][]byte
	start, directives := 0, true
	for i := 0; i < len(data); {
		end := len(data)
		if n := bytes.IndexByte(data[i:], '\n'); n >= 0 {
			end = i + n + 1
		}
		line := data[i:end]
		switch {
		case isMarker(line, "---"):
			if !directives {
				texts, start = append(texts, data[start:i]), i
			}
			directives = false
		case isMarker(line, "..."):
			texts, start, directives = append(texts, data[start:end]), end, true
		case !blank(line):
			directives = false
		}
		i = end
	}
	return append(texts, data[start:])
}

func isMarker(line []byte, marker string) bool {
	rest, ok := bytes.CutPrefix(line, []byte(marker))
	return ok && (len(rest) == 0 || strings.IndexByte(" \t\r\n", rest[0]) >= 0)
}

// blank reports whether text declares nothing: only comments, markers and directives.
func blank(text []byte) bool {
	for line := range bytes.Lines(text) {
		if isMarker(line, "---") || isMarker(line, "...") {
			line = line[3:]
		}
		if bytes.HasPrefix(line, []byte("%")) {
			continue
		}
		if line = bytes.TrimSpace(line); len(line) > 0 && line[0] != '#' {
			return false
		}
	}
	return true
}

func parseOne(text []byte, line int) document {
	doc := document{line: line + firstLine(text)}
	if marks := countMarks(text); marks > maxMarks {
		doc.problem = &Problem{Line: doc.line, Column: 1, Reason: fmt.Sprintf("the document has more than %d lines and separators", maxMarks), Hint: "a document declares one child"}
		return doc
	}
	root, err := parseNode(text)
	if err != nil {
		doc.problem = syntaxProblem(text, line, err)
		return doc
	}
	shift(root, line-1)
	doc.line, doc.root = root.Line, root
	doc.problem = bounded(root)
	return doc
}

// firstLine counts the lines of text before its first content.
func firstLine(text []byte) int {
	n := 0
	for line := range bytes.Lines(text) {
		if !blank(line) {
			return n
		}
		n++
	}
	return 0
}

func countMarks(text []byte) int {
	n := 0
	for _, c := range text {
		switch c {
		case '\n', '\r', ',', ':', '[', '{', '?':
			n++
		}
	}
	return n
}

// parseNode parses one document. A panic of the parser is an error of the text:
// it reads what strangers write, and a file must not end the reconciler.
func parseNode(text []byte) (root *yaml.Node, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the parser cannot read it: %v", r)
		}
	}()
	var doc yaml.Node
	if err := yaml.Unmarshal(withoutVersion(text), &doc); err != nil {
		return nil, err
	}
	if len(doc.Content) != 1 {
		return nil, errors.New("the document is empty")
	}
	return doc.Content[0], nil
}

// shift moves n and all below it by so many lines.
func shift(n *yaml.Node, lines int) {
	if lines == 0 {
		return
	}
	n.Line += lines
	for _, c := range n.Content {
		shift(c, lines)
	}
}

// lineOf finds the line that the parser blames. It names it in some errors only.
var lineOf = regexp.MustCompile(`^(?:yaml: )?(?:line ([0-9]+): )?`)

// withoutVersion makes a comment of the directive %YAML 1.2 before a document:
// the parser reads 1.2, but knows the name of 1.1 only.
func withoutVersion(text []byte) []byte {
	offset := 0
	for line := range bytes.Lines(text) {
		switch {
		case bytes.HasPrefix(line, []byte("%YAML 1.2")):
			text = bytes.Clone(text)
			text[offset] = '#'
			return text
		case !blank(line) || isMarker(line, "---"):
			return text
		}
		offset += len(line)
	}
	return text
}

func syntaxProblem(text []byte, line int, err error) *Problem {
	said := err.Error()
	prefix := lineOf.FindStringSubmatch(said)
	at, char := position{1, 1}, byte(0)
	if n, err := strconv.Atoi(prefix[1]); err == nil {
		at.line = n
	}
	if offset, ok := noticed(text, said); ok {
		at, char = positionOf(text, offset), text[offset]
	}
	reason := said[len(prefix[0]):]
	return &Problem{Line: at.line + line - 1, Column: at.column, Reason: "not YAML: " + reason, Hint: syntaxHint(reason, char)}
}

// noticed is where the parser noticed the error it calls said: the end of the
// shortest beginning of text that is broken in the same way. The parser itself
// names no column, and often the line where the surrounding block began. It is
// found by halving, some sixteen parses of a text that is read by people.
func noticed(text []byte, said string) (int, bool) {
	const most = 64 << 10
	if len(text) > most {
		return 0, false
	}
	low, high := 0, len(text) // broken in the same way: high, not low
	for low+1 < high {
		middle := (low + high) / 2
		if _, err := parseNode(text[:middle]); err != nil && err.Error() == said {
			high = middle
		} else {
			low = middle
		}
	}
	return low, true
}

// syntaxHint says what usually helps. char is where the parser gave up.
func syntaxHint(reason string, char byte) string {
	if strings.Contains(reason, "cannot start any token") {
		if char == '\t' {
			return "indent with spaces, not tabs"
		}
		return fmt.Sprintf("quote the text that begins with %c", char)
	}
	for _, h := range []struct{ part, hint string }{
		{"mapping values are not allowed", `write a space behind each colon; quote a text that holds ": "; check the indentation`},
		{"could not find expected ':'", "write a space behind the colon; check the indentation"},
		{"did not find expected key", "check the indentation and the quotes of this line and the one before"},
		{"did not find expected ','", "close the bracket or the brace"},
		{"did not find expected '-'", "check the indentation of the list"},
		{"unexpected end of stream", "close the quotes"},
		{"unknown anchor", "an anchor (&name) must stand before its alias (*name), in the same document"},
		{"unknown escape", `in double quotes write \\ for a backslash, or use single quotes`},
		{"max depth", "at most 32 levels are allowed"},
	} {
		if strings.Contains(reason, h.part) {
			return h.hint
		}
	}
	return ""
}
