package cli

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/logs"
)

// printed makes the log of a child out of what its attempts printed.
func (w *world) printed(id child.ID, attempts ...string) {
	w.t.Helper()
	dir := filepath.Join(w.dirs.State, "logs", filepath.FromSlash(string(id)))
	l, err := logs.OpenWriter(filepath.Dir(dir), filepath.Base(dir), logs.Policy{})
	if err != nil {
		w.t.Fatal(err)
	}
	defer l.Close()
	if err := os.MkdirAll(dir, 0o700); err != nil { // the writer makes it with the first byte of output only
		w.t.Fatal(err)
	}
	for i, text := range attempts {
		if err := l.Begin(logs.Mark{Generation: child.Generation(i), Attempt: child.Attempt(i + 1), StartedAt: today}); err != nil {
			w.t.Fatal(err)
		}
		f, err := os.OpenFile(filepath.Join(dir, "current"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			w.t.Fatal(err)
		}
		if _, err := f.WriteString(text); err != nil {
			w.t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			w.t.Fatal(err)
		}
	}
}

func TestLogsPrintWhatChildrenPrinted(t *testing.T) {
	w := newWorld(t)
	w.printed("web", "1\n2\n3\n")
	w.printed("payments/worker", "a\nb, unfinished")
	w.child("mute", nil)
	for name, row := range map[string]struct {
		args []string
		want result
	}{
		"all of one":           {[]string{"web"}, result{Out: "1\n2\n3\n"}},
		"its last lines":       {[]string{"web", "--tail", "2"}, result{Out: "2\n3\n"}},
		"several with names":   {[]string{"web", "payments/worker"}, result{Out: "web | 1\nweb | 2\nweb | 3\npayments/worker | a\npayments/worker | b, unfinished\n"}},
		"one that is mute":     {[]string{"mute"}, result{Err: "mute has printed nothing\n"}},
		"no previous attempt":  {[]string{"web", "--previous"}, result{Err: "reconciler: web: there is no previous attempt on record\n", Code: Failed}},
		"one that nobody has":  {[]string{"wep"}, result{Err: "reconciler: child not found: \"wep\"\n", Code: NoSuchChild}},
		"one that nearly is":   {[]string{"web", "mte"}, result{Err: "reconciler: child not found: \"mte\" (did you mean mute?)\n", Code: NoSuchChild}},
		"an id that is a path": {[]string{"../status/mute"}, result{Err: "reconciler: child not found: \"../status/mute\"\n", Code: NoSuchChild}},
	} {
		t.Run(name, func(t *testing.T) {
			got := w.run(append([]string{"logs"}, row.args...)...)

			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("logs %v (-want +got):\n%s", row.args, diff)
			}
		})
	}
}

func TestLogsOfTwoChildrenAreFollowedLineByLine(t *testing.T) {
	w := newWorld(t)
	w.printed("a", "a1\n")
	w.printed("b", "b1\n")
	synctest.Test(t, func(t *testing.T) {
		ctx, interrupt := context.WithCancel(t.Context())
		done := make(chan result)
		go func() { done <- w.runContext(ctx, "logs", "-f", "a", "b") }()
		time.Sleep(time.Second)

		w.append("a", "a2 ")
		time.Sleep(time.Second)
		w.append("b", "b2\n")
		time.Sleep(time.Second)
		w.append("a", "whole\n")
		time.Sleep(time.Second)
		interrupt()

		got := <-done
		for _, line := range []string{"a | a1\n", "b | b1\n", "b | b2\na | a2 whole\n"} {
			if !strings.Contains(got.Out, line) {
				t.Errorf("logs -f a b = %q; want it to contain %q", got.Out, line)
			}
		}
		if got.Code != 0 || got.Err != "" {
			t.Errorf("logs -f after an interrupt: %+v; want code 0 and no message", got)
		}
	})
}

func (w *world) append(id child.ID, text string) {
	f, err := os.OpenFile(filepath.Join(w.dirs.State, "logs", string(id), "current"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		w.t.Fatal(err)
	}
}

func TestPrefixWriterWritesWholeLinesOnly(t *testing.T) {
	var out bytes.Buffer
	p := &prefixWriter{w: &out, prefix: "x | "}

	for _, part := range []string{"one\ntw", "", "o\n\nthr"} {
		if n, err := p.Write([]byte(part)); n != len(part) || err != nil {
			t.Fatalf("Write(%q) = %d, %v", part, n, err)
		}
	}
	whole := out.String()
	if err := p.finish(); err != nil {
		t.Fatal(err)
	}

	if want := "x | one\nx | two\nx | \n"; whole != want {
		t.Errorf("before the end = %q, want %q", whole, want)
	}
	if want := "x | one\nx | two\nx | \nx | thr\n"; out.String() != want {
		t.Errorf("at the end = %q, want %q", out.String(), want)
	}
}
