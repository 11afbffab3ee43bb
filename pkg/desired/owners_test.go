package desired

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reconciler-dev/reconciler/internal/trust"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

const stranger = 4242

// wary is a scanner that looks as root does, whoever runs the tests: it trusts root,
// the user of the test, and owners. Of the paths in foreign the stranger is the owner,
// as the spy tells it.
func wary(t *testing.T, root string, owners ...uint32) (s *scanner, foreign map[string]bool) {
	s = newScanner(t, root)
	p := trust.Policy{Owners: []uint32{uint32(os.Geteuid())}, ReadOnly: true}.Also(owners...)
	s.trust = &p
	foreign = map[string]bool{}
	s.disk = &spy{disk: host{}, seem: func(path string, m *meta) {
		if foreign[path] {
			m.uid = stranger
		}
	}}
	return s, foreign
}

// chained is a tree in which links lead to manifests over a second link in another
// folder: a file, and a folder.
func chained(t *testing.T) (base, root string) {
	base, err := filepath.EvalSymlinks(t.TempDir())
	must(t, err)
	write(t, base, "real/web.yaml", "name: web")
	write(t, base, "real/pay/db.yaml", "name: db")
	must(t, os.Mkdir(base+"/way", 0o755))
	must(t, os.Symlink("../real", base+"/way/middle"))
	must(t, os.Mkdir(base+"/root", 0o755))
	must(t, os.Symlink(base+"/way/middle/web.yaml", base+"/root/web.yaml"))
	must(t, os.Symlink("../way/middle/pay", base+"/root/pay"))
	return base, base + "/root"
}

func TestEveryHopToAManifestIsJudged(t *testing.T) {
	for _, test := range []struct {
		name    string
		foreign string // below the base; "" is the base itself
		left    []child.ID
	}{
		{"nothing", "elsewhere", []child.ID{"pay/db", "web"}},
		{"the link to a file", "root/web.yaml", []child.ID{"pay/db"}},
		{"the link to a folder", "root/pay", []child.ID{"web"}},
		{"the folder of the middle link", "way", nil},
		{"the middle link", "way/middle", nil},
		{"the folder behind it", "real", nil},
		{"the file", "real/web.yaml", []child.ID{"pay/db"}},
		{"a folder's file", "real/pay/db.yaml", []child.ID{"web"}},
		{"the root", "root", nil},
		{"what the root stands in", "", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			base, root := chained(t)
			s, foreign := wary(t, root)
			foreign[filepath.Join(base, test.foreign)] = true

			set := s.look()

			if diff := cmp.Diff(test.left, leaves(set)); diff != "" {
				t.Errorf("children (-want +got):\n%s", diff)
			}
			told := strings.Join(append(texts(set), stallTexts(set)...), "\n")
			if want := filepath.Join(base, test.foreign) + " belongs to "; len(test.left) < 2 && !strings.Contains(told, want) {
				t.Errorf("it says %q; want the one who is to blame: %s", told, want)
			}
			if want := "--manifests-owner 4242"; len(test.left) < 2 && !strings.Contains(told, want) {
				t.Errorf("it says %q; want the way out, %s", told, want)
			}
		})
	}
}

func TestEveryFolderAboveTheRootIsJudged(t *testing.T) {
	base, err := filepath.EvalSymlinks(t.TempDir())
	must(t, err)
	root := filepath.Join(base, "a/root")
	write(t, root, "web.yaml", "name: web")
	for _, above := range []string{"/", base, base + "/a"} {
		s, foreign := wary(t, root)
		foreign[above] = true

		set := s.look()

		if told := strings.Join(stallTexts(set), ""); len(leaves(set)) > 0 || !strings.Contains(told, above+" belongs to ") {
			t.Errorf("%s belongs to a stranger: children %v, stalled because %q; want none, and who is to blame", above, leaves(set), told)
		}
	}
}

func stallTexts(set *Set) (all []string) {
	for _, s := range set.Stalls {
		all = append(all, s.Message)
	}
	return all
}

func TestNamedOwnersAreObeyed(t *testing.T) {
	base, root := chained(t)
	s, foreign := wary(t, root, stranger)
	for _, name := range []string{"", "root", "root/web.yaml", "root/pay", "way", "way/middle", "real", "real/web.yaml", "real/pay", "real/pay/db.yaml"} {
		foreign[filepath.Join(base, name)] = true
	}

	set := s.look()

	if diff := cmp.Diff([]child.ID{"pay/db", "web"}, leaves(set)); diff != "" {
		t.Errorf("children (-want +got):\n%s\nproblems %v", diff, texts(set))
	}
}

func TestLinkThatIsTurnedDuringTheLookLeadsWhereItWasJudged(t *testing.T) {
	base, root := chained(t)
	write(t, base, "evil/web.yaml", "name: web\ncommand: [evil]")
	write(t, base, "evil/pay/db.yaml", "name: db\ncommand: [evil]")
	s, _ := wary(t, root)
	turned := 0
	s.disk.(*spy).before = func(op, path string) error {
		if op == "open" && path == base+"/real/pay" {
			turned++
			must(t, os.Remove(base+"/way/middle"))
			must(t, os.Symlink("../evil", base+"/way/middle"))
			must(t, os.Rename(base+"/real", base+"/moved"))
			must(t, os.Rename(base+"/evil", base+"/real"))
		}
		return nil
	}

	set := s.look()

	if turned != 1 {
		t.Fatalf("it was turned %d times, want once: when the folder that was judged is about to be gone through", turned)
	}
	if e, ok := set.Get("pay/db"); !ok || len(e.Spec.Command) > 0 {
		t.Errorf("pay/db is %v, %+v; want it as it was judged, without a command", ok, e.Spec)
	}
}

func TestReadOnlyMountExcusesModesAndNoOwner(t *testing.T) {
	base, root := chained(t)
	must(t, os.Chmod(base+"/real", 0o777))
	must(t, os.Chmod(base+"/real/web.yaml", 0o666))
	must(t, os.Chmod(base+"/real/pay", 0o777))
	s, foreign := wary(t, root)

	open := s.look()
	s.disk.(*spy).readOnly = func(string) bool { return true }
	mounted := s.look()
	foreign[base+"/real/web.yaml"], foreign[base+"/real/pay"] = true, true
	must(t, os.Chtimes(base+"/real/web.yaml", time.Now(), time.Now().Add(time.Hour)))
	theirs := s.look()

	if len(leaves(open)) > 0 {
		t.Errorf("writable for all: %v, want none", leaves(open))
	}
	if diff := cmp.Diff([]child.ID{"pay/db", "web"}, leaves(mounted)); diff != "" {
		t.Errorf("mounted read-only, children (-want +got):\n%s\nproblems %v", diff, texts(mounted))
	}
	if len(theirs.Problems) != 2 {
		t.Errorf("mounted read-only and of a stranger: problems %v, want those of the file and the folder", texts(theirs))
	}
}

func TestMendedHopIsNoticedWithoutATouchOfTheFile(t *testing.T) {
	base, root := chained(t)
	s, foreign := wary(t, root)
	foreign[base+"/way"] = true
	refused := s.look()

	clear(foreign)
	mended := s.look()

	if len(leaves(refused)) > 0 {
		t.Errorf("before: %v, want none", leaves(refused))
	}
	if diff := cmp.Diff([]child.ID{"pay/db", "web"}, leaves(mended)); diff != "" {
		t.Errorf("after (-want +got):\n%s\nproblems %v", diff, texts(mended))
	}
}

func TestHopThatTurnsBadKeepsWhatIsInForce(t *testing.T) {
	base, root := chained(t)
	s, foreign := wary(t, root)
	before := s.look()

	foreign[base+"/way"] = true
	after := s.look()

	if diff := cmp.Diff(before.Entries, after.Entries, ignoreProblems); diff != "" {
		t.Errorf("entries changed (-want +got):\n%s", diff)
	}
	if len(after.Problems) != 2 {
		t.Errorf("problems %v, want those of the file and of the folder", texts(after))
	}
}

func TestRepositoryOfAStrangerHoldsNothingBack(t *testing.T) {
	base, root := chained(t)
	write(t, base, ".git/index.lock", "")
	s, foreign := wary(t, root)

	own := s.reader(time.Now()).gitAtWork()
	foreign[base+"/.git"] = true
	theirs := s.reader(time.Now()).gitAtWork()

	if !own || theirs {
		t.Errorf("git is at work: in our repository %v, in a stranger's %v; want true and false", own, theirs)
	}
}

func TestFilesThatCannotBeLookedAtAreNotGone(t *testing.T) {
	root := t.TempDir()
	write(t, root, "web.yaml", "name: web")
	write(t, root, "db.yaml", "name: db")
	s := newScanner(t, root)
	before := s.look()
	s.disk = &spy{disk: host{}, before: func(op, path string) error {
		if op == "stat" && filepath.Dir(path) == root {
			return os.ErrPermission
		}
		return nil
	}}

	after := s.look()

	if diff := cmp.Diff(before.Entries, after.Entries, ignoreProblems); diff != "" || len(after.Problems) != 2 {
		t.Errorf("entries changed (-want +got):\n%s\nproblems %v, want one for each file", diff, texts(after))
	}
}
