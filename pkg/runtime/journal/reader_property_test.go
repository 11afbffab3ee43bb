package journal

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"

	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

// follower is a reader and the number that it must get next.
type follower struct {
	*reader
	expect uint64 // 0: whichever comes first
}

// step takes the next item; false at the end.
func (f *follower) step(t *rapid.T) bool {
	i, more, err := f.next()
	must(t, err)
	if !more {
		return false
	}
	from, to := i.Sequence, i.Sequence
	if i.Missed != nil {
		from, to = i.Missed.From, i.Missed.To
		if i.Missed.Count != to-from+1 || from > to {
			t.Fatalf("missed %+v", *i.Missed)
		}
	}
	if f.expect != 0 && from != f.expect {
		t.Fatalf("the reader got %s, want number %d", i.Line, f.expect)
	}
	f.expect = to + 1
	return true
}

// Whatever a writer does, kills and rotations included, each reader gets every
// number once and in order, as an entry or as missed, and comes to the end.
func TestAnyReaderGetsAContiguousStory(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir := t.TempDir()
		f := diary(t, dir)
		f.maxSize = 400
		last := uint64(0)
		var readers []*follower
		defer func() {
			for _, r := range readers {
				r.leave()
			}
		}()
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			switch step := rapid.IntRange(0, 9).Draw(rt, "step"); {
			case step <= 3:
				facts := make([]machine.Fact, rapid.IntRange(1, 4).Draw(rt, "facts"))
				for i := range facts {
					facts[i] = started("a")
				}
				must(rt, f.Append(facts, noon))
				last += uint64(len(facts))
			case step == 4: // killed within a write, and started again
				_, err := f.file.WriteAt([]byte(`{"sequence":9`), f.size)
				must(rt, errors.Join(err, f.file.Close()))
				f = diary(t, dir)
				f.maxSize = 400
			case step == 5:
				o := Options{After: rapid.Uint64Range(0, last).Draw(rt, "after")}
				r, err := newReader(dir, o)
				must(rt, err)
				readers = append(readers, &follower{r, r.want})
			default:
				if len(readers) == 0 {
					continue
				}
				r := readers[rapid.IntRange(0, len(readers)-1).Draw(rt, "reader")]
				for range rapid.IntRange(1, 5).Draw(rt, "items") {
					r.step(rt)
				}
			}
		}
		for _, r := range readers {
			for r.step(rt) {
			}
			if last > 0 && r.expect != last+1 {
				rt.Fatalf("at the end the reader waits for %d, want %d", r.expect, last+1)
			}
		}
	})
}

func FuzzReadingRubbishYieldsRisingNumbers(f *testing.F) {
	f.Add([]byte(`{"sequence":1}`+"\n"+`{"sequence":3}`+"\n"), []byte(`{"sequence":2}`+"\n"))
	f.Add([]byte("rubbish\n{]\n\n\x00"), []byte(`{"sequence":18446744073709551615}`+"\n"))
	f.Add(bytes.Repeat([]byte(`{"sequence":7,"time":"x"}`+"\n"), 3), []byte(nil))
	f.Fuzz(func(t *testing.T, first, second []byte) {
		dir := t.TempDir()
		must(t, os.WriteFile(filepath.Join(dir, factsName(1)), first, 0o600))
		must(t, os.WriteFile(filepath.Join(dir, factsName(3)), second, 0o600))

		last := uint64(0)
		for i, err := range Read(dir, Options{}) {
			must(t, err)
			from, to := i.Sequence, i.Sequence
			if i.Missed != nil {
				from, to = i.Missed.From, i.Missed.To
			}
			if from <= last || to < from {
				t.Fatalf("%s comes after %d", i.Line, last)
			}
			last = to
		}
	})
}
