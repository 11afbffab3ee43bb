package desired

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-logr/logr/testr"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// write writes a file below root, and its folder.
func write(t *testing.T, root, name, text string) {
	t.Helper()
	path := filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// start runs a Source until the test ends.
func start(t *testing.T, o Options) *Source {
	t.Helper()
	o.Log = testr.New(t)
	s, err := NewSource(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v, want nil", err)
		}
	})
	return s
}

// eventually waits until the desired state is as want says.
func eventually(t *testing.T, s *Source, what string, want func(*Set) bool) *Set {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for {
		if set := s.Current(); want(set) {
			return set
		}
		select {
		case <-s.Changes():
		case <-deadline:
			t.Fatalf("%s did not happen within 10 s; ids = %v, problems = %v, stalls = %v", what, ids(s.Current()), s.Current().Problems, s.Current().Stalls)
		}
	}
}

func ids(s *Set) []child.ID {
	var all []child.ID
	for _, e := range s.Entries {
		all = append(all, e.ID)
	}
	return all
}

func has(id child.ID) func(*Set) bool {
	return func(s *Set) bool { _, ok := s.Get(id); return ok && s.Complete }
}

// putInPlace writes a file beside its place and renames it, as careful programs do.
func putInPlace(t *testing.T, root, name, text string) {
	t.Helper()
	write(t, root, name+".tmp", text)
	rename(t, filepath.Join(root, name+".tmp"), filepath.Join(root, name))
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

// swapLink makes link lead to target in one step, as kubelet and git-sync do.
func swapLink(t *testing.T, target, link string) {
	t.Helper()
	if err := os.Symlink(target, link+".new"); err != nil {
		t.Fatal(err)
	}
	rename(t, link+".new", link)
}

func run(t *testing.T, dir, name string, args ...string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skipf("%s is not installed here; its way of saving is also tested step by step", name)
	}
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v: %s", name, args, err, out)
	}
}

func text(command string) string { return "name: web\ncommand: [" + command + "]\n" }

func commandIs(want string) func(*Set) bool {
	return func(s *Set) bool {
		e, ok := s.Get("web")
		return ok && len(e.Spec.Command) == 1 && e.Spec.Command[0] == want
	}
}

// TestSavingAFileIsOneChange saves a file in the ways of editors and tools. At no
// moment may the child be gone, or be anything but old or new.
func TestSavingAFileIsOneChange(t *testing.T) {
	for _, test := range []struct {
		name string
		save func(t *testing.T, root string)
	}{
		{"vim, with a backup", func(t *testing.T, root string) {
			rename(t, filepath.Join(root, "web.yaml"), filepath.Join(root, "web.yaml~"))
			write(t, root, "web.yaml", "name: web\n")
			write(t, root, "web.yaml", text("new"))
			os.Remove(filepath.Join(root, "web.yaml~"))
		}},
		{"emacs, with a lock file and a backup", func(t *testing.T, root string) {
			os.Symlink("me@host.1", filepath.Join(root, ".#web.yaml"))
			write(t, root, "#web.yaml#", "name: web")
			rename(t, filepath.Join(root, "web.yaml"), filepath.Join(root, "web.yaml~"))
			write(t, root, "web.yaml", text("new"))
			os.Remove(filepath.Join(root, "#web.yaml#"))
			os.Remove(filepath.Join(root, ".#web.yaml"))
		}},
		{"nano, in place", func(t *testing.T, root string) {
			f, err := os.OpenFile(filepath.Join(root, "web.yaml"), os.O_WRONLY|os.O_TRUNC, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, part := range []string{"name: web\n", "command: ", "[new]\n"} {
				f.WriteString(part)
			}
			f.Close()
		}},
		{"rsync, into a hidden file", func(t *testing.T, root string) {
			write(t, root, ".web.yaml.Xa91b", text("new"))
			rename(t, filepath.Join(root, ".web.yaml.Xa91b"), filepath.Join(root, "web.yaml"))
		}},
		{"remove and write anew", func(t *testing.T, root string) {
			os.Remove(filepath.Join(root, "web.yaml"))
			write(t, root, "web.yaml", text("new"))
		}},
		{"sed -i", func(t *testing.T, root string) { run(t, root, "sed", "-i", "s/old/new/", "web.yaml") }},
		{"cp", func(t *testing.T, root string) {
			other := t.TempDir()
			write(t, other, "web.yaml", text("new"))
			run(t, root, "cp", filepath.Join(other, "web.yaml"), "web.yaml")
		}},
		{"mv from elsewhere", func(t *testing.T, root string) {
			other := t.TempDir()
			write(t, other, "web.yaml", text("new"))
			run(t, root, "mv", filepath.Join(other, "web.yaml"), "web.yaml")
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			root := t.TempDir()
			write(t, root, "web.yaml", text("old"))
			write(t, root, "other.yaml", "name: other")
			s := start(t, Options{Root: root})
			eventually(t, s, "the old command", commandIs("old"))

			test.save(t, root)

			set := eventually(t, s, "the new command", func(set *Set) bool {
				if !commandIs("old")(set) && !commandIs("new")(set) {
					t.Errorf("on the way: entries %v, problems %v", ids(set), set.Problems)
				}
				return commandIs("new")(set)
			})
			if e, _ := set.Get("web"); e.Origin.Generation != 2 || len(set.Problems) != 0 {
				t.Errorf("generation %d, problems %v; want one change", e.Origin.Generation, set.Problems)
			}
		})
	}
}

func TestConfigMapSwapIsFollowed(t *testing.T) {
	root := t.TempDir()
	write(t, root, "..v1/web.yaml", text("old"))
	write(t, root, "..v1/db.yaml", "name: db")
	swapLink(t, "..v1", filepath.Join(root, "..data"))
	swapLink(t, "..data/web.yaml", filepath.Join(root, "web.yaml"))
	swapLink(t, "..data/db.yaml", filepath.Join(root, "db.yaml"))
	s := start(t, Options{Root: root})
	eventually(t, s, "the old command", commandIs("old"))
	for i, version := range []string{"..v2", "..v3"} {
		command := fmt.Sprintf("new%d", i)
		write(t, root, version+"/web.yaml", text(command))
		write(t, root, version+"/db.yaml", "name: db")

		swapLink(t, version, filepath.Join(root, "..data"))

		set := eventually(t, s, command, commandIs(command))
		if !has("db")(set) {
			t.Errorf("%s: db is gone", version)
		}
	}
}

func TestLinkSwapOfRootAndOfAFolderIsFollowed(t *testing.T) {
	base := t.TempDir()
	for _, version := range []string{"1", "2"} {
		write(t, base, "trees/"+version+"/manifests/web.yaml", text("v"+version))
		write(t, base, "folders/"+version+"/x.yaml", "name: x"+version)
		swapLink(t, filepath.Join(base, "folders/1"), filepath.Join(base, "trees", version, "manifests/linked"))
	}
	swapLink(t, "trees/1", filepath.Join(base, "current"))
	s := start(t, Options{Root: filepath.Join(base, "current/manifests")})
	eventually(t, s, "version 1", func(set *Set) bool { return commandIs("v1")(set) && has("linked/x1")(set) })

	swapLink(t, "trees/2", filepath.Join(base, "current"))
	eventually(t, s, "version 2", commandIs("v2"))
	swapLink(t, filepath.Join(base, "folders/2"), filepath.Join(base, "trees/2/manifests/linked"))

	eventually(t, s, "the other folder", func(set *Set) bool { return has("linked/x2")(set) && !has("linked/x1")(set) && has("web")(set) })
}

func TestLinkToOneFileIsFollowedWhereItLeads(t *testing.T) {
	base := t.TempDir()
	write(t, base, "elsewhere/w.txt", text("old"))
	root := filepath.Join(base, "root")
	write(t, root, "other.yaml", "name: other")
	swapLink(t, "../elsewhere/w.txt", filepath.Join(root, "web.yaml"))
	s := start(t, Options{Root: root})
	eventually(t, s, "the old command", commandIs("old"))

	putInPlace(t, base, "elsewhere/w.txt", text("new"))

	eventually(t, s, "the new command", commandIs("new"))
}

func TestRootThatComesAndGoes(t *testing.T) {
	base := t.TempDir()
	root := filepath.Join(base, "deep", "manifests")
	s := start(t, Options{Root: root})
	eventually(t, s, "a stall", func(set *Set) bool { return set.Complete && len(set.Stalls) == 1 })

	write(t, root, "web.yaml", text("old"))
	write(t, root, "db.yaml", "name: db")
	eventually(t, s, "both children", func(set *Set) bool { return has("web")(set) && has("db")(set) && len(set.Stalls) == 0 })

	if err := os.RemoveAll(filepath.Join(base, "deep")); err != nil {
		t.Fatal(err)
	}
	set := eventually(t, s, "a stall", func(set *Set) bool { return len(set.Stalls) == 1 })
	if set.Stalls[0].Reason != StallEmptySource || !has("web")(set) || !has("db")(set) {
		t.Errorf("stalls %v, entries %v; want EmptySource and both children", set.Stalls, ids(set))
	}

	write(t, root, "web.yaml", text("new"))
	write(t, root, "db.yaml", "name: db")
	set = eventually(t, s, "the new command", commandIs("new"))
	if !has("db")(set) {
		t.Errorf("entries %v, want db as well", ids(set))
	}

	rename(t, root, filepath.Join(base, "deep", "away"))
	eventually(t, s, "a stall", func(set *Set) bool { return len(set.Stalls) == 1 })
	rename(t, filepath.Join(base, "deep", "away"), root)
	eventually(t, s, "no stall", func(set *Set) bool { return len(set.Stalls) == 0 && has("web")(set) && has("db")(set) })
	putInPlace(t, root, "web.yaml", text("newer"))
	eventually(t, s, "the newer command", commandIs("newer"))
}

func TestFilesInFreshFoldersAreSeen(t *testing.T) {
	root := t.TempDir()
	s := start(t, Options{Root: root})
	eventually(t, s, "the first look", func(set *Set) bool { return set.Complete })
	for i := range 20 {
		write(t, root, fmt.Sprintf("a%d/b/c/web.yaml", i), "name: web")
	}

	eventually(t, s, "20 children in fresh folders", func(set *Set) bool { return len(leaves(set)) == 20 })
	if err := os.RemoveAll(filepath.Join(root, "a3")); err != nil {
		t.Fatal(err)
	}
	eventually(t, s, "19 children", func(set *Set) bool { return len(leaves(set)) == 19 })
}

func TestRemovedFileRemovesItsChildAndARenameDoesNot(t *testing.T) {
	root := t.TempDir()
	write(t, root, "web.yaml", text("old"))
	write(t, root, "db.yaml", "name: db")
	s := start(t, Options{Root: root})
	eventually(t, s, "both", func(set *Set) bool { return has("web")(set) && has("db")(set) })

	rename(t, filepath.Join(root, "web.yaml"), filepath.Join(root, "site.yaml"))
	set := eventually(t, s, "the new file", func(set *Set) bool {
		e, ok := set.Get("web")
		return !ok || e.Origin.File == "site.yaml"
	})
	if e, _ := set.Get("web"); e.Origin.Generation != 1 {
		t.Errorf("generation %d, want 1: a rename changes nothing", e.Origin.Generation)
	}
	os.Remove(filepath.Join(root, "site.yaml"))

	eventually(t, s, "the end of web", func(set *Set) bool { return !has("web")(set) && has("db")(set) })
}

func TestLookWaitsForNothing(t *testing.T) {
	root := t.TempDir()
	write(t, root, "web.yaml", text("new"))
	write(t, root, "bad.yaml", "name: [")

	set, err := Look(Options{Root: root})

	if err != nil || !commandIs("new")(set) || len(set.Problems) != 1 || !set.Complete {
		t.Errorf("Look = %+v, %v; want web and one problem", set, err)
	}
	if _, err := Look(Options{}); err == nil {
		t.Error("Look of no directory succeeded")
	}
}
