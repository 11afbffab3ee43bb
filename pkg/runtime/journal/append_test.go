package journal

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

// blocked makes every write fail, as on a full disk, until the returned function
// is called.
func blocked(t *testing.T, f *Facts) (unblock func()) {
	t.Helper()
	good := f.file
	bad, err := os.Open(good.Name())
	must(t, err)
	f.file = bad
	return func() {
		must(t, bad.Close())
		f.file = good
	}
}

func TestWhatCouldNotBeWrittenComesLater(t *testing.T) {
	dir := t.TempDir()
	f := diary(t, dir)
	note(t, f, "a")
	unblock := blocked(t, f)

	for _, id := range []child.ID{"b", "c"} {
		if err := f.Append([]machine.Fact{started(id)}, noon); err == nil {
			t.Fatalf("the fact of %s was acknowledged, and is not in the file", id)
		}
	}
	during := told(t, dir, 0)
	unblock()
	note(t, f, "d")

	if diff := cmp.Diff([]string{"1 a"}, during); diff != "" {
		t.Errorf("entries while nothing could be written (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"1 a", "2 b", "3 c", "4 d"}, told(t, dir, 0)); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
}

func TestClosingWritesWhatCouldNotBeWrittenBefore(t *testing.T) {
	dir := t.TempDir()
	f := diary(t, dir)
	f.maxSize = 1
	note(t, f, "a")
	unblock := blocked(t, f)
	f.maxSize = 1 << 20
	_ = f.Append([]machine.Fact{started("b")}, noon)
	unblock()
	f.maxSize = 1 // it goes to a file of its own, named by its number

	must(t, f.Close())

	if diff := cmp.Diff([]string{"1 a", "2 b"}, told(t, dir, 0)); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"2 b"}, told(t, dir, 1)); diff != "" {
		t.Errorf("entries after 1 (-want +got):\n%s", diff)
	}
}

func TestWhatHadNoRoomIsCounted(t *testing.T) {
	dir := t.TempDir()
	f := diary(t, dir)
	unblock := blocked(t, f)
	many := make([]machine.Fact, 20_000)
	for i := range many {
		many[i] = started("a")
	}

	_ = f.Append(many, noon)
	_ = f.Append(many[:5], noon)
	unblock()
	note(t, f, "b")

	kept, last := 0, Item{}
	var lost string
	for i, err := range Read(dir, Options{}) {
		must(t, err)
		switch {
		case i.Missed != nil:
			t.Fatalf("a gap: %s", i.Line)
		case i.Type == EntriesLost:
			lost = i.Reason
		case i.ChildID == "a":
			kept++
		}
		last = i
	}
	if want := fmt.Sprintf("%d events could not be written: ", 20_005-kept); !strings.HasPrefix(lost, want) || kept == 0 {
		t.Errorf("%d entries are kept, and it is told %q; want %q", kept, lost, want)
	}
	if last.ChildID != "b" {
		t.Errorf("the last entry is %s, want the one of b", last.Line)
	}
}

func TestManyFactsAtOnceAreAllWritten(t *testing.T) {
	dir := t.TempDir()
	f := diary(t, dir)
	many := make([]machine.Fact, 20_000)
	for i := range many {
		many[i] = started("a")
	}

	must(t, f.Append(many, noon))

	if last, err := Last(dir); err != nil || last != 20_000 {
		t.Errorf("the last number is %d (%v), want 20000", last, err)
	}
}

func TestWhatAnOperatorAskedForIsDurable(t *testing.T) {
	for who, want := range map[string]bool{"": false, "runtime": false, "manifest": false, "signal": true, "root (cli)": true} {
		f := diary(t, t.TempDir())
		fact := started("a")
		fact.Cause.RequestedBy = who

		must(t, f.Append([]machine.Fact{started("b"), fact, started("c")}, noon))

		if f.durableName != want { // the directory is synced with the file
			t.Errorf("requested by %q: durable is %v, want %v", who, f.durableName, want)
		}
	}
}
