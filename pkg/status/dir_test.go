package status

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

func openTemp(t *testing.T) (*directory, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "deep", "status")
	d, err := openDirectory(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d, path
}

func mustReplace(t *testing.T, d *directory, name, text string) {
	t.Helper()
	if err := d.Replace(name, []byte(text)); err != nil {
		t.Fatalf("Replace(%s): %v", name, err)
	}
}

// tree lists all that stands below path, folders with a slash at the end.
func tree(t *testing.T, path string) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(path, func(p string, e fs.DirEntry, err error) error {
		if err != nil || p == path {
			return err
		}
		rel, err := filepath.Rel(path, p)
		if e.IsDir() {
			rel += "/"
		}
		names = append(names, rel)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestFoldersComeAndGoWithTheirFiles(t *testing.T) {
	d, path := openTemp(t)
	mustReplace(t, d, "payments.json", "1")
	mustReplace(t, d, "payments/eu/worker.json", "2")
	mustReplace(t, d, "payments/db.json", "3")
	if diff := cmp.Diff([]string{"payments/", "payments/db.json", "payments/eu/", "payments/eu/worker.json", "payments.json"}, tree(t, path)); diff != "" {
		t.Fatalf("tree (-want +got):\n%s", diff)
	}

	for _, name := range []string{"payments/eu/worker.json", "payments/eu/worker.json", "payments/db.json"} {
		if err := d.Remove(name); err != nil {
			t.Fatalf("Remove(%s): %v", name, err)
		}
	}

	if diff := cmp.Diff([]string{"payments.json"}, tree(t, path)); diff != "" {
		t.Errorf("tree (-want +got):\n%s", diff)
	}
}

func TestAReaderNeverSeesATornFile(t *testing.T) {
	d, path := openTemp(t)
	texts := []string{strings.Repeat("a", 100), strings.Repeat("b", 20_000)}
	mustReplace(t, d, "web.json", texts[0])
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for reads := 0; ; reads++ {
				select {
				case <-stop:
					if reads == 0 {
						t.Error("nothing was read")
					}
					return
				default:
				}
				b, err := os.ReadFile(filepath.Join(path, "web.json"))
				if err != nil || !slices.Contains(texts, string(b)) {
					t.Errorf("read %d bytes, error %v; want one of two whole files", len(b), err)
					return
				}
			}
		})
	}

	for i := range 1000 {
		mustReplace(t, d, "web.json", texts[i%2])
	}

	close(stop)
	readers.Wait()
	if diff := cmp.Diff([]string{"web.json"}, tree(t, path)); diff != "" {
		t.Errorf("tree (-want +got):\n%s", diff)
	}
}

// onFullDisk makes the temporary file, and lets writes to it fail as on a full
// disk: /dev/full(4) answers ENOSPC.
func onFullDisk(root *os.Root, name string) (io.WriteCloser, error) {
	f, err := createFile(root, name)
	if err != nil {
		return nil, err
	}
	f.Close()
	return os.OpenFile("/dev/full", os.O_WRONLY, 0)
}

func TestAFullDiskKeepsTheOldFileAndLeavesNothing(t *testing.T) {
	d, path := openTemp(t)
	mustReplace(t, d, "a/web.json", "old")
	d.create = onFullDisk

	err := d.Replace("a/web.json", []byte("new"))

	if !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Replace() = %v, want that there is no space", err)
	}
	if b, _ := d.Read("a/web.json"); string(b) != "old" {
		t.Errorf("file = %q, want the old one", b)
	}
	if diff := cmp.Diff([]string{"a/", "a/web.json"}, tree(t, path)); diff != "" {
		t.Errorf("tree (-want +got):\n%s", diff)
	}
}

func TestPlantedLinksAreNotFollowed(t *testing.T) {
	for name, tc := range map[string]struct {
		link, to string // within the status directory, unless to begins with OUT
		refused  bool
	}{
		"the file is a link to the outside":          {"web.json", "OUT/victim", false},
		"the file is a link within":                  {"web.json", "victim", false},
		"the folder is a link to the outside":        {"a", "OUT", true},
		"the folder is a link to another folder":     {"a", "b", true},
		"the folder is a dangling link":              {"a", "nowhere", true},
		"the file is a link and stands in no folder": {"web.json", "/etc/passwd", false},
	} {
		t.Run(name, func(t *testing.T) {
			d, path := openTemp(t)
			outside := t.TempDir()
			mustReplace(t, d, "b/other.json", "other")
			for _, victim := range []string{filepath.Join(outside, "victim"), filepath.Join(path, "victim")} {
				if err := os.WriteFile(victim, []byte("precious"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			to := strings.Replace(tc.to, "OUT", outside, 1)
			if err := os.Symlink(to, filepath.Join(path, tc.link)); err != nil {
				t.Fatal(err)
			}

			file := tc.link
			if !strings.HasSuffix(file, suffix) {
				file += "/web.json"
			}
			err := d.Replace(file, []byte("status"))

			if (err != nil) != tc.refused {
				t.Errorf("Replace(%s) = %v, want refused: %v", file, err, tc.refused)
			}
			for _, victim := range []string{filepath.Join(outside, "victim"), filepath.Join(path, "victim")} {
				if b, err := os.ReadFile(victim); string(b) != "precious" {
					t.Errorf("%s = %q, %v; it was written through", victim, b, err)
				}
			}
			if got := tree(t, outside); len(got) != 1 {
				t.Errorf("outside = %v, want the victim alone", got)
			}
			if slices.Contains(tree(t, path), "b/web.json") {
				t.Error("a file was written through a link to another folder")
			}
		})
	}
}

func TestADirectoryThatEverybodyMayWriteIsRefused(t *testing.T) {
	path := t.TempDir()
	if err := os.Chmod(path, 0o777); err != nil {
		t.Fatal(err)
	}

	_, err := NewWriter(path, Options{})

	if err == nil || !strings.Contains(err.Error(), "chmod go-w") {
		t.Errorf("NewWriter() = %v, want a refusal with the way out", err)
	}
}

func TestADirectoryThatCannotBeMadeIsAnError(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}

	_, err := NewWriter(filepath.Join(file, "status"), Options{})

	if !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("NewWriter() = %v, want that a file is in the way", err)
	}
}

func TestIntactNoticesAnotherDirectoryInItsPlace(t *testing.T) {
	d, path := openTemp(t)
	if !d.Intact() {
		t.Fatal("a new directory is not intact")
	}
	if err := os.Rename(path, path+".away"); err != nil {
		t.Fatal(err)
	}
	if d.Intact() {
		t.Error("a directory that was moved away is intact")
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if d.Intact() {
		t.Error("another directory is intact")
	}

	if err := d.Reopen(); err != nil {
		t.Fatal(err)
	}

	mustReplace(t, d, "web.json", "1")
	if diff := cmp.Diff([]string{"web.json"}, tree(t, path)); diff != "" || !d.Intact() {
		t.Errorf("tree of the new directory (-want +got), intact %v:\n%s", d.Intact(), diff)
	}
}

func TestTempNamesAreRecognisedAndOthersAreNot(t *testing.T) {
	if name := filepath.Base(tempName("a/web.json")); !isTemp(name) {
		t.Errorf("isTemp(%q) = false for a name of our own", name)
	}
	for _, name := range []string{"web.json", ".web.json", ".web.json.tmp-", ".web.json.tmp-0123", ".web.json.tmp-0123456789abcdeg", "web.json.tmp-0123456789abcdef", ".web.json.swp", ".-.json.tmp-0123456789abcdef"} {
		if isTemp(name) {
			t.Errorf("isTemp(%q) = true for a stranger's name", name)
		}
	}
}

func TestLeftoversAndOrphansGoAndStrangersStay(t *testing.T) {
	d, path := openTemp(t)
	b := newBoard()
	orphan := string(Encode(inPhase("gone/child", child.Running, 0), Declaration{}))
	mustReplace(t, d, "gone/child.json", orphan)
	mustReplace(t, d, "gone/deep/child.json", strings.ReplaceAll(orphan, "gone/child", "gone/deep/child"))
	mustReplace(t, d, "renamed.json", orphan)                   // it names another child
	mustReplace(t, d, "mine.json", `{"my": "own"}`)             // no status at all
	mustReplace(t, d, "later.json", `{"schema_version": "v2"}`) // another version's
	for name, text := range map[string]string{
		".web.json.tmp-0123456789abcdef": "half", "gone/.child.json.tmp-0123456789abcdef": "half",
		"notes.txt": "keep", ".hidden": "keep", "1bad.json": orphan,
	} {
		if err := os.WriteFile(filepath.Join(path, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Mkdir(filepath.Join(path, "empty"), 0o700), os.Symlink("nowhere", filepath.Join(path, "link.json")), syscall.Mkfifo(filepath.Join(path, "fifo.json"), 0o600)); err != nil {
		t.Fatal(err)
	}
	b.put(inPhase("web", child.Running, 0))

	w := newWriter(d, b.options())
	w.adopted = true
	w.compare(noon)

	if diff := cmp.Diff([]string{".hidden", "1bad.json", "fifo.json", "later.json", "link.json", "mine.json", "notes.txt", "renamed.json", "web.json"}, tree(t, path)); diff != "" {
		t.Errorf("tree (-want +got):\n%s", diff)
	}
}

func TestReadersFindWhatWasWritten(t *testing.T) {
	d, path := openTemp(t)
	r := newRuntime(Info{State: Alive, PID: 7, StartedAt: noon}, nil, nil, nil)
	for _, id := range []child.ID{"web", "payments/worker", "root"} {
		mustReplace(t, d, fileName(id), string(Encode(inPhase(id, child.Running, 0), Declaration{})))
	}
	mustReplace(t, d, runtimeFile, string(EncodeRuntime(&r)))
	mustReplace(t, d, "stranger.json", "{}")

	all, err := ReadAll(path)
	if err != nil {
		t.Fatal(err)
	}
	one, err := ReadChild(path, "payments/worker")
	if err != nil {
		t.Fatal(err)
	}
	rt, err := ReadRuntime(path)
	if err != nil {
		t.Fatal(err)
	}

	var ids []child.ID
	for _, c := range all {
		ids = append(ids, c.ID)
	}
	if diff := cmp.Diff([]child.ID{"payments/worker", "root", "web"}, ids); diff != "" {
		t.Errorf("ReadAll (-want +got):\n%s", diff)
	}
	if one.Phase != child.Running || rt.PID != 7 {
		t.Errorf("child phase %s, runtime pid %d; want Running, 7", one.Phase, rt.PID)
	}
}

func TestReadersSayWhatIsMissingAndWhatIsNotOurs(t *testing.T) {
	d, path := openTemp(t)
	mustReplace(t, d, "later.json", `{"schema_version": "v2"}`)
	mustReplace(t, d, "huge.json", strings.Repeat(" ", maxSize+1))
	if err := syscall.Mkfifo(filepath.Join(path, "fifo.json"), 0o600); err != nil {
		t.Fatal(err)
	}
	mustReplace(t, d, "real.json", string(Encode(inPhase("link", child.Running, 0), Declaration{})))
	if err := os.Symlink("real.json", filepath.Join(path, "link.json")); err != nil {
		t.Fatal(err)
	}
	for id, want := range map[child.ID]error{
		"nobody": fs.ErrNotExist, "no/body": fs.ErrNotExist, "later": errNotOurs, "huge": errNotOurs, "fifo": errNotOurs, "link": errNotOurs,
	} {
		if _, err := ReadChild(path, id); !errors.Is(err, want) {
			t.Errorf("ReadChild(%s) = %v, want %v", id, err, want)
		}
	}
	if _, err := ReadChild(path, "../x"); err == nil {
		t.Error("ReadChild(../x) = nil, want an error")
	}
	if _, err := ReadRuntime(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("ReadRuntime() = %v, want that there is none", err)
	}
	if _, err := ReadAll(filepath.Join(path, "missing")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("ReadAll() = %v, want that there is no directory", err)
	}
}

func TestADirectoryThatCannotBePreparedIsNotWrittenTo(t *testing.T) {
	d, path := openTemp(t)
	theirs := errors.New("it belongs to somebody else")
	d.prepare = func() error { return theirs }
	if err := errors.Join(os.Remove(path), os.Mkdir(path, 0o755)); err != nil {
		t.Fatal(err)
	}

	refused := d.Reopen()
	written := d.Replace("web.json", []byte("1"))

	if !errors.Is(refused, theirs) || written == nil || d.Intact() {
		t.Errorf("Reopen() = %v, Replace() = %v; want that nothing is written", refused, written)
	}
	if left := tree(t, path); len(left) > 0 {
		t.Errorf("the other directory has %v", left)
	}
}

func TestAFIFOInThePlaceOfTheDirectoryIsNotOpened(t *testing.T) {
	d, _ := openTemp(t)
	path := filepath.Join(t.TempDir(), "status")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	held, err := os.OpenFile(path, os.O_RDWR, 0) // who opened it all the same is not caught
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()

	_, one := ReadChild(path, "web")
	_, all := ReadAll(path)
	_, rt := ReadRuntime(path)
	d.path, d.prepare = path, func() error { return nil } // it passes for the directory
	again := d.Reopen()

	for name, err := range map[string]error{"ReadChild": one, "ReadAll": all, "ReadRuntime": rt, "Reopen": again} {
		if !errors.Is(err, syscall.ENOTDIR) {
			t.Errorf("%s = %v, want that it is no folder", name, err)
		}
	}
}
