package logs

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// noon is when the logs of these tests begin; minute n of them is n minutes later.
var noon = time.Date(2020, 11, 26, 12, 0, 0, 0, time.UTC)

func minute(n int) time.Time { return noon.Add(time.Duration(n) * time.Minute) }

// stamped are lines with the times that a Writer puts there.
func stamped(minutes ...int) string {
	var b strings.Builder
	for _, n := range minutes {
		fmt.Fprintf(&b, "%sline %d\n", stampAt(minute(n)), n)
	}
	return b.String()
}

// readSince is what Follow prints of dir since a minute, and whether it said that
// the lines have no times.
func readSince(t *testing.T, dir string, n, tail int) (text string, untimed bool) {
	t.Helper()
	var out bytes.Buffer
	must(t, Follow(t.Context(), dir, Options{Since: minute(n), Tail: tail, Untimed: func() { untimed = true }}, &out))
	return out.String(), untimed
}

// leave writes a file that was written to last at a minute.
func leave(t *testing.T, path, text string, n int) {
	t.Helper()
	must(t, os.WriteFile(path, []byte(text), 0o600))
	must(t, os.Chtimes(path, minute(n), minute(n)))
}

func TestSinceGoesByTheTimesOfTheLines(t *testing.T) {
	long := string(stampAt(minute(3))) + strings.Repeat("x", 3*blockSize) + "\n"
	for name, row := range map[string]struct {
		log         string
		since, tail int
		want        string
	}{
		"from the first line":         {stamped(1, 2, 3), 0, 0, stamped(1, 2, 3)},
		"from one in the middle":      {stamped(1, 2, 3), 2, 0, stamped(2, 3)},
		"of nothing":                  {stamped(1, 2, 3), 4, 0, ""},
		"behind a line of many pages": {long + stamped(4, 5), 4, 0, stamped(4, 5)},
		"with the rest of a line":     {stamped(1) + "no time\n" + stamped(3), 2, 0, stamped(3)},
		"and only the last":           {stamped(1, 2, 3, 4), 2, 2, stamped(3, 4)},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			leave(t, filepath.Join(dir, currentName), row.log, 5)

			got, untimed := readSince(t, dir, row.since, row.tail)

			if got != row.want || untimed {
				t.Errorf("since %d = %.200q, untimed %v; want %.200q", row.since, got, untimed, row.want)
			}
		})
	}
}

func TestSinceWithoutTimesShowsWholeAttemptsAndSaysSo(t *testing.T) {
	dir := t.TempDir()
	w, p := openWriter(t, dir, Policy{}, modes()[0]), newPipe(t)
	for i, text := range []string{"one\n", "two\n", "three\n"} {
		m := mark(i + 1)
		m.StartedAt = minute(10 * i)
		must(t, w.Begin(m))
		say(t, w, p, text)
	}

	for n, want := range map[int]string{5: "one\ntwo\nthree\n", 10: "two\nthree\n", 15: "two\nthree\n", 60: "three\n"} {
		if got, untimed := readSince(t, dir, n, 0); got != want || !untimed {
			t.Errorf("since minute %d = %q, untimed %v; want %q and that the lines have no times", n, got, untimed, want)
		}
	}
}

func TestSinceLeavesOutFilesThatWereLeftBefore(t *testing.T) {
	dir := t.TempDir()
	leave(t, filepath.Join(dir, segmentName(0)), "old\n", 1)
	leave(t, filepath.Join(dir, segmentName(4)), "new\n", 11)
	leave(t, filepath.Join(dir, currentName), "now\n", 21)

	for n, want := range map[int]string{0: "old\nnew\nnow\n", 10: "new\nnow\n", 20: "now\n", 30: ""} {
		if got, untimed := readSince(t, dir, n, 0); got != want || untimed == (want == "") {
			t.Errorf("since minute %d = %q, untimed %v; want %q", n, got, untimed, want)
		}
	}
}
