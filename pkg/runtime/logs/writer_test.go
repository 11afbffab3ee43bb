package logs

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestOutputArrivesUnchangedInAPrivateFile(t *testing.T) {
	for _, m := range modes() {
		t.Run(m.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "payments", "worker")
			w, p := openWriter(t, dir, Policy{}, m), newPipe(t)
			text := "one\r\n\x00\xff\xfe binary\nno newline at the end"

			say(t, w, p, text)

			if diff := cmp.Diff([]string{text}, files(t, dir)); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
			for path, want := range map[string]fs.FileMode{dir: 0o700, filepath.Join(dir, "current"): 0o600} {
				info, err := os.Stat(path)
				must(t, err)
				if got := info.Mode().Perm(); got != want {
					t.Errorf("mode of %s = %o, want %o", path, got, want)
				}
			}
		})
	}
}

func TestSilentChildHasNoFileAndNoDescriptor(t *testing.T) {
	for _, m := range modes() {
		t.Run(m.name, func(t *testing.T) {
			dir := t.TempDir()
			w, p := openWriter(t, dir, Policy{}, m), newPipe(t)

			begin(t, w, 1)
			n, err := w.CopyFrom(p.r)

			if n != 0 || err != nil {
				t.Errorf("CopyFrom of an empty pipe = %d, %v; want 0, nil", n, err)
			}
			if got := files(t, dir); got != nil || w.file != nil {
				t.Errorf("files = %q, open: %v; want none", got, w.file != nil)
			}
		})
	}
}

func TestCopyFromStopsAtAboutAMebibyteAndGoesOn(t *testing.T) {
	for _, m := range modes() {
		t.Run(m.name, func(t *testing.T) {
			dir := t.TempDir()
			w, p := openWriter(t, dir, Policy{MaxBytes: 100, MaxFiles: 3}, m), newPipe(t)
			text := strings.Repeat("0123456789abcde\n", 4096)
			p.put(t, []byte(text))

			n, err := w.CopyFrom(p.r)

			must(t, err)
			if n == 0 || n > perCall+peekSize {
				t.Errorf("CopyFrom = %d, want at most about %d", n, perCall)
			}
		})
	}
}

// Rotation at every byte offset around the limit: lines of every length, in
// writes of every size, with a limit on either side of each.
func TestRotationComesBetweenLinesAndKeepsEveryByte(t *testing.T) {
	for _, m := range modes() {
		t.Run(m.name, func(t *testing.T) {
			for limit := 1; limit <= 24; limit++ {
				for step := 1; step <= 9; step++ {
					var text strings.Builder
					for i := range 12 {
						fmt.Fprintf(&text, "%s\n", strings.Repeat(string(rune('a'+i)), (i*5+step)%11))
					}
					checkRotation(t, m, text.String(), limit, step)
				}
			}
		})
	}
}

func checkRotation(t *testing.T, m mode, text string, limit, step int) {
	t.Helper()
	dir := t.TempDir()
	w, p := openWriter(t, dir, Policy{MaxBytes: int64(limit), MaxFiles: 1000}, m), newPipe(t)

	for rest := text; rest != ""; {
		n := min(step, len(rest))
		say(t, w, p, rest[:n])
		rest = rest[n:]
	}
	must(t, w.Close())

	got := files(t, dir)
	if strings.Join(got, "") != text {
		t.Fatalf("limit %d, step %d: files %q are not the output %q", limit, step, got, text)
	}
	for i, file := range got[:len(got)-1] {
		head := file[:strings.LastIndexByte(strings.TrimSuffix(file, "\n"), '\n')+1]
		if !strings.HasSuffix(file, "\n") || len(file) < limit || len(head) >= limit {
			t.Fatalf("limit %d, step %d: file %d is %q; want it to end with the line that reaches the limit", limit, step, i, file)
		}
	}
}

func TestEndlessLineIsSplitOnlyFarOverTheLimit(t *testing.T) {
	for _, m := range modes() {
		t.Run(m.name, func(t *testing.T) {
			dir := t.TempDir()
			w, p := openWriter(t, dir, Policy{MaxBytes: 1000, MaxFiles: 100}, m), newPipe(t)
			text := "short\n" + strings.Repeat("x", 5*overrun) + "\nend\n"

			say(t, w, p, text)

			got := files(t, dir)
			if strings.Join(got, "") != text {
				t.Fatalf("the files are not the output")
			}
			for i, file := range got[:4] {
				if len(file) != 1000+overrun {
					t.Errorf("file %d has %d bytes, want %d", i, len(file), 1000+overrun)
				}
			}
		})
	}
}

func TestOnlyTheNewestFilesAreKept(t *testing.T) {
	for _, m := range modes() {
		for _, keep := range []int{-1, 0, 1, 2, 5} {
			t.Run(fmt.Sprintf("%s %d", m.name, keep), func(t *testing.T) {
				dir := t.TempDir()
				w, p := openWriter(t, dir, Policy{MaxBytes: 4, MaxFiles: keep}, m), newPipe(t)

				say(t, w, p, "l01\nl02\nl03\nl04\nl05\nl06\nl07\n")

				want := []string{"l01\n", "l02\n", "l03\n", "l04\n", "l05\n", "l06\n", "l07\n"}
				want = want[len(want)-max(1, keep):]
				if diff := cmp.Diff(want, files(t, dir)); diff != "" {
					t.Errorf("files (-want +got):\n%s", diff)
				}
				if w.base+w.size != 28 {
					t.Errorf("the stream ends at %d, want 28", w.base+w.size)
				}
			})
		}
	}
}

func TestNewPolicyCountsFromTheNextByte(t *testing.T) {
	dir := t.TempDir()
	w, p := openWriter(t, dir, Policy{MaxBytes: 1000, MaxFiles: 9}, modes()[0]), newPipe(t)
	say(t, w, p, "first\nsecond\n")

	w.SetPolicy(Policy{MaxBytes: 5, MaxFiles: 2})
	say(t, w, p, "third\nfourth\n")

	if diff := cmp.Diff([]string{"third\n", "fourth\n"}, files(t, dir)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestTimestampsStandInFrontOfEachLineAndOnlyThere(t *testing.T) {
	for _, src := range []func() source{newSource, func() source { return &readAhead{} }} {
		dir, now := t.TempDir(), time.Date(2026, 11, 24, 3, 4, 5, 6, time.FixedZone("", 3600))
		p := newPipe(t)
		open := func() *Writer {
			w := openWriter(t, dir, Policy{Timestamps: true, MaxBytes: 60, MaxFiles: 9}, mode{"", func(w *Writer) {
				w.now, w.pipe = func() time.Time { return now }, src()
			}})
			return w
		}
		w := open()

		say(t, w, p, "one\n\ntw")
		say(t, w, p, "o")
		w = open() // killed and started again in the middle of a line
		say(t, w, p, "!\nthree\n")

		const stamp = "2026-11-24T02:04:05.000000006Z "
		want := []string{stamp + "one\n" + stamp + "\n", stamp + "two!\n" + stamp + "three\n"}
		if diff := cmp.Diff(want, files(t, dir)); diff != "" {
			t.Errorf("files (-want +got):\n%s", diff)
		}
	}
}

func TestAnUnfinishedLineIsEndedWhenTheNextAttemptBegins(t *testing.T) {
	dir := t.TempDir()
	w, p := openWriter(t, dir, Policy{}, modes()[0]), newPipe(t)
	begin(t, w, 1)
	say(t, w, p, "panic: hal")

	begin(t, w, 2)
	begin(t, w, 2)
	say(t, w, p, "hello\n")

	if diff := cmp.Diff([]string{"panic: hal\nhello\n"}, files(t, dir)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// A random history of one child: output, attempts, changed policies and a writer
// that vanishes between two calls. With every file kept, the files are the output.
func TestAnyHistoryKeepsEveryByte(t *testing.T) {
	for _, m := range modes() {
		if m.name == "read ahead" {
			continue // what it has read dies with it, as documented
		}
		t.Run(m.name, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) { checkHistory(t, rt, m) })
		})
	}
}

func checkHistory(t *testing.T, rt *rapid.T, m mode) {
	dir, p := filepath.Join(t.TempDir(), "log"), newPipe(t)
	policy := Policy{MaxBytes: 10, MaxFiles: 1 << 30}
	w := openWriter(t, dir, policy, m)
	var want strings.Builder
	attempt, waits := 0, 0
	for range rapid.IntRange(1, 40).Draw(rt, "steps") {
		switch rapid.IntRange(0, 5).Draw(rt, "step") {
		case 0, 1, 2:
			n := min(rapid.IntRange(1, 30).Draw(rt, "bytes"), 4000-waits)
			text := rapid.StringOfN(rapid.SampledFrom([]rune("ab\n")), n, n, n).Draw(rt, "text")
			p.put(t, []byte(text))
			want.WriteString(text)
			waits += n
		case 3:
			n, err := w.CopyFrom(p.r)
			must(t, err)
			waits -= int(n)
		case 4:
			w = openWriter(t, dir, policy, m)
		case 5:
			drain(t, w, p)
			waits = 0
			attempt++
			begin(t, w, attempt)
			if s := want.String(); s != "" && !strings.HasSuffix(s, "\n") {
				want.WriteByte('\n')
			}
			policy.MaxBytes = int64(rapid.IntRange(0, 40).Draw(rt, "limit"))
			w.SetPolicy(policy)
		}
	}
	drain(t, w, p)

	if got := all(t, dir); got != want.String() {
		rt.Fatalf("files %q are not the output %q", files(t, dir), want.String())
	}
}

func FuzzFillSplitsWithoutLossAtTheRightPlaces(f *testing.F) {
	f.Add([]byte("one\ntwo\n"), uint16(5), false)
	f.Add([]byte(strings.Repeat("x", 3*overrun)), uint16(0), true)
	f.Fuzz(func(t *testing.T, src []byte, limit uint16, midLine bool) {
		p, stamp := Policy{MaxBytes: int64(limit)}, []byte("T ")
		var got []byte
		size, within := int64(0), midLine
		for rest := src; len(rest) > 0; {
			out, used := p.fill(nil, rest, size, within, stamp)
			if used < len(rest) && !p.full(size+int64(len(out)), used > 0 && rest[used-1] != '\n' || used == 0 && within) {
				t.Fatalf("took %d of %d bytes although the file, %d bytes, is not full", used, len(rest), size+int64(len(out)))
			}
			if used == 0 {
				size = 0 // a new file
				continue
			}
			within = rest[used-1] != '\n'
			size += int64(len(out))
			if p.MaxBytes > 0 && size > p.MaxBytes+overrun+int64(len(stamp)) {
				t.Fatalf("a file of %d bytes is over the limit %d", size, limit)
			}
			got, rest = append(got, out...), rest[used:]
		}
		if want := stampAll(src, midLine, "T "); string(got) != want {
			t.Fatalf("fill(%q) = %q, want %q", src, got, want)
		}
	})
}

func stampAll(src []byte, midLine bool, stamp string) string {
	var b strings.Builder
	for line := range strings.Lines(string(src)) {
		if !midLine {
			b.WriteString(stamp)
		}
		b.WriteString(line)
		midLine = false
	}
	return b.String()
}

func TestChildThatNeverPrintsLeavesNothingOnDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "logs", "web")
	w := openWriter(t, dir, Policy{}, modes()[0])
	p := newPipe(t)

	begin(t, w, 1)
	drain(t, w, p)
	must(t, w.Close())

	if _, err := os.Lstat(filepath.Dir(dir)); !os.IsNotExist(err) {
		t.Errorf("the directory of the log is there (%v); want it made for the first byte", err)
	}
}

func TestFirstByteMarksTheAttemptThatPrintedIt(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "web")
	w := openWriter(t, dir, Policy{}, modes()[0])
	p := newPipe(t)
	begin(t, w, 3)

	say(t, w, p, "hello\n")

	x, err := readIndex(dir)
	must(t, err)
	if len(x.marks) != 1 || x.marks[0].Attempt != 3 || x.marks[0].At != 0 {
		t.Errorf("marks = %+v, want attempt 3 at 0", x.marks)
	}
}
