package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/reconciler-dev/reconciler/internal/harmless"
)

// What this package prints goes through the functions of this file, or through a table
// or an annotation, which are made of them. Nothing that a manifest, a child or
// another user wrote can then end a line, command a terminal or a pipeline.

// tell prints one line.
func tell(w io.Writer, format string, args ...any) error {
	return write(w, harmless.Text(fmt.Sprintf(format, args...))+"\n")
}

// write prints text that was made harmless line by line.
func write(w io.Writer, text string) error {
	_, err := io.WriteString(w, text)
	return err
}

// writeJSON is v indented, with characters such as < as they are.
func writeJSON(w io.Writer, v any) error { return writeJSONAs(w, v, "  ") }

// writeJSONLine is v on one line.
func writeJSONLine(w io.Writer, v any) error { return writeJSONAs(w, v, "") }

func writeJSONAs(w io.Writer, v any, indent string) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", indent)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	return write(w, string(harmless.JSON(b.Bytes())))
}

// writeYAML is the JSON form of v as YAML.
func writeYAML(w io.Writer, v any) error {
	text, err := harmless.YAML(v)
	if err != nil {
		return err
	}
	return write(w, string(text))
}

// errorLines are the texts of an error, one for each of those that it joins.
func errorLines(err error) []string {
	var e *exitError
	if errors.As(err, &e) && e == err && e.err != nil {
		err = e.err
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []string{err.Error()}
	}
	var texts, all []string
	for _, err := range joined.Unwrap() {
		texts, all = append(texts, err.Error()), append(all, errorLines(err)...)
	}
	if strings.Join(texts, "\n") != err.Error() { // a sentence around several causes
		return []string{err.Error()}
	}
	return all
}
