package machine

import (
	"strings"
	"testing"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

func TestWhatIsRemovedTogetherStopsDependantsFirst(t *testing.T) {
	tests := map[string]struct {
		web   string   // how the dependant is declared
		after []string // what ends it
	}{
		"a dependant":                   {"add web deps=db", []string{"exit web SIGTERM"}},
		"a dependant with a hook after": {"add web deps=db hooks=post_stop:1", []string{"exit web SIGTERM", "hook web 0"}},
		"one that cannot be killed":     {"add web deps=db", []string{"advance 6s"}},
		"after a crash":                 {"add web deps=db", []string{"crash", "adopt web db", "exit web SIGTERM"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "connect", "add db", "started db", tt.web, "started web", "remove web")

			w.do("remove db")

			if got := w.effects(); got != "" {
				t.Errorf("while web runs: %q", got)
			}
			if got := strings.Join(w.snapshot("db").WaitsFor, ", "); got != "the end of web" {
				t.Errorf("db waits for %q, want the end of web", got)
			}
			for i, line := range tt.after {
				w.do(line)
				if told := strings.Contains(w.effects(), "SIGTERM to the tree of db"); told != (i == len(tt.after)-1) {
					t.Errorf("after %q: %q", line, w.effects())
				}
			}
		})
	}
}

func TestRemovalOfACircleEnds(t *testing.T) {
	w := newWorld(t, "connect", "add a", "started a", "add b deps=a", "started b", "update a deps=b",
		"add c deps=a", "started c", "remove c", "remove a", "remove b")

	w.do("exit c 0")

	a, b := w.snapshot("a"), w.snapshot("b")
	if a.Phase != child.Stopping && b.Phase != child.Stopping {
		t.Errorf("a waits for %v and b for %v, and neither is stopped", a.WaitsFor, b.WaitsFor)
	}
}
