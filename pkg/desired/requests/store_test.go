package requests

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reconciler-dev/reconciler/pkg/desired"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func request(t *testing.T, id child.ID, body string) desired.Request {
	t.Helper()
	r, problems := desired.NewRequest(id, false, []byte(body))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return r
}

// bodies are what a store holds, by id.
func bodies(s *Store) map[child.ID]string {
	all := map[child.ID]string{}
	for _, r := range s.All() {
		all[r.ID] = string(r.Body)
	}
	return all
}

func TestBodiesOutliveTheirStore(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "requests")
	long := child.ID(strings.Repeat(strings.Repeat("x", 60)+"/", 8) + "web")
	s, err := Open(dir, nil)
	must(t, err)
	for id, body := range map[child.ID]string{"web": "name: web # as it was sent\n", long: "name: web\n", "gone": "name: gone\n", "undone": "name: undone\n"} {
		must(t, s.Write(request(t, id, body)))
		if id != "undone" {
			s.Show(request(t, id, body))
		}
	}
	must(t, s.Write(request(t, "web", "name: web # refused\n")))
	must(t, s.Undo("web"))
	must(t, s.Undo("undone"))
	must(t, s.Delete("gone"))
	must(t, s.Delete("never"))
	want := map[child.ID]string{"web": "name: web # as it was sent\n", long: "name: web\n"}

	again, err := Open(dir, nil)

	must(t, err)
	for name, store := range map[string]*Store{"the store": s, "the next one": again} {
		if diff := cmp.Diff(want, bodies(store)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestChildrenThatAnEarlierVersionPutAreTakenOver(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "requests")
	s, err := Open(dir, []child.ID{"old", "new"})
	must(t, err)
	r := request(t, "new", "name: new\n")
	must(t, s.Write(r))
	s.Show(r)

	if diff := cmp.Diff(map[child.ID]string{"old": "", "new": "name: new\n"}, bodies(s)); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	must(t, s.Undo("old"))
	must(t, s.Delete("old"))
	if _, there := s.Get("old"); there {
		t.Error("one without a body cannot be deleted")
	}
}

func TestAFileThatCannotBeReadCostsItselfOnly(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "requests")
	s, err := Open(dir, nil)
	must(t, err)
	must(t, s.Write(request(t, "web", "name: web\n")))
	for name, text := range map[string]string{
		"cut.json": `{"version":1,"child_id":"a","bo`, "newer.json": `{"version":2,"child_id":"a","body":"name: a"}`,
		"id.json": `{"version":1,"child_id":"../a","body":"name: a"}`, "empty.json": "", "left.json.next": "half",
	} {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	must(t, os.Symlink("/etc/passwd", filepath.Join(dir, "link.json")))

	again, err := Open(dir, []child.ID{"a"})

	if again == nil || err == nil {
		t.Fatalf("Open = %v, %v; want a store, and what is wrong", again, err)
	}
	for _, name := range []string{"cut.json", "newer.json", "id.json", "empty.json", "link.json"} {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("the error does not name %s: %v", name, err)
		}
	}
	if diff := cmp.Diff(map[child.ID]string{"web": "name: web\n", "a": ""}, bodies(again)); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	if !slices.IsSortedFunc(again.All(), func(a, b desired.Request) int { return strings.Compare(string(a.ID), string(b.ID)) }) {
		t.Errorf("they are not sorted: %v", again.All())
	}
}
