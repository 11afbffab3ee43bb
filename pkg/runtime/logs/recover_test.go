package logs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// A rotation is a few steps; each of these directories is what a writer that was
// killed after one of them leaves.
func TestAWriterGoesOnAfterARotationThatWasCutShort(t *testing.T) {
	const first, second = "00000000000000000000.log", "00000000000000000006.log"
	rows := []struct {
		name  string
		files map[string]string
		keep  int
		want  []string
		base  int64
	}{
		{"nothing was done", map[string]string{"current": "line1\n"}, 3, []string{"line1\n", "next\n"}, 6},
		{"renamed", map[string]string{first: "line1\n"}, 3, []string{"line1\n", "next\n"}, 6},
		{"renamed, the old ones not deleted", map[string]string{first: "line1\n", second: "line2\n"}, 2, []string{"line1\n", "line2\n", "next\n"}, 12},
		{"renamed, new one empty", map[string]string{first: "line1\n", "current": ""}, 3, []string{"line1\n", "next\n"}, 6},
		{"the only one renamed", map[string]string{first: "line1\n"}, 1, []string{"line1\n", "next\n"}, 6},
		{"the only one renamed and recorded", map[string]string{first: "line1\n", indexName: "{\"at\":6}\n"}, 1, []string{"line1\n", "next\n"}, 6},
		{"the only one recorded and deleted", map[string]string{indexName: "{\"at\":6}\n"}, 1, []string{"next\n"}, 6},
		{"the record cut short", map[string]string{first: "line1\n", indexName: "{\"at\":"}, 1, []string{"line1\n", "next\n"}, 6},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range row.files {
				must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
			}

			w, p := openWriter(t, dir, Policy{MaxBytes: 6, MaxFiles: row.keep}, modes()[0]), newPipe(t)
			say(t, w, p, "next\n")

			if diff := cmp.Diff(row.want, files(t, dir)); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
			if w.base != row.base {
				t.Errorf("the current file begins at %d, want %d", w.base, row.base)
			}
		})
	}
}

func TestAnIndexCutAnywhereKeepsItsWholeLines(t *testing.T) {
	dir := t.TempDir()
	w, p := openWriter(t, dir, Policy{}, modes()[0]), newPipe(t)
	for i := range 3 {
		begin(t, w, i+1)
		say(t, w, p, "12345\n")
	}
	path := filepath.Join(dir, indexName)
	whole, err := os.ReadFile(path)
	must(t, err)

	for cut := range len(whole) + 1 {
		must(t, os.WriteFile(path, whole[:cut], 0o600))
		w := openWriter(t, dir, Policy{}, modes()[0])
		begin(t, w, 9)

		got, err := readIndex(dir)
		must(t, err)
		kept := strings.Count(string(whole[:cut]), "\n")
		if !got.whole || len(got.marks) != kept+1 {
			t.Fatalf("cut at %d of %d: marks %v; want %d whole ones and the new one", cut, len(whole), got.marks, kept)
		}
		for i, e := range got.marks[:kept] {
			if diff := cmp.Diff(entry{At: int64(i * 6), Mark: new(mark(i + 1))}, e); diff != "" {
				t.Fatalf("cut at %d: mark %d (-want +got):\n%s", cut, i, diff)
			}
		}
		if last := got.marks[kept]; last.At != 18 || last.Attempt != 9 {
			t.Fatalf("cut at %d: the new mark is %+v, want attempt 9 at 18", cut, last)
		}
	}
}

func TestTheIndexOfACrashLoopStaysShort(t *testing.T) {
	dir := t.TempDir()
	w, p := openWriter(t, dir, Policy{MaxBytes: 1, MaxFiles: 1}, modes()[0]), newPipe(t)

	for i := range 3 * maxMarks {
		begin(t, w, i+1)
		say(t, w, p, "x\n")
	}

	x, err := readIndex(dir)
	must(t, err)
	if x.lines > maxMarks+1 || len(x.marks) < keptMarks/2 || x.base != int64(2*(3*maxMarks-1)) {
		t.Errorf("%d lines, %d marks, base %d; want a short index", x.lines, len(x.marks), x.base)
	}
	if last := x.marks[len(x.marks)-1]; last.Attempt != 3*maxMarks {
		t.Errorf("newest mark %+v, want attempt %d", last, 3*maxMarks)
	}
}

func TestStrangersInTheDirectory(t *testing.T) {
	rows := []struct {
		name string
		do   func(current string) error
		want []string
	}{
		{"delete the file", os.Remove, []string{"after\n"}},
		{"delete the directory", func(c string) error { return os.RemoveAll(filepath.Dir(c)) }, []string{"after\n"}},
		{"truncate the file", func(c string) error { return os.Truncate(c, 0) }, []string{"after\n"}},
		{"cut the file short", func(c string) error { return os.Truncate(c, 4) }, []string{"one\nafter\n"}},
		{"rename the file", func(c string) error { return os.Rename(c, c+".1") }, []string{"after\n"}},
		{"append to the file", func(c string) error { return os.WriteFile(c, []byte("one\ntwo\nwho?\n"), 0o600) }, []string{"one\ntwo\nwho?\nafter\n"}},
		{"replace the file", func(c string) error {
			return os.WriteFile(c+".new", []byte("edited\n"), 0o600)
		}, []string{"edited\nafter\n"}},
	}
	for _, m := range modes() {
		for _, row := range rows {
			t.Run(m.name+" "+row.name, func(t *testing.T) {
				dir := filepath.Join(t.TempDir(), "log")
				current := filepath.Join(dir, "current")
				w, p := openWriter(t, dir, Policy{}, m), newPipe(t)
				begin(t, w, 1)
				say(t, w, p, "one\ntwo\n")

				must(t, row.do(current))
				if row.name == "replace the file" {
					must(t, os.Rename(current+".new", current))
				}
				say(t, w, p, "after\n")

				if diff := cmp.Diff(row.want, files(t, dir)); diff != "" {
					t.Errorf("files (-want +got):\n%s", diff)
				}
				if end := w.base + w.size; end < int64(len("one\ntwo\nafter\n")) {
					t.Errorf("the stream ends at %d; positions must not come twice", end)
				}
			})
		}
	}
}

func TestPlantedFilesAreRefusedAndNothingIsLost(t *testing.T) {
	rows := map[string]func(path, victim string) error{
		"symlink":   func(path, victim string) error { return os.Symlink(victim, path) },
		"directory": func(path, _ string) error { return os.Mkdir(path, 0o700) },
		"fifo":      func(path, _ string) error { return unix.Mkfifo(path, 0o600) },
	}
	for name, plant := range rows {
		t.Run(name, func(t *testing.T) {
			dir, victim := t.TempDir(), filepath.Join(t.TempDir(), "victim")
			must(t, os.WriteFile(victim, []byte("precious"), 0o600))
			w, p := openWriter(t, dir, Policy{}, modes()[0]), newPipe(t)
			current := filepath.Join(dir, "current")
			must(t, plant(current, victim))
			p.put(t, []byte("line\n"))

			if n, err := w.CopyFrom(p.r); n != 0 || err == nil {
				t.Errorf("CopyFrom = %d, %v; want 0 and an error", n, err)
			}

			must(t, os.Remove(current))
			drain(t, w, p)
			if diff := cmp.Diff([]string{"line\n"}, files(t, dir)); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
			if b, err := os.ReadFile(victim); err != nil || string(b) != "precious" {
				t.Errorf("the link's target is %q, %v", b, err)
			}
		})
	}
}

func TestPositionsDoNotComeTwiceWhenTheFileWasDeletedWhileNoWriterLived(t *testing.T) {
	dir := t.TempDir()
	w, p := openWriter(t, dir, Policy{}, modes()[0]), newPipe(t)
	say(t, w, p, "one\n")
	begin(t, w, 1)

	must(t, os.Remove(filepath.Join(dir, "current")))
	w = openWriter(t, dir, Policy{}, modes()[0])

	if w.base != 4 {
		t.Errorf("the stream goes on at %d, want 4: the first attempt began there", w.base)
	}
}
