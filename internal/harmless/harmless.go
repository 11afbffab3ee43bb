package harmless

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// isSafe reports whether a character only draws something in its place. Besides the
// controls, those of format and the separators of lines are not (categories Cc, Cf, Zl
// and Zp), nor are characters that no standard has given a meaning to.
func isSafe(r rune) bool { return unicode.IsGraphic(r) }

// The forms of a character above U+FFFF.
type form int

const (
	jsonForm form = iota // two surrogates
	yamlForm             // \U and eight digits
	highForm             // as it is: what a parser of YAML takes, which knows no surrogates
)

// escaped is a character, or a byte that is none, as JSON writes it; a control below
// space, which JSON text never has, and a byte as C writes it.
func escaped(r rune, b byte, size int, high form) string {
	switch {
	case r == '\n':
		return `\n`
	case r == '\r':
		return `\r`
	case r == '\t':
		return `\t`
	case r == utf8.RuneError && size <= 1, r < ' ':
		return fmt.Sprintf(`\x%02x`, b)
	case r > 0xffff && high == highForm:
		return string(r)
	case r > 0xffff && high == yamlForm:
		return fmt.Sprintf(`\U%08x`, r)
	case r > 0xffff:
		first, second := utf16.EncodeRune(r)
		return fmt.Sprintf(`\u%04x\u%04x`, first, second)
	}
	return fmt.Sprintf(`\u%04x`, r)
}

// replace is s with every character escaped that is neither safe nor in keep.
func replace(s, keep string) string { return replaceAs(s, keep, jsonForm) }

func replaceAs(s, keep string, high form) string {
	clean := true
	for i := 0; i < len(s); i++ { // mostly there is nothing to do
		clean = clean && s[i] >= ' ' && s[i] < 0x7f
	}
	if clean {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if isSafe(r) && !(r == utf8.RuneError && size == 1) || strings.ContainsRune(keep, r) && size == 1 && r < utf8.RuneSelf {
			b.WriteString(s[i : i+size])
		} else {
			b.WriteString(escaped(r, s[i], size, high))
		}
		i += size
	}
	return b.String()
}

// Text is s on one line of a terminal or a log: a tab is a space, and what is not
// graphic is escaped so that it can be told what it was, as \x1b or \u202e.
func Text(s string) string { return replace(strings.ReplaceAll(s, "\t", " "), "") }

// Lines is Text for text of several lines of ours.
func Lines(s string) string { return replace(s, "\n\t") }

// JSON is JSON text of the same value without characters that are not graphic: they
// can only stand within its strings, where \u202e means the same.
func JSON(text []byte) []byte { return []byte(replace(string(text), "\n\t")) }

// GitHub is the message of a workflow command: lines of ours, each harmless. The
// runner unescapes what is escaped here.
func GitHub(lines ...string) string {
	for i, line := range lines {
		lines[i] = strings.NewReplacer("%", "%25").Replace(Text(line))
	}
	return strings.Join(lines, "%0A")
}

// Property is GitHub for what stands between the commas and colons of a command.
func Property(s string) string {
	return strings.NewReplacer(":", "%3A", ",", "%2C").Replace(GitHub(s))
}
