package machine

import (
	"slices"
	"strings"
	"testing"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

func TestARestartOfAFolderRestartsWhatIsInItTogether(t *testing.T) {
	w := newWorld(t, "connect", "add x", "started x", "add f supervisor", "add f/a", "started f/a", "add f/b deps=f/a", "started f/b",
		"add f/held", "started f/held", "pause f/held", "exit f/held 0", "add f/job policy=transient", "started f/job", "exit f/job 0",
		"add f/sick", "started f/sick", "exit f/sick 1")

	r := w.do("restart f")

	if r.Replies[0].Decision != QueuedAfterStop || w.effects() != "SIGTERM to the tree of f/b#4.0" {
		t.Errorf("answered %s, effects: %s; want the dependant stopped first", w.answer(), w.effects())
	}
	if again := w.do("restart f"); again.Replies[0].Decision != AlreadyPending {
		t.Errorf("the second restart is answered %s", w.answer())
	}
	w.do("exit f/b 0")
	w.do("exit f/a 0")
	if got := w.effects(); !strings.Contains(got, "start f/a#3.1") || !strings.Contains(got, "start f/sick#7.1") {
		t.Errorf("when all are gone: %s; want a started, and the sick one without its rest", got)
	}
	w.do("started f/a")
	for id, want := range map[child.ID]child.Phase{"x": child.Running, "f/b": child.Starting, "f/held": child.Stopped, "f/job": child.Completed} {
		if s := w.snapshot(id); s.Phase != want {
			t.Errorf("%s is %s, want %s", id, s.Phase, want)
		}
	}
}

func TestARestartEndsTheRestOfAFolderThatFailed(t *testing.T) {
	w := newWorld(t, "connect", "add root supervisor", "add f supervisor limit=0/60s backoff=10s..10s", "add f/a", "started f/a", "exit f/a 1")
	if s := w.snapshot("f"); s.Phase != child.BackingOff {
		t.Fatalf("f is %s, want it resting", s.Phase)
	}

	r := w.do("restart f")

	if r.Replies[0].Decision != StartedImmediately || !strings.Contains(w.effects(), "start f/a#3.1") || w.snapshot("f").Phase != child.Running {
		t.Errorf("answered %s, effects %s, f is %s", w.answer(), w.effects(), w.snapshot("f").Phase)
	}
	if kinds := story(r.Facts, string(r.Replies[0].To)); !slices.Contains(kinds, ChildStarting) {
		t.Errorf("the start is no part of the command's story: %v", kinds)
	}
}
