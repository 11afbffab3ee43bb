package desired

import (
	"context"
	"os"
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

func TestSmoke(t *testing.T) {
	root := t.TempDir()
	write(t, root, "web.yaml", "name: web\ncommand: [a]\n")
	s := start(t, Options{Root: root})
	eventually(t, s, "web", has("web"))
	write(t, root, ".x", "name: two\ncommand: [a]\n")
	began := time.Now()
	os.Rename(filepath.Join(root, ".x"), filepath.Join(root, "two.yaml"))
	eventually(t, s, "two", has("two"))
	t.Log(time.Since(began))
	began = time.Now()
	write(t, root, "p/three.yaml", "name: three\ncommand: [a]\n")
	eventually(t, s, "three", has("p/three"))
	t.Log(time.Since(began))
	began = time.Now()
	os.Remove(filepath.Join(root, "p/three.yaml"))
	eventually(t, s, "gone", func(s *Set) bool { return !has("p/three")(s) })
	t.Log(time.Since(began), ids(s.Current()))
}
