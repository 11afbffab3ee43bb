package desired

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/go-logr/logr/funcr"
	"golang.org/x/sys/unix"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// silent is a notifier that says only what a test tells it to.
type silent struct {
	events chan fsnotify.Event
	errs   chan error
	fail   error // of Add

	mu      sync.Mutex
	watched []string
}

func newSilent() *silent {
	return &silent{events: make(chan fsnotify.Event), errs: make(chan error)}
}

func (n *silent) Add(dir string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.fail != nil {
		return n.fail
	}
	n.watched = append(n.watched, dir)
	return nil
}

// refuse lets Add fail from now on; nil: it does not.
func (n *silent) refuse(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.fail = err
}

func (n *silent) Remove(dir string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.watched = slices.DeleteFunc(n.watched, func(d string) bool { return d == dir })
	return nil
}

func (n *silent) Close() error { close(n.events); return nil }

func (n *silent) Channels() (<-chan fsnotify.Event, <-chan error) { return n.events, n.errs }

// bubble is a Source with a notifier of the test's, inside a synctest bubble. The
// files are real; time is not, and because the files come from its future, only
// what the Source has seen itself says how old they are.
type bubble struct {
	*testing.T
	*Source
	*silent
	dir string

	mu    sync.Mutex
	lines []string
}

// logs are the lines that were logged so far.
func (b *bubble) logs() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.lines)
}

func (b *bubble) log(_, line string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lines = append(b.lines, line)
}

func inBubble(t *testing.T, o Options, files map[string]string, test func(b *bubble)) {
	dir := t.TempDir()
	for name, text := range files {
		write(t, dir, name, text)
	}
	synctest.Test(t, func(t *testing.T) {
		b := &bubble{T: t, dir: dir, silent: newSilent()}
		b.run(o, func() (notifier, error) { return b.silent, nil })
		b.settle()
		test(b)
	})
}

func (b *bubble) run(o Options, open func() (notifier, error)) {
	o.Root = b.dir
	o.Log = funcr.New(b.log, funcr.Options{})
	s, err := newSource(o)
	if err != nil {
		b.Fatal(err)
	}
	s.open = open
	b.Source = s
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	b.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			b.Errorf("Run = %v, want nil", err)
		}
	})
}

// settle lets everything in the directory become old.
func (b *bubble) settle() {
	b.pass(3 * time.Second)
	select {
	case <-b.Changes():
	default:
	}
}

// pass lets time pass, and all that it causes happen.
func (b *bubble) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (b *bubble) tell(op fsnotify.Op, name string) {
	b.events <- fsnotify.Event{Name: filepath.Join(b.dir, name), Op: op}
	synctest.Wait()
}

func (b *bubble) move(from, to string) {
	b.Helper()
	if err := os.Rename(filepath.Join(b.dir, from), filepath.Join(b.dir, to)); err != nil {
		b.Fatal(err)
	}
}

func (b *bubble) remove(name string) {
	b.Helper()
	if err := os.RemoveAll(filepath.Join(b.dir, name)); err != nil {
		b.Fatal(err)
	}
}

// want fails unless the children are those.
func (b *bubble) want(when string, want ...child.ID) {
	b.Helper()
	if got := leaves(b.Current()); !slices.Equal(got, want) {
		b.Errorf("%s: children %v, want %v", when, got, want)
	}
}

// stalls are the reasons of the stalls now, and whom each holds.
func (b *bubble) stalls() string {
	var all []string
	for _, s := range b.Current().Stalls {
		all = append(all, strings.TrimSpace(s.Reason+" "+names(s.Held, 10)))
	}
	return strings.Join(all, "; ")
}

func (b *bubble) wantStalls(when, want string) {
	b.Helper()
	if got := b.stalls(); got != want {
		b.Errorf("%s: stalls %q, want %q", when, got, want)
	}
}

func (b *bubble) command(id child.ID) string {
	e, _ := b.Current().Get(id)
	if e.Spec == nil {
		return ""
	}
	return strings.Join(e.Spec.Command, " ")
}

var web = map[string]string{"web.yaml": "name: web\ncommand: [old]"}

func TestFileWrittenInPlaceCountsWhenItIsQuiet(t *testing.T) {
	inBubble(t, Options{}, web, func(b *bubble) {
		write(b.T, b.dir, "web.yaml", "name: web\ncommand: [half]")
		b.tell(fsnotify.Write, "web.yaml")
		b.pass(40 * time.Millisecond)
		write(b.T, b.dir, "web.yaml", "name: web\ncommand: [whole, now]")
		b.tell(fsnotify.Write, "web.yaml")
		b.pass(49 * time.Millisecond)
		if got := b.command("web"); got != "old" {
			t.Errorf("49 ms after the last write: command %q, want the old one", got)
		}

		b.pass(time.Millisecond)

		if got := b.command("web"); got != "whole now" {
			t.Errorf("50 ms after the last write: command %q, want the new one", got)
		}
	})
}

func TestBusyWriterIsReadAfterTwoSeconds(t *testing.T) {
	inBubble(t, Options{}, web, func(b *bubble) {
		began := time.Now()
		for i := 0; b.command("web") == "old"; i++ {
			if time.Since(began) > 3*time.Second {
				t.Fatal("a file that is written every 20 ms was not read within 3 s")
			}
			write(b.T, b.dir, "web.yaml", "name: web\ncommand: [new]\n#"+strings.Repeat("x", i))
			b.tell(fsnotify.Write, "web.yaml")
			b.pass(20 * time.Millisecond)
		}
		if took := time.Since(began); took < 1900*time.Millisecond {
			t.Errorf("read after %v, want about 2 s", took)
		}
	})
}

func TestFileRenamedIntoPlaceCountsAtOnce(t *testing.T) {
	inBubble(t, Options{}, web, func(b *bubble) {
		write(b.T, b.dir, ".new", "name: web\ncommand: [new]")
		b.move(".new", "web.yaml")
		if err := os.Chtimes(filepath.Join(b.dir, "web.yaml"), time.Time{}, time.Now()); err != nil { // older than its rename
			t.Fatal(err)
		}
		b.tell(fsnotify.Create, "web.yaml")

		if got := b.command("web"); got != "new" {
			t.Errorf("command %q, want the new one at once", got)
		}
	})
}

func TestVanishedManifestCountsWhenItsFolderIsQuiet(t *testing.T) {
	files := map[string]string{"web.yaml": "name: web", "db.yaml": "name: db"}
	inBubble(t, Options{}, files, func(b *bubble) {
		b.remove("web.yaml")
		b.tell(fsnotify.Remove, "web.yaml")
		b.pass(249 * time.Millisecond)
		b.want("after 249 ms", "db", "web")

		b.pass(time.Millisecond)

		b.want("after 250 ms", "db")
		if len(b.Current().Stalls) > 0 {
			t.Errorf("stalls = %v, want none", b.Current().Stalls)
		}
	})
}

func TestRenamedManifestIsNeverMissing(t *testing.T) {
	inBubble(t, Options{}, web, func(b *bubble) {
		before, _ := b.Current().Get("web")
		b.move("web.yaml", "hidden.txt") // as if the scan fell between the two events
		b.tell(fsnotify.Rename, "web.yaml")
		b.pass(100 * time.Millisecond)
		b.want("in the gap", "web")
		b.move("hidden.txt", "site.yaml")
		b.tell(fsnotify.Create, "site.yaml")
		b.settle()

		after, _ := b.Current().Get("web")
		if after.Spec != before.Spec || after.Origin.File != "site.yaml" || after.Origin.Generation != 1 {
			t.Errorf("web = %+v, want the same spec and generation from site.yaml", after)
		}
	})
}

func TestNothingIsRemovedWhileGitIsAtWork(t *testing.T) {
	files := map[string]string{"web.yaml": "name: web", "db.yaml": "name: db", ".git/HEAD": "x"}
	inBubble(t, Options{}, files, func(b *bubble) {
		write(b.T, b.dir, ".git/index.lock", "")
		b.remove("web.yaml")
		b.tell(fsnotify.Remove, "web.yaml")
		b.pass(10 * time.Second)
		b.want("with an index.lock", "db", "web")

		b.remove(".git/index.lock")
		b.pass(600 * time.Millisecond)

		b.want("without it", "db")
	})
}

func TestLostEventsCostNoMoreThanTheRescan(t *testing.T) {
	inBubble(t, Options{Rescan: 10 * time.Second}, web, func(b *bubble) {
		write(b.T, b.dir, "new.yaml", "name: new") // no event

		b.pass(10*time.Second + 50*time.Millisecond)

		b.want("after the rescan", "new", "web")
	})
}

func TestOverflowLooksAtEverything(t *testing.T) {
	inBubble(t, Options{}, web, func(b *bubble) {
		write(b.T, b.dir, "a/b/new.yaml", "name: new")
		b.errs <- fsnotify.ErrEventOverflow

		b.pass(50 * time.Millisecond)

		b.want("after an overflow", "a/b/new", "web")
		if late := b.Current().Late; late.Reason != LateOverflow || !strings.Contains(late.Message, "every 30s") {
			t.Errorf("late = %+v, want EventsLost and how often all is read", late)
		}
		b.pass(time.Minute)
		if late := b.Current().Late; late != (Late{}) {
			t.Errorf("a minute after the overflow: late = %+v, want nothing", late)
		}
	})
}

func TestRescanLooksNow(t *testing.T) {
	inBubble(t, Options{}, web, func(b *bubble) {
		write(b.T, b.dir, "new.yaml", "name: new")
		b.Rescan()
		b.pass(50 * time.Millisecond)

		b.want("after Rescan", "new", "web")
	})
}

func TestWithoutWatchesItPolls(t *testing.T) {
	for _, test := range []struct {
		name string
		open func(*bubble) (notifier, error)
	}{
		{LateNoInstance, func(*bubble) (notifier, error) { return nil, unix.EMFILE }},
		{LateNoWatch, func(b *bubble) (notifier, error) {
			b.silent.fail = unix.ENOSPC
			return b.silent, nil
		}},
		{LateNoEvents, func(b *bubble) (notifier, error) {
			b.silent.fail = unix.ENOSYS
			return b.silent, nil
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, "web.yaml", "name: web")
			synctest.Test(t, func(t *testing.T) {
				b := &bubble{T: t, dir: dir, silent: newSilent()}
				b.run(Options{}, func() (notifier, error) { return test.open(b) })
				b.settle()
				write(t, dir, "new.yaml", "name: new")

				b.pass(time.Second + 50*time.Millisecond)

				b.want("after a second", "new", "web")
				if late := b.Current().Late; late.Reason != test.name || !strings.Contains(late.Message, "within 1s") {
					t.Errorf("late = %+v, want %s and by how much", late, test.name)
				}
				if n := len(slices.DeleteFunc(b.logs(), func(s string) bool { return !strings.Contains(s, "every second") })); n != 1 {
					t.Errorf("polling was logged %d times, want once", n)
				}
			})
		})
	}
}

// remote is a disk of another machine.
type remote struct{ disk }

func (remote) Unwatchable(string) bool { return true }

func TestAFileSystemWithoutEventsIsReadEverySecondAndSaysSo(t *testing.T) {
	w := newWatch(remote{host{}}, func() (notifier, error) { return newSilent(), nil })
	defer w.close()

	w.add(t.TempDir())

	if late := w.late(time.Minute); !w.polls() || late.Reason != LateNoEvents || !strings.Contains(late.Message, "within 1s") {
		t.Errorf("polls = %v, late = %+v; want polling, and how late a change is seen", w.polls(), late)
	}
}

func TestWatchesThatAreThereAgainEndTheLateness(t *testing.T) {
	inBubble(t, Options{}, web, func(b *bubble) {
		b.refuse(unix.ENOSPC)
		write(b.T, b.dir, "sub/new.yaml", "name: new")
		b.tell(fsnotify.Create, "sub")
		b.pass(time.Second)
		if late := b.Current().Late; late.Reason != LateNoWatch || !strings.Contains(late.Message, "/sub ") {
			t.Errorf("late = %+v, want the folder that cannot be watched", late)
		}

		b.refuse(nil)
		b.pass(time.Minute)

		if late := b.Current().Late; late != (Late{}) {
			t.Errorf("late = %+v, want nothing", late)
		}
	})
}

func TestProblemsAreLoggedOnce(t *testing.T) {
	inBubble(t, Options{Rescan: time.Second}, map[string]string{"web.yaml": "name: ["}, func(b *bubble) {
		b.pass(time.Minute)
		if n := strings.Count(strings.Join(b.logs(), "\n"), `"manifest problem"`); n != 1 {
			t.Errorf("the problem was logged %d times in a minute, want once: %v", n, b.logs())
		}
		write(b.T, b.dir, "web.yaml", "name: web")
		b.pass(3 * time.Second)

		if n := strings.Count(strings.Join(b.logs(), "\n"), `"manifest problem is gone"`); n != 1 {
			t.Errorf("the end of the problem was logged %d times, want once: %v", n, b.logs())
		}
	})
}

func TestNothingHappensWhileNothingChanges(t *testing.T) {
	inBubble(t, Options{Rescan: time.Second}, web, func(b *bubble) {
		before := b.Current()
		b.pass(time.Minute)

		select {
		case <-b.Changes():
			t.Error("a change was announced although nothing changed")
		default:
		}
		if b.Current() != before {
			t.Error("Current was made anew although nothing changed")
		}
	})
}

func TestConfirmRemovalsLetsGoWhatIsHeld(t *testing.T) {
	files := many(10)
	inBubble(t, Options{}, files, func(b *bubble) {
		for i, name := range sortedNames(files) {
			if i < 6 {
				b.remove(name)
			}
		}
		b.errs <- fsnotify.ErrEventOverflow
		b.pass(time.Second)
		if got := b.Current(); len(leaves(got)) != 10 || len(got.Stalls) != 1 {
			t.Fatalf("%d children, stalls %v; want ten, held", len(leaves(got)), got.Stalls)
		}

		b.ConfirmRemovals()
		b.pass(time.Millisecond)

		if got := b.Current(); len(leaves(got)) != 4 || len(got.Stalls) != 0 {
			t.Errorf("%d children, stalls %v; want four, none", len(leaves(got)), got.Stalls)
		}
	})
}

func TestEmptiedDirectoryThatIsRefilledSlowlyLosesNothing(t *testing.T) {
	files := map[string]string{"a.yaml": "name: a", "b.yaml": "name: b", "c.yaml": "name: c"}
	inBubble(t, Options{}, files, func(b *bubble) {
		for name := range files {
			b.remove(name)
		}
		b.errs <- fsnotify.ErrEventOverflow
		b.pass(time.Second)
		if got := b.Current(); len(got.Stalls) != 1 || got.Stalls[0].Reason != StallEmptySource {
			t.Fatalf("stalls %v, want EmptySource", got.Stalls)
		}
		for _, name := range sortedNames(files) { // over a slow line
			write(b.T, b.dir, name, files[name])
			b.tell(fsnotify.Create, name)
			b.pass(1500 * time.Millisecond)
			b.want("while "+name+" arrives", "a", "b", "c")
		}
		b.settle()

		b.want("at the end", "a", "b", "c")
		if len(b.Current().Stalls) > 0 {
			t.Errorf("stalls = %v, want none", b.Current().Stalls)
		}
	})
}

func TestALostRootThatComesBackEmptyIsToldAllTheTime(t *testing.T) {
	files := map[string]string{"a.yaml": "name: a", "b.yaml": "name: b", "c.yaml": "name: c"}
	inBubble(t, Options{}, files, func(b *bubble) {
		b.remove(".")
		b.errs <- fsnotify.ErrEventOverflow
		b.pass(time.Second)
		b.wantStalls("without a root", StallEmptySource+" a, b, c, root")
		if err := os.Mkdir(b.dir, 0o755); err != nil {
			t.Fatal(err)
		}
		b.errs <- fsnotify.ErrEventOverflow
		for range 30 {
			b.pass(100 * time.Millisecond)
			b.wantStalls("with an empty root", StallEmptySource+" a, b, c")
		}
		write(b.T, b.dir, "a.yaml", files["a.yaml"])
		b.errs <- fsnotify.ErrEventOverflow
		b.pass(100 * time.Millisecond)
		b.wantStalls("when the first is back", StallEmptySource+" b, c")
		if e, _ := b.Current().Get("b"); e.Held != StallEmptySource {
			t.Errorf("b is held by %q, want EmptySource", e.Held)
		}

		b.ConfirmRemovals()
		b.pass(time.Millisecond)

		b.want("once the others are confirmed", "a")
		b.wantStalls("once the others are confirmed", "")
	})
}

func TestAFileThatIsNotReadIsToldWhenItComesAndWhenItGoes(t *testing.T) {
	inBubble(t, Options{}, web, func(b *bubble) {
		b.move("web.yaml", "web.yaml.txt")
		b.tell(fsnotify.Rename, "web.yaml")
		b.tell(fsnotify.Create, "web.yaml.txt")
		b.pass(10 * time.Millisecond)
		if w := b.Current().Warnings; len(w) != 1 || w[0].File != "web.yaml.txt" {
			t.Errorf("warnings %v, want one of web.yaml.txt", w)
		}

		b.remove("web.yaml.txt")
		b.tell(fsnotify.Remove, "web.yaml.txt")
		b.pass(10 * time.Millisecond)

		if w := b.Current().Warnings; len(w) != 0 {
			t.Errorf("warnings %v, want none", w)
		}
	})
}

func TestRunEndsAndLetsGo(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		n := newSilent()
		s, err := newSource(Options{Root: dir})
		if err != nil {
			t.Fatal(err)
		}
		s.open = func() (notifier, error) { return n, nil }
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Run(ctx) }()
		synctest.Wait()

		cancel()

		if err := <-done; err != nil {
			t.Errorf("Run = %v, want nil", err)
		}
		if _, open := <-n.events; open {
			t.Error("the notifier is still open")
		}
	})
}

func TestCurrentBeforeTheFirstLookIsNotComplete(t *testing.T) {
	last := firstLook(t, web)
	s, err := NewSource(Options{Root: t.TempDir(), Last: last})
	if err != nil {
		t.Fatal(err)
	}

	if got := s.Current(); got.Complete || len(leaves(got)) != 1 {
		t.Errorf("Current = %+v, want the last state, not complete", got)
	}
	if !last.Complete {
		t.Error("the caller's set was changed")
	}
}
