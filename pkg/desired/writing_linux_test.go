package desired

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/reconciler-dev/reconciler/internal/writers"
)

// writer is somebody who has a manifest open for writing.
type writer struct {
	*os.File
	b    *bubble
	name string
}

// overwrite empties a file and keeps it open, as > of a shell does.
func (b *bubble) overwrite(name string) *writer {
	b.Helper()
	f, err := os.OpenFile(filepath.Join(b.dir, name), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { f.Close() })
	r, err := os.Open(f.Name())
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	if writers.Of(int(r.Fd())) == writers.Unknown {
		b.Skip("this file system does not say who writes")
	}
	b.tell(fsnotify.Write, name)
	return &writer{f, b, name}
}

func (w *writer) write(text string) {
	w.b.Helper()
	if _, err := w.WriteString(text); err != nil {
		w.b.Fatal(err)
	}
	w.b.tell(fsnotify.Write, w.name)
}

func (w *writer) close() {
	w.b.Helper()
	if err := w.Close(); err != nil {
		w.b.Fatal(err)
	}
}

func TestNobodyWaitsForAWriterWhoStays(t *testing.T) {
	now := time.Now()
	x := &file{name: "a.yaml", open: now.Add(-4 * time.Second), again: now.Add(time.Second)}
	top := &folder{folders: []*folder{(&folder{path: "f", files: []*file{x}}).finish()}}
	top.finish()

	early, late := top.unsettled(now, DefaultTiming()), top.unsettled(now.Add(2*time.Second), DefaultTiming())

	if !early || late {
		t.Errorf("unsettled after 4 s: %v, after 6 s: %v; want true, then false", early, late)
	}
}

func TestAFileIsNotReadWhileSomebodyHasItOpenForWriting(t *testing.T) {
	inBubble(t, Options{}, web, func(b *bubble) {
		w := b.overwrite("web.yaml")
		w.write("name: web\n")
		b.pass(4 * time.Second)
		if got := b.command("web"); got != "old" {
			t.Errorf("with half of the file there: command %q, want the old one", got)
		}
		w.write("command: [new]\n")
		b.pass(200 * time.Millisecond)
		if got := b.command("web"); got != "old" {
			t.Errorf("while it is open: command %q, want the old one", got)
		}

		w.close()
		b.pass(500 * time.Millisecond) // it is asked again each tenth of the time

		if got := b.command("web"); got != "new" {
			t.Errorf("once it is closed: command %q, want the new one", got)
		}
	})
}

func TestTheSameFileWrittenSlowlyChangesNothing(t *testing.T) {
	files := map[string]string{"all.yaml": "name: a\n---\nname: b\n---\nname: c\n"}
	inBubble(t, Options{}, files, func(b *bubble) {
		before := b.Current()
		w := b.overwrite("all.yaml")
		w.write("name: a\n---\nname: b\n")
		b.pass(3 * time.Second)
		b.want("before the third document", "a", "b", "c")
		b.wantStalls("before the third document", "")

		w.write("---\nname: c\n")
		w.close()
		b.settle()

		for i, e := range b.Current().Entries {
			if !sameEntry(e, before.Entries[i]) {
				t.Errorf("%s is %+v, want what it was", e.ID, e)
			}
		}
	})
}

func TestAWriterWhoStaysIsToldAndDelaysNoOtherFile(t *testing.T) {
	inBubble(t, Options{}, plus(web, "db.yaml", "name: db"), func(b *bubble) {
		w := b.overwrite("web.yaml")
		w.write("name: web\n")
		b.pass(4900 * time.Millisecond)
		b.wantStalls("after 4.9 s", "")
		b.pass(200 * time.Millisecond)
		b.wantStalls("after 5.1 s", StallBeingWritten)
		write(b.T, b.dir, "new.yaml", "name: new")
		b.tell(fsnotify.Create, "new.yaml")
		b.remove("db.yaml")
		b.tell(fsnotify.Remove, "db.yaml")
		b.pass(5100 * time.Millisecond)
		b.want("beside the writer", "new", "web")

		w.close()
		b.pass(1100 * time.Millisecond)

		b.wantStalls("once it is closed", "")
		if got := b.command("web"); got != "" {
			t.Errorf("command %q, want none: the file is read", got)
		}
	})
}

func TestADocumentThatIsGoneFromAFileWrittenInPlaceIsHeldAndTold(t *testing.T) {
	two := "name: a\n---\nname: b\n"
	for name, test := range map[string]struct {
		save func(b *bubble)
		held time.Duration
	}{
		"written in place": {func(b *bubble) {
			write(b.T, b.dir, "all.yaml", two)
			b.tell(fsnotify.Write, "all.yaml")
		}, 2 * time.Second},
		"opened anew for each document": {func(b *bubble) {
			write(b.T, b.dir, "all.yaml", "name: a\n")
			b.tell(fsnotify.Write, "all.yaml")
			b.pass(1500 * time.Millisecond)
			b.want("in the gap", "a", "b", "c")
			write(b.T, b.dir, "all.yaml", two)
			b.tell(fsnotify.Write, "all.yaml")
		}, 2 * time.Second},
		"renamed into place": {func(b *bubble) {
			write(b.T, b.dir, ".new", two)
			b.move(".new", "all.yaml")
			if err := os.Chtimes(filepath.Join(b.dir, "all.yaml"), time.Time{}, time.Now()); err != nil {
				b.Fatal(err)
			}
			b.tell(fsnotify.Create, "all.yaml")
		}, 250 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, Options{}, map[string]string{"all.yaml": two + "---\nname: c\n"}, func(b *bubble) {
				test.save(b)
				b.pass(100 * time.Millisecond)
				b.want("after 100 ms", "a", "b", "c")
				if told := b.stalls() == StallDropped+" c"; told != (test.held > time.Second) {
					t.Errorf("after 100 ms: stalls %q", b.stalls())
				}
				b.pass(test.held - 110*time.Millisecond)
				b.want("a moment before", "a", "b", "c")

				b.pass(100 * time.Millisecond)

				b.want("in the end", "a", "b")
				b.wantStalls("in the end", "")
			})
		})
	}
}

func TestADroppedDocumentGoesAtOnceWhenThatIsConfirmed(t *testing.T) {
	inBubble(t, Options{}, map[string]string{"all.yaml": "name: a\n---\nname: b\n"}, func(b *bubble) {
		write(b.T, b.dir, "all.yaml", "name: a\n")
		b.tell(fsnotify.Write, "all.yaml")
		b.pass(100 * time.Millisecond)
		b.wantStalls("before", StallDropped+" b")

		b.ConfirmRemovals()
		b.pass(time.Millisecond)

		b.want("after", "a")
		b.wantStalls("after", "")
	})
}

func TestAfterARestartAFileThatIsBeingWrittenStopsNothing(t *testing.T) {
	last := firstLook(t, plus(web, "db.yaml", "name: db"))
	inBubble(t, Options{Last: last}, plus(web, "db.yaml", "name: db"), func(b *bubble) {
		w := b.overwrite("web.yaml")
		second := &bubble{T: b.T, dir: b.dir, silent: newSilent()}

		second.run(Options{Last: last}, func() (notifier, error) { return second.silent, nil })
		second.pass(10 * time.Second)

		second.want("with the file open", "db", "web")
		w.write("name: site\n")
		w.close()
		second.pass(10 * time.Second)
		second.want("once it is closed", "db", "site")
	})
}
