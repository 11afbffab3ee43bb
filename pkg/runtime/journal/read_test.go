package journal

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

// items are what a reader gets, as "number child" or "missed from-to".
func items(t testing.TB, seq iter.Seq2[Item, error]) []string {
	t.Helper()
	var list []string
	for i, err := range seq {
		must(t, err)
		list = append(list, short(i))
	}
	return list
}

func short(i Item) string {
	if m := i.Missed; m != nil {
		return fmt.Sprintf("missed %d-%d", m.From, m.To)
	}
	return fmt.Sprintf("%d %s", i.Sequence, i.ChildID)
}

// tenFiles is a journal that wrote 20 entries, two a file and minute, and still
// has those from 11 on. The children a and b take turns.
func tenFiles(t testing.TB) (dir string, f *Facts) {
	t.Helper()
	dir = t.TempDir()
	f = diary(t, dir)
	f.maxSize = 1
	for i := range 10 {
		must(t, f.Append([]machine.Fact{started("a"), started("b")}, noon.Add(time.Duration(i)*time.Minute)))
	}
	return dir, f
}

func TestAReaderGetsWhatItAskedFor(t *testing.T) {
	dir, _ := tenFiles(t)
	onlyB := func(e *Entry) bool { return e.ChildID == "b" }
	for name, row := range map[string]struct {
		options Options
		want    []string
	}{
		"all that is kept":             {Options{}, []string{"11 a", "12 b", "13 a", "14 b", "15 a", "16 b", "17 a", "18 b", "19 a", "20 b"}},
		"after a number":               {Options{After: 17}, []string{"18 b", "19 a", "20 b"}},
		"after the end of a file":      {Options{After: 18}, []string{"19 a", "20 b"}},
		"after the last one":           {Options{After: 20}, nil},
		"after one that is gone":       {Options{After: 4}, []string{"missed 5-10", "11 a", "12 b", "13 a", "14 b", "15 a", "16 b", "17 a", "18 b", "19 a", "20 b"}},
		"the newest":                   {Options{Newest: 3}, []string{"18 b", "19 a", "20 b"}},
		"more than there are":          {Options{Newest: 30}, []string{"11 a", "12 b", "13 a", "14 b", "15 a", "16 b", "17 a", "18 b", "19 a", "20 b"}},
		"the newest of one child":      {Options{Newest: 2, Want: onlyB}, []string{"18 b", "20 b"}},
		"the newest after a number":    {Options{Newest: 3, After: 18}, []string{"19 a", "20 b"}},
		"since a time":                 {Options{Since: noon.Add(8 * time.Minute)}, []string{"17 a", "18 b", "19 a", "20 b"}},
		"since a time between":         {Options{Since: noon.Add(8*time.Minute + time.Second)}, []string{"19 a", "20 b"}},
		"since a time before all":      {Options{Since: noon.Add(-time.Hour)}, []string{"11 a", "12 b", "13 a", "14 b", "15 a", "16 b", "17 a", "18 b", "19 a", "20 b"}},
		"since a time to come":         {Options{Since: noon.Add(time.Hour)}, nil},
		"since a time, the newest one": {Options{Since: noon.Add(8 * time.Minute), Newest: 1}, []string{"20 b"}},
		"since a time, one child":      {Options{Since: noon.Add(8 * time.Minute), Want: onlyB}, []string{"18 b", "20 b"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := items(t, Read(dir, row.options))

			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("entries (-want +got):\n%s", diff)
			}
		})
	}
}

func TestALineIsAsItStandsInTheJournal(t *testing.T) {
	dir := t.TempDir()
	text := `{"sequence":1,"time":"2026-11-24T11:00:00Z","type":"child_ready","a_field_of_later":[1]}`
	must(t, os.WriteFile(filepath.Join(dir, factsName(1)), []byte(text+"\nrubbish\n"+`{"sequence":3}`+"\n"), 0o600))

	var lines []string
	for i, err := range Read(dir, Options{}) {
		must(t, err)
		lines = append(lines, string(i.Line))
	}

	want := []string{text, `{"missed":{"from":2,"to":2,"count":1}}`, `{"sequence":3}`}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}

func TestANumberThatIsNotReachedYetIsRefused(t *testing.T) {
	full, _ := tenFiles(t)
	for dir, after := range map[string]uint64{full: 21, filepath.Join(full, "none"): 1} {
		for _, err := range Read(dir, Options{After: after}) {
			if !errors.Is(err, ErrAhead) {
				t.Errorf("after %d: %v, want %v", after, err, ErrAhead)
			}
		}
	}
}

// following reads a journal in a goroutine that ends with the test.
func following(t *testing.T, dir string, o Options) <-chan Item {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	got, done := make(chan Item), make(chan struct{})
	t.Cleanup(func() { cancel(); <-done; goleak.VerifyNone(t) })
	go func() {
		defer close(done)
		for i, err := range Follow(ctx, dir, o) {
			if err != nil {
				t.Errorf("follow: %v", err)
				return
			}
			select {
			case got <- i:
			case <-ctx.Done():
				return
			}
		}
	}()
	return got
}

// expect waits for these items.
func expect(t *testing.T, got <-chan Item, want ...string) {
	t.Helper()
	for _, w := range want {
		select {
		case i := <-got:
			if short(i) != w {
				t.Fatalf("the follower got %q, want %q", short(i), w)
			}
		case <-time.After(30 * time.Second):
			t.Fatalf("the follower waits in vain for %q", w)
		}
	}
}

func TestAFollowerSeesEveryEntryAcrossFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "journal")
	got := following(t, dir, Options{}) // it waits for the directory
	f := diary(t, dir)
	f.maxSize = 300

	for i := range 40 {
		note(t, f, "a", "b")
		expect(t, got, fmt.Sprintf("%d a", 2*i+1), fmt.Sprintf("%d b", 2*i+2))
	}
	must(t, f.Close())
	f = diary(t, dir)
	note(t, f, "c")

	expect(t, got, "81 c")
}

func TestAFollowerBeginsWithTheNewest(t *testing.T) {
	dir, f := tenFiles(t)
	got := following(t, dir, Options{Newest: 1, Want: func(e *Entry) bool { return e.ChildID == "a" }})

	expect(t, got, "19 a")
	note(t, f, "b", "a", "a")

	expect(t, got, "22 a", "23 a")
}

func TestASlowFollowerDelaysNobodyAndIsToldWhatItMissed(t *testing.T) {
	dir, f := tenFiles(t)
	got := following(t, dir, Options{After: 18})
	expect(t, got, "19 a") // and now it waits for us with the next one

	for range 20 {
		note(t, f, "x", "y")
	}

	expect(t, got, "20 b")
	next := <-got
	if next.Missed == nil || next.Missed.From != 21 || next.Missed.Count != next.Missed.To-20 {
		t.Fatalf("after a long wait the follower got %s, want what it missed from 21 on", next.Line)
	}
	for n := next.Missed.To + 1; n <= 60; n++ {
		expect(t, got, fmt.Sprintf("%d %s", n, []string{"y", "x"}[n%2]))
	}
	note(t, f, "z")
	expect(t, got, "61 z")
}

func TestAFollowerGoesOnWithTheJournalThatReplacesADeletedOne(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "journal")
	f := diary(t, dir)
	note(t, f, "a", "b")
	got := following(t, dir, Options{})
	expect(t, got, "1 a", "2 b")

	must(t, f.Close())
	must(t, os.RemoveAll(dir))
	note(t, diary(t, dir), "new")

	expect(t, got, "1 new")
}

func TestHalfALineIsNotRead(t *testing.T) {
	dir := t.TempDir()
	f := diary(t, dir)
	note(t, f, "a")
	got := following(t, dir, Options{})
	expect(t, got, "1 a")
	path := filepath.Join(dir, factsName(1))
	whole, err := os.ReadFile(path)
	must(t, err)

	must(t, os.WriteFile(path, append(whole, `{"sequence":2,"chi`...), 0o600))
	f.torn = true // as after a write that failed half way
	note(t, f, "b")

	expect(t, got, "2 b")
}

func TestAWriteThatWasUndoneUnderAReaderHidesNothing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, factsName(1))
	line := func(n int, id child.ID) string { return fmt.Sprintf("{\"sequence\":%d,\"child_id\":%q}\n", n, id) }
	must(t, os.WriteFile(path, []byte(line(1, "a")+line(2, "taken-back")), 0o600))
	got := following(t, dir, Options{})
	expect(t, got, "1 a", "2 taken-back")

	must(t, os.WriteFile(path, []byte(line(1, "a")+line(2, "b")+line(3, "a-long-name-in-the-middle-of-which-it-goes-on")+line(4, "d")), 0o600))

	expect(t, got, "3 a-long-name-in-the-middle-of-which-it-goes-on", "4 d")
}

func TestAFollowerThatIsCancelledEnds(t *testing.T) {
	dir, _ := tenFiles(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()

	n := 0
	for _, err := range Follow(ctx, dir, Options{}) {
		must(t, err)
		if n++; n == 10 {
			cancel()
		}
	}

	if n != 10 {
		t.Errorf("%d entries, want 10", n)
	}
}
