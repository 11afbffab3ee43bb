package harmless

import (
	"bytes"
	"crypto/rand"
	"io"
	"os"
	"sync"
	"unicode/utf8"
)

// marker begins what Own has marked. Nobody else can know it: it is another one in
// each process.
var marker = "\x00" + rand.Text()

// maxOwn is how long a sequence of ours may be.
const maxOwn = 127

// Own marks a sequence of ours, such as that of a colour: a Writer passes it on as it
// is, without the mark.
func Own(sequence string) string {
	if len(sequence) > maxOwn {
		panic("harmless: a sequence of ours is too long")
	}
	return marker + string(rune(len(sequence))) + sequence
}

// Writer escapes what is not harmless on its way to another writer. Lines and tabs
// pass. Several goroutines may use it.
type Writer struct {
	mu   sync.Mutex
	to   io.Writer
	rest []byte // the beginning of a character or of a mark that is not whole yet
}

// NewWriter writes to to. One around another Writer is that one.
func NewWriter(to io.Writer) *Writer {
	if w, ok := to.(*Writer); ok {
		return w
	}
	return &Writer{to: to}
}

// Raw is the writer that w writes to: for output whose bytes are what was asked for.
func (w *Writer) Raw() io.Writer { return w.to }

// File is the file that w writes to; nil if it is none.
func File(w io.Writer) *os.File {
	if harmless, ok := w.(*Writer); ok {
		w = harmless.to
	}
	f, _ := w.(*os.File)
	return f
}

// Write takes all of b. What is not whole at its end waits for the rest, or for Flush.
func (w *Writer) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.rest) == 0 && isPlain(b) { // as nearly every line of a log is
		return w.to.Write(b)
	}
	all := append(w.rest, b...)
	out, rest := w.pass(all, false)
	w.rest = append([]byte(nil), rest...)
	if _, err := w.to.Write(out); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Flush writes what was not whole.
func (w *Writer) Flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	out, _ := w.pass(w.rest, true)
	w.rest = nil
	_, err := w.to.Write(out)
	return err
}

// pass is b as it is written, and what is kept because more must come first.
func (w *Writer) pass(b []byte, last bool) (out, rest []byte) {
	for len(b) > 0 {
		at := bytes.IndexByte(b, marker[0])
		if at != 0 {
			if at < 0 {
				at = len(b)
			}
			text := b[:at]
			if at == len(b) && !last {
				text = text[:wholeRunes(text)]
			}
			out = append(out, replace(string(text), "\n\t")...)
			if len(text) < at {
				return out, b[len(text):]
			}
			b = b[at:]
			continue
		}
		n, own := ownAt(b)
		switch {
		case own && n <= len(b):
			out, b = append(out, b[len(marker)+1:n]...), b[n:]
		case own && !last:
			return out, b
		default:
			out, b = append(out, replace(string(b[:1]), "")...), b[1:]
		}
	}
	return out, nil
}

// ownAt reports whether b begins with a mark, or with the beginning of one, and how
// long the mark is with what it marks, more than b if that is not known yet.
func ownAt(b []byte) (n int, own bool) {
	if len(b) <= len(marker) {
		return len(marker) + 1 + maxOwn, bytes.HasPrefix([]byte(marker), b)
	}
	if !bytes.HasPrefix(b, []byte(marker)) {
		return 0, false
	}
	return len(marker) + 1 + int(b[len(marker)]), true
}

// wholeRunes is how much of b ends with a whole character.
func wholeRunes(b []byte) int {
	for i := len(b) - 1; i >= 0 && i >= len(b)-utf8.UTFMax; i-- {
		if utf8.RuneStart(b[i]) {
			if !utf8.FullRune(b[i:]) {
				return i
			}
			break
		}
	}
	return len(b)
}

// isPlain reports whether b is printable ASCII, lines and tabs, and so passes as it is.
func isPlain(b []byte) bool {
	for _, c := range b {
		if (c < ' ' || c >= 0x7f) && c != '\n' && c != '\t' {
			return false
		}
	}
	return true
}
