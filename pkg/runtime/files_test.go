package runtime

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/reconciler-dev/reconciler/internal/writers"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// looks is what is seen of one path by looks at times of the test.
type looks struct {
	*testing.T
	*files
	dir  string
	path string
	at   time.Time
}

// lookAt begins with the content of the files below a new folder, which were written
// long ago, as a child that starts sees it.
func lookAt(t *testing.T, name string, texts map[string]string) *looks {
	t.Helper()
	dir := t.TempDir()
	l := &looks{T: t, files: filesWith([]byte("key")), dir: dir, path: filepath.Join(dir, name), at: time.Now().Add(time.Hour)}
	l.files.now = func() time.Time { return l.at }
	for name, text := range texts {
		l.write(name, text)
	}
	l.files.see(filesAt(l.path), true)
	l.at = l.at.Add(time.Hour)
	return l
}

func (l *looks) do(err error) {
	l.Helper()
	if err != nil {
		l.Fatal(err)
	}
}

// write writes a file in place.
func (l *looks) write(name, text string) {
	l.Helper()
	path := filepath.Join(l.dir, name)
	l.do(errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)))
}

// now is when the files of this test are changed: the kernel's clock goes on.
func (l *looks) now() { l.at = time.Now() }

// after is what a look sees some time later.
func (l *looks) after(d time.Duration) child.FileHash {
	l.at = l.at.Add(d)
	return l.files.see(filesAt(l.path), false)
}

// settled is what stands there once it has been quiet for long.
func (l *looks) settled() string {
	l.after(time.Second)
	return l.after(time.Hour).Hash
}

func TestOnlyTheContentOfAFileCounts(t *testing.T) {
	l := lookAt(t, "link", map[string]string{"conf": "one"})
	path := filepath.Join(l.dir, "conf")
	l.do(os.Symlink(path, l.path))
	first := l.settled()

	touched := time.Now().Add(-time.Hour)
	l.do(os.Chtimes(path, touched, touched))
	touch := l.settled()
	l.write("other", "one")
	l.do(os.Rename(filepath.Join(l.dir, "other"), path))
	equal := l.settled()
	l.write("conf", "two")
	other := l.settled()

	if first == "" || touch != first || equal != first || other == first || other == "" {
		t.Errorf("behind a link: %q, touched %q, replaced by an equal one %q, written anew %q; want three the same and another", first, touch, equal, other)
	}
}

// rsync -t --inplace and Nix keep size and time.
func TestAChangeThatKeepsSizeAndTimeIsSeen(t *testing.T) {
	l := lookAt(t, "conf", map[string]string{"conf": "one"})
	long := time.Unix(1, 0)
	l.do(os.Chtimes(l.path, long, long))
	first := l.settled()

	l.write("conf", "two")
	l.do(os.Chtimes(l.path, long, long))

	if got := l.settled(); got == first || got == "" {
		t.Errorf("hash %q, before %q; want another one", got, first)
	}
}

func TestAFileThatIsBeingWrittenIsNotRead(t *testing.T) {
	l := lookAt(t, "conf", map[string]string{"conf": "one two three"})
	first := l.settled()
	f, err := os.OpenFile(l.path, os.O_WRONLY|os.O_TRUNC, 0)
	l.do(err)
	defer f.Close()
	if writers.Of(int(open(t, l.path).Fd())) == writers.Unknown {
		t.Skip("this file system does not say who writes")
	}

	empty := l.after(2 * time.Second)
	_, err = f.WriteString("one ")
	l.do(err)
	half := l.after(3 * time.Second)
	long := l.after(6 * time.Second)
	start := l.files.see(filesAt(l.path), true)
	_, err = f.WriteString("two")
	l.do(errors.Join(err, f.Close()))
	whole := l.settled()

	if empty.WasRead() || half.WasRead() || long.WasRead() || start.WasRead() || whole == "" || whole == first {
		t.Errorf("empty %+v, half %+v, half for long %+v, for a start %+v, whole %q, before %q; want it read once", empty, half, long, start, whole, first)
	}
	if half.Trouble != "" || !strings.Contains(long.Trouble, "is being written: somebody has had it open for writing for more than 5s; it is read when it is closed") {
		t.Errorf("soon %q, after a while %q; want that it is told after a while", half.Trouble, long.Trouble)
	}
	if after := l.after(time.Second); after.Trouble != "" {
		t.Errorf("when it is closed: %q", after.Trouble)
	}
}

func open(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestAScriptThatWritesInPiecesIsOneChange(t *testing.T) {
	l := lookAt(t, "conf", map[string]string{"conf": "one"})
	l.settled()
	l.now()

	var seen []string
	for i := range 3 { // closed each time
		l.write("conf", strings.Repeat("line\n", i))
		l.at = time.Now()
		seen = append(seen, l.after(200*time.Millisecond).Hash)
	}

	if got := fmt.Sprint(seen); got != "[  ]" {
		t.Errorf("in between: %s; want that it is waited for quiet", got)
	}
	if whole := l.after(400 * time.Millisecond); !whole.WasRead() {
		t.Errorf("after half a second of quiet: %+v; want it read", whole)
	}
}

func TestAFileThatIsNeverQuietIsReadAllTheSame(t *testing.T) {
	at := time.Now()
	c, first := filesWith(nil), at
	c.now = func() time.Time { return at }
	taken := time.Duration(-1)

	for ; taken < 0 && at.Sub(first) < time.Minute; at = at.Add(200 * time.Millisecond) {
		if c.isQuiet("/conf", content{}, []part{{path: "/conf", ctime: at.UnixNano()}}) {
			taken = at.Sub(first)
		}
	}

	if taken != quietMost {
		t.Errorf("it counts after %v; want that the wait has an end, after %v", taken, quietMost)
	}
}

func TestAFileThatCameByARenameCountsAtOnce(t *testing.T) {
	l := lookAt(t, "conf", map[string]string{"conf": "one"})
	first := l.settled()
	l.write("conf.new", "two")
	if writers.Of(int(open(t, l.path).Fd())) == writers.Unknown {
		t.Skip("this file system does not say who writes")
	}
	l.now()

	l.do(os.Rename(l.path+".new", l.path))
	got := l.after(0)

	if !got.WasRead() || got.Hash == first {
		t.Errorf("%+v, before %q; want the new one", got, first)
	}
}

func TestAHashBelongsToTheFileThatWasRead(t *testing.T) {
	l := lookAt(t, "conf", map[string]string{"conf": "one", "other": "two"})
	first := l.settled()
	w := filesAt(l.path)
	w.open = func(string) (*os.File, error) { return os.Open(filepath.Join(l.dir, "other")) } // it is swapped after the look
	l.do(os.Chmod(l.path, 0o640))

	swapped := l.files.see(w, true)

	if back := l.settled(); back != first || swapped.WasRead() {
		t.Errorf("while it is swapped: %+v, then %q; want nothing, then what it was: %q", swapped, back, first)
	}
}

func TestFolderIsAllFilesDirectlyInIt(t *testing.T) {
	texts := map[string]string{"conf.d/a.conf": "a", "conf.d/b.conf": "b", "conf.d/deep/c.conf": "c", "conf.d/.hidden": "h", "conf.d/a.conf~": "old", "secret": "s"}
	for name, row := range map[string]struct {
		do      func(l *looks)
		changed bool
	}{
		"nothing":                {func(*looks) {}, false},
		"a file is written":      {func(l *looks) { l.write("conf.d/b.conf", "B") }, true},
		"one is added":           {func(l *looks) { l.write("conf.d/c.conf", "c") }, true},
		"one is taken away":      {func(l *looks) { l.do(os.Remove(l.path + "/b.conf")) }, true},
		"one is renamed":         {func(l *looks) { l.do(os.Rename(l.path+"/b.conf", l.path+"/c.conf")) }, true},
		"two change their names": {func(l *looks) { l.write("conf.d/a.conf", "b"); l.write("conf.d/b.conf", "a") }, true},
		"one is touched":         {func(l *looks) { l.do(os.Chtimes(l.path+"/a.conf", time.Now(), time.Now())) }, false},
		"one deep in it":         {func(l *looks) { l.write("conf.d/deep/c.conf", "C") }, false},
		"a hidden one":           {func(l *looks) { l.write("conf.d/.hidden", "H"); l.write("conf.d/.b.swp", "x") }, false},
		"a copy of an editor's":  {func(l *looks) { l.write("conf.d/a.conf~", "older") }, false},
	} {
		l := lookAt(t, "conf.d", texts)
		first := l.settled()

		row.do(l)
		got := l.settled()

		if f := (child.FileHash{Hash: first}); !f.IsMany() || (got != first) != row.changed || got == "" {
			t.Errorf("%s: %q, before %q; want a change: %v", name, got, first, row.changed)
		}
	}
}

func TestPatternIsAllFilesThatFit(t *testing.T) {
	for name, row := range map[string]struct {
		path    string
		do      func(l *looks)
		changed bool
	}{
		"a file that fits":        {"*.conf", func(l *looks) { l.write("a.conf", "A") }, true},
		"one that does not":       {"*.conf", func(l *looks) { l.write("a.txt", "A") }, false},
		"the first that fits":     {"*.cfg", func(l *looks) { l.write("a.cfg", "a") }, true},
		"the last one goes":       {"*.conf", func(l *looks) { l.do(os.Remove(filepath.Join(l.dir, "a.conf"))) }, true},
		"a hidden one":            {"*.conf", func(l *looks) { l.write(".a.conf", "A") }, false},
		"a file of that name":     {"[a].conf", func(l *looks) { l.write("[a].conf", "changed") }, true},
		"a name with a bracket":   {"a[", func(l *looks) { l.write("a[", "there") }, true},
		"a class of characters":   {"[a-c].conf", func(l *looks) { l.write("b.conf", "b") }, true},
		"beside a class of those": {"[a-c].conf", func(l *looks) { l.write("d.conf", "d") }, false},
	} {
		l := lookAt(t, row.path, map[string]string{"a.conf": "a", "a.txt": "t"})
		first := l.settled()

		row.do(l)
		got := l.settled()

		if (got != first) != row.changed || got == "" {
			t.Errorf("%s: %q, before %q; want a change: %v", name, got, first, row.changed)
		}
	}
}

// An editor puts the old file aside before it writes the new one.
func TestFileThatIsAwayForAMomentIsNoChangeOfItsFolder(t *testing.T) {
	l := lookAt(t, "conf.d", map[string]string{"conf.d/a.conf": "a", "conf.d/b.conf": "b"})
	first := l.settled()

	l.do(os.Rename(l.path+"/b.conf", l.path+"/b.conf~"))
	away := l.after(0)
	l.do(os.Rename(l.path+"/b.conf~", l.path+"/b.conf"))

	if back := l.settled(); away.WasRead() || back != first {
		t.Errorf("away %+v, back %q, before %q; want nothing in between, and no change", away, back, first)
	}
}

func TestAFolderThatIsTooMuchToLookAtIsToldAsSuch(t *testing.T) {
	l := lookAt(t, "conf.d", map[string]string{"conf.d/a.conf": "a"})
	for i := range maxMany {
		l.write(fmt.Sprintf("conf.d/%d.conf", i), "")
	}

	got := l.after(time.Hour)

	if got.WasRead() || got.Trouble != "holds more than 1000 files, so it is not watched: name the files, or a pattern that fits fewer" {
		t.Errorf("%+v; want to be told, with the way out", got)
	}
}

func TestWhatIsNotThereIsAbsent(t *testing.T) {
	for _, name := range []string{"conf", "gone/*.conf", "gone/conf"} {
		l := lookAt(t, name, nil)

		if got := l.after(0); got.Hash != child.Absent {
			t.Errorf("%s: %+v; want that it is absent", name, got)
		}
	}
}

func TestNewsAreOtherContentsAndOtherPaths(t *testing.T) {
	known := []child.FileHash{{Path: "/a", Hash: "1"}, {Path: "/b", Hash: "2"}}
	for name, row := range map[string]struct {
		seen []child.FileHash
		want bool
	}{
		"the same":             {known, false},
		"another content":      {[]child.FileHash{{Path: "/a", Hash: "1"}, {Path: "/b", Hash: "3"}}, true},
		"one that is not read": {[]child.FileHash{{Path: "/a", Hash: "1"}, {Path: "/b"}}, false},
		"one that is away":     {[]child.FileHash{{Path: "/a", Hash: child.Absent}, {Path: "/b", Hash: "2"}}, false},
		"one more":             {append([]child.FileHash{{Path: "/"}}, known...), true},
		"another path":         {[]child.FileHash{{Path: "/a", Hash: "1"}, {Path: "/c"}}, true},
		"one less":             {known[:1], true},
	} {
		if got := news(known, row.seen); got != row.want {
			t.Errorf("%s: %v, want %v", name, got, row.want)
		}
	}
}
