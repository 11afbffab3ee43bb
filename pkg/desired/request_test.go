package desired

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// asked are requests by id, each with its body.
func asked(t *testing.T, bodies map[child.ID]string) (all []Request) {
	t.Helper()
	for id, body := range bodies {
		r, problems := NewRequest(id, false, []byte(body))
		if len(problems) > 0 {
			t.Fatalf("the request for %s: %v", id, problems)
		}
		all = append(all, r)
	}
	return all
}

// refusalOf is why a request would not be in force.
func refusalOf(t *testing.T, last *Set, seen Scan, p Policy, id child.ID, body string) string {
	t.Helper()
	got := tryRequest(last, seen, p, asked(t, map[child.ID]string{id: body})[0])
	if len(got.problems) == 0 {
		return ""
	}
	return got.problems[0].Reason
}

func TestARequestObeysTheRulesOfAFile(t *testing.T) {
	seen := seenOf(map[string]string{"web.yaml": "name: web\ndependencies: [extra]", "u/x.yaml": "name: x"})
	p := Policy{Requests: asked(t, map[child.ID]string{"a": "name: a\ndependencies: [b]", "extra": "name: extra"})}
	last := Merge(nil, seen, p)

	for id, row := range map[child.ID]struct{ body, refusal string }{
		"b":     {"name: b\ndependencies: [a]", "the dependencies form a circle: a → b → a"},
		"c":     {"name: c\ndependencies: [a]", ""},
		"extra": {"name: extra\ndependencies: [web]", "the dependencies form a circle: extra → web → extra"},
		"u":     {"name: u", "stands beside"},
		"U":     {"name: U", "must differ by more than case"},
		"web":   {"name: web\ncommand: [other]", "it would not be in force"},
		"root":  {"name: root", "reserved"},
	} {
		if got := refusalOf(t, last, seen, p, id, row.body); (got == "") != (row.refusal == "") || !strings.Contains(got, row.refusal) {
			t.Errorf("%s: %q is refused with %q, want %q", id, row.body, got, row.refusal)
		}
	}
	for _, bad := range texts(last) {
		if strings.Contains(bad, "extra is declared nowhere") {
			t.Errorf("a file that depends on a request: %s", bad)
		}
	}
}

func TestAFolderBesideARequestedChildDoesNotReplaceIt(t *testing.T) {
	p := Policy{Requests: asked(t, map[child.ID]string{"u": "name: u"})}
	last := Merge(nil, seenOf(map[string]string{"web.yaml": "name: web"}), p)

	got := Merge(last, seenOf(map[string]string{"web.yaml": "name: web", "u/x.yaml": "name: x"}), p)

	if diff := cmp.Diff([]child.ID{"u", "web"}, leaves(got)); diff != "" {
		t.Errorf("children (-want +got):\n%s", diff)
	}
	if e, _ := got.Get("u"); e.Spec.Kind == child.Supervisor || !e.Origin.ByRequest || len(e.Problems) == 0 {
		t.Errorf("u = %+v, want the requested child, with the problem", e)
	}
	if !strings.Contains(strings.Join(texts(got), "\n"), `the folder "u" stands beside the child "u"`) {
		t.Errorf("problems = %v, want that of the folder", texts(got))
	}
}

func TestARequestFollowsTheDefaultsOfItsFolder(t *testing.T) {
	files := func(grace string) Scan {
		return seenOf(map[string]string{"f/f.yaml": "name: f\nkind: supervisor\ndefaults: {shutdown: {graceful_timeout_secs: " + grace + "}}", "f/x.yaml": "name: x"})
	}
	p := Policy{Requests: asked(t, map[child.ID]string{"f/extra": "name: extra"})}
	last := Merge(nil, files("7"), p)

	got := Merge(last, files("8"), p)

	before, _ := last.Get("f/extra")
	after, _ := got.Get("f/extra")
	if before.Spec.Shutdown.GracefulTimeout.Duration() != 7*time.Second || after.Spec.Shutdown.GracefulTimeout.Duration() != 8*time.Second {
		t.Errorf("grace %v, then %v; want that of the folder", before.Spec.Shutdown.GracefulTimeout, after.Spec.Shutdown.GracefulTimeout)
	}
	if before.Origin.Generation != 1 || after.Origin.Generation != 2 || !after.Origin.ByRequest || after.Origin.File != "" {
		t.Errorf("origin %+v, then %+v", before.Origin, after.Origin)
	}
	if same := Merge(got, files("8"), p); !sameSet(got, same) {
		t.Error("a look at the same changes something")
	}
}

func TestARequestWhoseFolderIsGoneStaysInTheTree(t *testing.T) {
	p := Policy{Requests: asked(t, map[child.ID]string{"f/g/extra": "name: extra"})}
	last := Merge(nil, seenOf(map[string]string{"web.yaml": "name: web", "f/g/x.yaml": "name: x"}), p)

	got := Merge(last, seenOf(map[string]string{"web.yaml": "name: web"}), p)

	if diff := cmp.Diff([]child.ID{"f", "f/g", "f/g/extra", "root", "web"}, ids(got)); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
}

func TestARequestDoesNotMakeAnEmptyLookAFullOne(t *testing.T) {
	p := Policy{Requests: asked(t, map[child.ID]string{"extra": "name: extra"})}
	last := Merge(nil, seenOf(map[string]string{"a.yaml": "name: a", "b.yaml": "name: b"}), p)

	got := Merge(last, seenOf(nil), p)

	if diff := cmp.Diff([]child.ID{"a", "b", "extra"}, leaves(got)); diff != "" || len(got.Stalls) != 1 || got.Stalls[0].Reason != StallEmptySource {
		t.Errorf("children (-want +got):\n%s\nstalls: %+v", diff, got.Stalls)
	}
}

func TestAFileWinsAgainstARequest(t *testing.T) {
	p := Policy{Requests: asked(t, map[child.ID]string{"extra": "name: extra\ncommand: [mine]"})}
	last := Merge(nil, seenOf(map[string]string{"web.yaml": "name: web"}), p)

	got := Merge(last, seenOf(map[string]string{"web.yaml": "name: web", "e.yaml": "name: extra\ncommand: [theirs]"}), p)

	if e, _ := got.Get("extra"); e.Origin.ByRequest || e.Origin.File != "e.yaml" || e.Spec.Command[0] != "theirs" || len(got.Problems) > 0 {
		t.Errorf("extra = %+v, problems %v; want what the file says", e, texts(got))
	}
	if diff := cmp.Diff([]child.ID{"extra"}, got.takenOver(p.Requests)); diff != "" {
		t.Errorf("taken over (-want +got):\n%s", diff)
	}
	if ids := last.takenOver(p.Requests); len(ids) > 0 {
		t.Errorf("taken over before there was a file: %v", ids)
	}
}

func TestARequestThatIsTakenBackGoesAtOnceWhateverTheDirectory(t *testing.T) {
	files := seenOf(map[string]string{"web.yaml": "name: web"})
	last := Merge(nil, files, Policy{Requests: asked(t, map[child.ID]string{"extra": "name: extra"})})

	for name, seen := range map[string]Scan{"as it was": files, "gone": {missing: true}} {
		got := Merge(last, seen, Policy{Now: time.Now(), Timing: DefaultTiming()})

		if diff := cmp.Diff([]child.ID{"web"}, leaves(got)); diff != "" {
			t.Errorf("the directory is %s: children (-want +got):\n%s", name, diff)
		}
		if name == "as it was" && len(got.Stalls) > 0 {
			t.Errorf("somebody is asked: %+v", got.Stalls)
		}
	}
}

func TestARequestWhoseBodyIsNotKnownOrBrokenStaysAsItIs(t *testing.T) {
	seen := seenOf(map[string]string{"web.yaml": "name: web\ndependencies: [old, bad]"})
	of := Merge(nil, seen, Policy{Requests: asked(t, map[child.ID]string{"old": "name: old", "bad": "name: bad"})})
	last := &Set{Entries: of.Entries} // as the runtime holds it
	bad, problems := NewRequest("bad", false, []byte("name: bad\nno_such_field: 1"))
	if len(problems) == 0 {
		t.Fatal("the body of the test is valid")
	}

	got := Merge(last, seen, Policy{Requests: []Request{bad, {ID: "old"}}})

	if diff := cmp.Diff([]child.ID{"bad", "old", "web"}, leaves(got)); diff != "" {
		t.Errorf("children (-want +got):\n%s", diff)
	}
	for _, id := range []child.ID{"bad", "old"} {
		before, _ := last.Get(id)
		if after, _ := got.Get(id); after.Spec != before.Spec || after.Origin != before.Origin || (len(after.Problems) > 0) != (id == "bad") {
			t.Errorf("%s = %+v, want what was in force", id, after)
		}
	}
}

func TestASourceMergesWhatIsRequestedAndSaysWhatAFileTakesOver(t *testing.T) {
	root := t.TempDir()
	write(t, root, "web.yaml", "name: web\ndependencies: [extra]")
	var requests atomic.Pointer[[]Request]
	requests.Store(&[]Request{})
	taken := make(chan []child.ID, 8)
	s := start(t, Options{Root: root, AnyOwner: true, Requests: func() []Request { return *requests.Load() }, TakenOver: func(ids []child.ID) { taken <- ids }})
	eventually(t, s, "the first look", func(set *Set) bool { return set.Complete })
	r := asked(t, map[child.ID]string{"extra": "name: extra"})[0]

	entry, problems, err := s.Try(t.Context(), r)
	if err != nil || len(problems) > 0 || !entry.Origin.ByRequest {
		t.Fatalf("Try = %+v, %v, %v", entry, problems, err)
	}
	if _, ok := s.Current().Get("extra"); ok {
		t.Error("Try puts it in force")
	}
	requests.Store(&[]Request{r})
	if err := s.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, ok := s.Current().Get("extra"); !ok || len(s.Current().Problems) > 0 {
		t.Errorf("after Refresh: ids %v, problems %v", ids(s.Current()), texts(s.Current()))
	}

	write(t, root, "e.yaml", "name: extra")
	if diff := cmp.Diff([]child.ID{"extra"}, <-taken); diff != "" {
		t.Errorf("taken over (-want +got):\n%s", diff)
	}
}
