package envfile

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// Var is one variable.
type Var struct{ Name, Value string }

// Error says which line is none. It shows nothing of the line: that may be a secret.
type Error struct {
	Line    int // from 1
	Problem string
}

func (e *Error) Error() string { return fmt.Sprintf("%d: %s", e.Line, e.Problem) }

// Parse reads the whole text of a file: its variables in their order, or an *Error.
func Parse(text string) ([]Var, error) {
	lines := strings.Split(strings.TrimPrefix(text, "\ufeff"), "\n")
	if err := checkText(lines); err != nil {
		return nil, err
	}
	var vars []Var
	for at := 0; at < len(lines); {
		line := strings.TrimSpace(lines[at])
		if saysNothing(line) {
			at++
			continue
		}
		name, value, ok := assignment(line)
		if !ok {
			return nil, &Error{at + 1, "not a KEY=value line"}
		}
		value, used, err := valueOf(value, lines[at:])
		if err != nil {
			return nil, &Error{at + 1, err.Error()}
		}
		vars = append(vars, Var{name, value})
		at += used
	}
	return vars, nil
}

// checkText refuses what no environment can hold: a NUL ends a variable there. UTF-16,
// which some editors of Windows write, is full of them.
func checkText(lines []string) error {
	for i, line := range lines {
		if i == 0 && (strings.HasPrefix(line, "\xff\xfe") || strings.HasPrefix(line, "\xfe\xff")) {
			return &Error{1, "the file is UTF-16: save it as UTF-8"}
		}
		if strings.ContainsRune(line, 0) {
			return &Error{i + 1, "a NUL byte: no variable can hold one"}
		}
	}
	return nil
}

func saysNothing(line string) bool {
	return line == "" || line[0] == '#' || line[0] == ';'
}

// assignment splits a line that is trimmed at its first =.
func assignment(line string) (name, value string, ok bool) {
	if rest, exports := strings.CutPrefix(line, "export"); exports && rest != "" && isBlank(rest[0]) {
		line = strings.TrimSpace(rest)
	}
	name, value, ok = strings.Cut(line, "=")
	name = strings.TrimSpace(name)
	return name, strings.TrimSpace(value), ok && name != "" && !strings.ContainsAny(name, " \t\"'")
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

// valueOf is the value whose first line, trimmed, is first, and how many of the lines it
// takes.
func valueOf(first string, lines []string) (value string, used int, err error) {
	if first == "" {
		return "", 1, nil
	}
	if quote := first[0]; quote == '"' || quote == '\'' {
		return quoted(quote, first, lines)
	}
	return joined(first, lines), countJoined(first, lines), nil
}

// quoted reads a value that begins with a quote.
func quoted(quote byte, first string, lines []string) (string, int, error) {
	raw := strings.TrimSuffix(lines[0], "\r")
	opens := len(strings.TrimSpace(raw)) - len(first) + len(raw) - len(strings.TrimLeftFunc(raw, unicode.IsSpace))
	value, rest, used, closed := untilQuote(quote, raw[opens+1:], lines)
	switch {
	case closed && (rest == "" || isBlank(rest[0]) && saysNothing(strings.TrimSpace(rest))):
		return value, used, nil
	case len(first) > 1 && first[len(first)-1] == quote:
		return first[1 : len(first)-1], 1, nil
	case !closed:
		return "", 0, fmt.Errorf("the %c that begins its value is never closed", quote)
	case used > 1:
		return "", 0, fmt.Errorf("the %c that begins its value is closed on a later line (%d below) where more follows: close it before, or put all of the value between quotes", quote, used-1)
	}
	return first, 1, nil
}

// untilQuote reads up to the closing quote; rest is what follows it on its line.
func untilQuote(quote byte, line string, lines []string) (value, rest string, used int, closed bool) {
	var b strings.Builder
	for used = 1; ; used++ {
		end, joins := readQuoted(&b, quote, line)
		if end >= 0 {
			return b.String(), strings.TrimRight(line[end+1:], " \t"), used, true
		}
		if used == len(lines) {
			return "", "", used, false
		}
		if !joins {
			b.WriteByte('\n')
		}
		line = strings.TrimSuffix(lines[used], "\r")
	}
}

// readQuoted adds what one line has of a quoted value to b. end is where its closing
// quote stands, -1 without one; joins reports that a backslash takes the line's end away.
func readQuoted(b *strings.Builder, quote byte, line string) (end int, joins bool) {
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == quote:
			return i, false
		case c == '\\' && quote == '"' && i+1 == len(line):
			return -1, true
		case c == '\\' && quote == '"' && strings.IndexByte("\"\\$`", line[i+1]) >= 0:
			i++
			b.WriteByte(line[i])
		default:
			b.WriteByte(c)
		}
	}
	return -1, false
}

// ofItsOwn is a name that a line which continues another would not begin with; --port=80
// would.
var ofItsOwn = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*$`)

// continues reports whether line, which ends a value so far, goes on in next.
func continues(line, next string) bool {
	next = strings.TrimSpace(next)
	if !strings.HasSuffix(line, `\`) || saysNothing(next) {
		return false
	}
	name, _, ok := assignment(next)
	return !ok || !ofItsOwn.MatchString(name)
}

func countJoined(line string, lines []string) int {
	used := 1
	for used < len(lines) && continues(line, lines[used]) {
		line = strings.TrimSpace(lines[used])
		used++
	}
	return used
}

// joined is a value without quotes with the lines that continue it.
func joined(first string, lines []string) string {
	used := countJoined(first, lines)
	if used == 1 {
		return first
	}
	var b strings.Builder
	b.WriteString(strings.TrimSuffix(first, `\`))
	for i := 1; i < used; i++ {
		line := strings.TrimRight(lines[i], " \t\r")
		if i+1 < used {
			line = strings.TrimSuffix(line, `\`)
		}
		b.WriteString(line)
	}
	return b.String()
}
