package desired

import (
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// lookAt is the desired state that a directory declares, and its problems without
// the path of the directory.
func lookAt(t *testing.T, root string) (*Set, []string) {
	t.Helper()
	set, err := Look(Options{Root: root})
	if err != nil {
		t.Fatal(err)
	}
	return set, withoutPath(set, root)
}

func withoutPath(set *Set, root string) []string {
	all := texts(set)
	for i := range all {
		all[i] = strings.ReplaceAll(all[i], root, "ROOT")
	}
	return all
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestOddFilesAreProblemsOfTheirOwn(t *testing.T) {
	for _, test := range []struct {
		name string
		make func(t *testing.T, path string)
		want string
	}{
		{"a FIFO", func(t *testing.T, path string) { must(t, unix.Mkfifo(path, 0o644)) },
			"x.yaml: this is a FIFO, not a file (only regular files are read)"},
		{"a link to a device", func(t *testing.T, path string) { must(t, os.Symlink("/dev/zero", path)) },
			"x.yaml: this is a device, not a file (only regular files are read)"},
		{"a socket", func(t *testing.T, path string) {
			l, err := net.Listen("unix", path)
			must(t, err)
			t.Cleanup(func() { l.Close() })
		}, "x.yaml: this is a socket, not a file (only regular files are read)"},
		{"a folder", func(t *testing.T, path string) { must(t, os.Mkdir(path, 0o755)) },
			"x.yaml: this is a folder, not a file (only regular files are read)"},
		{"a link that leads nowhere", func(t *testing.T, path string) { must(t, os.Symlink("nowhere", path)) },
			"x.yaml: the link leads nowhere (mend or remove it)"},
		{"a link to itself", func(t *testing.T, path string) { must(t, os.Symlink("x.yaml", path)) },
			"x.yaml: the file cannot be reached: too many levels of symbolic links"},
		{"2 MiB", func(t *testing.T, path string) {
			must(t, os.WriteFile(path, []byte("name: x\n#"+strings.Repeat("x", 2<<20)), 0o644))
		}, "x.yaml: the file is larger than 1 MiB (split it: any number of files is read)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			root := t.TempDir()
			write(t, root, "web.yaml", "name: web")
			test.make(t, filepath.Join(root, "x.yaml"))

			set, problems := lookAt(t, root)

			if diff := cmp.Diff([]string{test.want}, problems); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
			if !has("web")(set) {
				t.Errorf("web is not declared; want the file beside the odd one to count")
			}
		})
	}
}

func TestExactlyOneMebibyteIsRead(t *testing.T) {
	root := t.TempDir()
	head := "name: web\n#"
	write(t, root, "web.yaml", head+strings.Repeat("x", maxFile-len(head)))

	if set, problems := lookAt(t, root); !has("web")(set) {
		t.Errorf("problems %v, want none", problems)
	}
}

func TestIgnoredNames(t *testing.T) {
	root := t.TempDir()
	for _, name := range []string{
		".hidden.yaml", "..data/x.yaml", ".git/x.yaml", "x.yaml~", ".x.yaml.swp", ".x.yaml.swo", "#x.yaml#", ".#x.yaml",
		"x.yaml.bak", "x.yaml.orig", "x.yaml.tmp", "x.yaml.rej", "x", "README.md", "backup~/x.yaml",
	} {
		write(t, root, name, "name: [")
	}
	write(t, root, "a.yaml", "name: a")
	write(t, root, "b.yml", "name: b")
	write(t, root, "c.json", `{"name": "c"}`)

	set, problems := lookAt(t, root)

	if diff := cmp.Diff([]child.ID{"a", "b", "c"}, leaves(set)); diff != "" || len(problems) > 0 {
		t.Errorf("children (-want +got):\n%s\nproblems %v, want none", diff, problems)
	}
}

func TestTheCaseOfAnEndingDoesNotMatter(t *testing.T) {
	root := t.TempDir()
	write(t, root, "a.YAML", "name: a")
	write(t, root, "b.Yml", "name: b")
	write(t, root, "c.JSON", `{"name": "c"}`)

	set, problems := lookAt(t, root)

	if diff := cmp.Diff([]child.ID{"a", "b", "c"}, leaves(set)); diff != "" || len(problems) > 0 || len(set.Warnings) > 0 {
		t.Errorf("children (-want +got):\n%s\nproblems %v, warnings %v, want none", diff, problems, set.Warnings)
	}
}

func TestAFileThatLooksLikeAManifestAndIsNotReadIsAWarning(t *testing.T) {
	root := t.TempDir()
	for _, name := range []string{"a.yaml.txt", "f/b.ymal", "f/c.yaml ", "d.jsn", "e.yaml.bak", "e.off", "notes.txt", "x.xml", ".yam"} {
		write(t, root, name, "name: x")
	}
	s := newScanner(t, root)

	before := s.look()
	rename(t, filepath.Join(root, "a.yaml.txt"), filepath.Join(root, "a.yaml"))
	after := s.look()

	files := func(set *Set) (all []string) {
		for _, w := range set.Warnings {
			all = append(all, w.File)
		}
		return all
	}
	if diff := cmp.Diff([]string{"a.yaml.txt", "d.jsn", "f/b.ymal", "f/c.yaml "}, files(before)); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"d.jsn", "f/b.ymal", "f/c.yaml "}, files(after)); diff != "" {
		t.Errorf("once one is renamed: warnings (-want +got):\n%s", diff)
	}
}

func TestLinksInACircleEnd(t *testing.T) {
	root := t.TempDir()
	write(t, root, "a/web.yaml", "name: web")
	must(t, os.Symlink("..", filepath.Join(root, "a/up")))

	set, problems := lookAt(t, root)

	if diff := cmp.Diff([]string{"a/up: the link leads back to a folder that it stands in (remove the link)"}, problems); diff != "" || !has("a/web")(set) {
		t.Errorf("problems (-want +got):\n%s\nentries %v", diff, ids(set))
	}
}

func TestLinkBombIsBounded(t *testing.T) {
	root := t.TempDir()
	for i := range 20 { // 2 to the power of 20 folders
		dir := filepath.Join(root, fmt.Sprintf("d%d", i))
		must(t, os.Mkdir(dir, 0o755))
		for _, name := range []string{"l", "r"} {
			must(t, os.Symlink(fmt.Sprintf("../d%d", i+1), filepath.Join(dir, name)))
		}
	}
	write(t, root, "d20/web.yaml", "name: web")

	set, problems := lookAt(t, root)

	if n := len(set.Entries); n == 0 || n > 2*20*maxSame+2 {
		t.Errorf("%d entries, want some, and no folder more than %d times", n, maxSame)
	}
	if len(problems) == 0 || !strings.Contains(problems[0], "more than 32 times") {
		t.Errorf("problems %.200v, want one that names the limit", problems)
	}
}

func TestThirtyTwoLevels(t *testing.T) {
	root := t.TempDir()
	deep := strings.Repeat("d/", maxFolderDepth)
	write(t, root, deep+"web.yaml", "name: web")
	write(t, root, deep+"d/over.yaml", "name: over")

	set, problems := lookAt(t, root)

	if diff := cmp.Diff([]child.ID{child.ID(deep + "web")}, leaves(set)); diff != "" {
		t.Errorf("children (-want +got):\n%s", diff)
	}
	if len(problems) != 1 || !strings.Contains(problems[0], "32 levels") {
		t.Errorf("problems %v, want one about the depth", problems)
	}
}

// scanner takes looks at a directory at times of its own.
type scanner struct {
	*Source
	t    *testing.T
	scan Scan
	set  *Set
}

func newScanner(t *testing.T, root string) *scanner {
	s, err := newSource(Options{Root: root, AnyOwner: true})
	must(t, err)
	return &scanner{Source: s, t: t}
}

func (s *scanner) look() *Set {
	r := s.reader(time.Now())
	r.timing = Timing{}
	s.scan = r.read(s.scan, everything())
	s.set = Merge(s.set, s.scan, Policy{})
	return s.set
}

func TestUnreadableThingsKeepWhatIsInForce(t *testing.T) {
	root := t.TempDir()
	write(t, root, "web.yaml", "name: web")
	write(t, root, "pay/a.yaml", "name: a")
	write(t, root, "pay/eu/b.yaml", "name: b")
	s := newScanner(t, root)
	before := s.look()

	forbidden := map[string]bool{filepath.Join(root, "pay"): true, filepath.Join(root, "web.yaml"): true}
	s.disk = &spy{disk: host{}, before: func(op, path string) error {
		if (op == "list" || op == "read") && forbidden[path] {
			return unix.EACCES
		}
		return nil
	}}
	write(t, root, "web.yaml", "name: web # changed")
	got := s.look()

	if diff := cmp.Diff(before.Entries, got.Entries, ignoreProblems); diff != "" {
		t.Errorf("entries changed (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{
		"pay: the folder cannot be read: permission denied (its children are kept as they are)",
		"web.yaml: the file cannot be read: permission denied (make it readable for the user that runs the reconciler)",
	}, texts(got)); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	clear(forbidden)
	if got = s.look(); len(got.Problems) != 1 { // the folder is well; the file is looked at again when it changes
		t.Errorf("problems after it became readable: %v, want that of the file only", texts(got))
	}
	forbidden[root] = true
	if got = s.look(); len(got.Stalls) != 1 || got.Stalls[0].Reason != StallEmptySource || len(got.Entries) != len(before.Entries) {
		t.Errorf("an unreadable root: stalls %v, entries %v; want EmptySource and all kept", got.Stalls, ids(got))
	}
}

func TestAsRootWhatOthersMayWriteIsRefused(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root refuses manifests by their owner; the rule itself is tested below")
	}
	for _, test := range []struct {
		name string
		do   func(root string) error
		want string
		left []child.ID
	}{
		{"a file for everybody", func(root string) error { return os.Chmod(root+"/web.yaml", 0o666) },
			"web.yaml: ROOT/web.yaml may be written by everybody (mode 0666), who could have us run anything (chmod go-w ROOT/web.yaml)", []child.ID{"pay/db"}},
		{"a file for its group", func(root string) error { return os.Chmod(root+"/web.yaml", 0o664) },
			"web.yaml: ROOT/web.yaml may be written by group root (mode 0664), who could have us run anything (chmod g-w ROOT/web.yaml)", []child.ID{"pay/db"}},
		{"a file of another user", func(root string) error { return os.Chown(root+"/web.yaml", 4242, 0) },
			"web.yaml: ROOT/web.yaml belongs to user 4242, who could have us run anything (chown root ROOT/web.yaml, or trust this user with --manifests-owner 4242)", []child.ID{"pay/db"}},
		{"a folder for everybody", func(root string) error { return os.Chmod(root+"/pay", 0o777) },
			"pay: ROOT/pay may be written by everybody (mode 0777), who could have us run anything (chmod go-w ROOT/pay)", []child.ID{"web"}},
		{"a sticky folder", func(root string) error { return os.Chmod(root+"/pay", 0o777|fs.ModeSticky) },
			"pay: ROOT/pay may be written by everybody (mode 1777), who could have us run anything (chmod go-w ROOT/pay)", []child.ID{"web"}},
		{"the root for everybody", func(root string) error { return os.Chmod(root, 0o777) },
			"ROOT may be written by everybody (mode 0777), who could have us run anything (chmod go-w ROOT)", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			root := t.TempDir()
			write(t, root, "web.yaml", "name: web")
			write(t, root, "pay/db.yaml", "name: db")
			must(t, test.do(root))

			set, problems := lookAt(t, root)

			if diff := cmp.Diff([]string{test.want}, problems); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.left, leaves(set)); diff != "" {
				t.Errorf("children (-want +got):\n%s", diff)
			}
			if set, err := Look(Options{Root: root, AnyOwner: true}); err != nil || len(leaves(set)) != 2 {
				t.Errorf("with AnyOwner: %v, %v; want both children", leaves(set), err)
			}
		})
	}
}

func TestOnlyWhatChangedIsReadAgain(t *testing.T) {
	root := t.TempDir()
	for i := range 100 {
		write(t, root, fmt.Sprintf("f%d/w%d.yaml", i%10, i), fmt.Sprintf("name: w%d", i))
	}
	s := newScanner(t, root)
	count := map[string]int{}
	s.disk = &spy{disk: host{}, before: func(op, _ string) error { count[op]++; return nil }}
	first := s.look()
	clear(count)

	second := s.look()
	if count["read"] != 0 {
		t.Errorf("a look without a change read %d files, want none", count["read"])
	}
	if !sameSet(first, second) {
		t.Error("a look without a change changed the desired state")
	}

	write(t, root, "f3/w13.yaml", "name: w13\ncommand: [new]")
	clear(count)
	d := &dirt{}
	d.touch("f3", "w13.yaml", true)
	r := s.reader(time.Now())
	s.scan = r.read(s.scan, d)
	if count["read"] != 1 || count["list"] != 0 || count["stat"]+count["open"] > 2*strings.Count(root, "/")+10 || !r.changed {
		t.Errorf("one change: %v; want one file read, no folder listed, a few stats", count)
	}
	if e, _ := Merge(second, s.scan, Policy{}).Get("f3/w13"); e.Origin.Generation != 2 {
		t.Errorf("generation %d, want 2", e.Origin.Generation)
	}
}

func TestTouchedButEqualFileChangesNothing(t *testing.T) {
	root := t.TempDir()
	write(t, root, "web.yaml", "name: web")
	s := newScanner(t, root)
	before := s.look()
	must(t, os.Chtimes(filepath.Join(root, "web.yaml"), time.Now(), time.Now().Add(time.Hour)))

	r := s.reader(time.Now().Add(time.Hour))
	s.scan = r.read(s.scan, everything())

	if r.changed || !sameSet(before, Merge(before, s.scan, Policy{})) {
		t.Error("a touched file counts as changed although its text is the same")
	}
}

func TestGitOfAWorktreeAndAboveTheRootCounts(t *testing.T) {
	base := t.TempDir()
	write(t, base, "main/.git/worktrees/w/HEAD", "x")
	write(t, base, "w/.git", "gitdir: "+filepath.Join(base, "main/.git/worktrees/w")+"\n")
	write(t, base, "w/manifests/web.yaml", "name: web")
	root := filepath.Join(base, "w/manifests")
	s := newScanner(t, root)
	if s.reader(time.Now()).gitAtWork() {
		t.Error("git is at work before there is a lock")
	}

	write(t, base, "main/.git/worktrees/w/index.lock", "")

	if !s.reader(time.Now()).gitAtWork() {
		t.Error("the lock of a linked work tree above the root was not seen")
	}
}
