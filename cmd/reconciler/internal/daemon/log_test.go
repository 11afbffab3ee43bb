package daemon

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode"

	"github.com/reconciler-dev/reconciler/cmd/reconciler/internal/cli"
)

func TestTheLogHasNoControlsOfOthersAndKeepsWhatTheySaid(t *testing.T) {
	const hostile = "a\x1b[31m\x7f\u009b\u202e\n{\"level\":\"error\"}\x80"
	for _, format := range []cli.LogFormat{cli.LogJSON, cli.LogText} {
		var out bytes.Buffer
		log := newLog(cli.RunConfig{LogFormat: format, Stderr: &out})

		log.Info("a file", "file", hostile)
		log.Error(errors.New(hostile), "it failed")

		if n := strings.Count(out.String(), "\n"); n != 2 {
			t.Errorf("%s: %d lines, want 2: %q", format, n, out.String())
		}
		for _, r := range out.String() {
			if r != '\n' && r != '\t' && !unicode.IsGraphic(r) {
				t.Errorf("%s: the control %U is in %q", format, r, out.String())
			}
		}
		var entry struct{ File string }
		first, _, _ := strings.Cut(out.String(), "\n")
		if err := json.Unmarshal([]byte(first), &entry); format == cli.LogJSON && (err != nil || entry.File != strings.ToValidUTF8(hostile, "\uFFFD")) {
			t.Errorf("the file is %q in %s, %v", entry.File, first, err)
		}
	}
}
