package cli

import (
	"strings"
	"unicode"
)

// clean makes text that children or manifests wrote safe to show: what is not
// printable could move the cursor or colour the terminal, so it reads "·", and a
// tab is a space.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case unicode.IsPrint(r):
			return r
		}
		return '·'
	}, s)
}
