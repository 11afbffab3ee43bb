package machine

import (
	"fmt"
	"strings"
	"testing"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

func TestHooksThatWaitKeepNobodyFromStarting(t *testing.T) {
	w := newWorld(t, "slots 2", "connect")
	for _, id := range []string{"a", "b", "c", "d"} { // each waits for db
		w.do("add "+id+" hooks=pre_start:1", "hook "+id+" started")
	}

	w.do("add db")

	if got := w.effects(); got != "start db#5.0" {
		t.Errorf("while four hooks wait: %q, want the start of db", got)
	}
}

func TestStartAfterItsHooksTakesItsTurn(t *testing.T) {
	w := newWorld(t, "slots 1", "connect", "add a hooks=pre_start:1", "hook a started", "add b")

	w.do("hook a 0")
	if got := w.effects(); got != "acknowledge a#1.0:pre_start.1" {
		t.Errorf("while b starts: %q", got)
	}
	w.do("started b")

	if got := w.effects(); got != "start a#1.0" {
		t.Errorf("once b has started: %q, want the start of a", got)
	}
}

func TestHooksOfAShutdownStartAFewAtATime(t *testing.T) {
	w := newWorld(t, "slots 2", "connect")
	for i := range 6 {
		id := fmt.Sprint("c", i)
		w.do("add "+id+" hooks=pre_stop:1", "started "+id)
	}

	w.do("shutdown")
	if got := strings.Count(w.effects(), "start"); got != 2 {
		t.Errorf("%d hooks are asked for at once, want 2: %s", got, w.effects())
	}
	w.do("hook c0 started")

	if got := w.effects(); got != "start c2#3.0:pre_stop.1" {
		t.Errorf("once one has started: %q, want the next", got)
	}
}

func TestGraceBeginsWhenTheTurnOfTheHookComes(t *testing.T) {
	w := newWorld(t, "slots 1", "connect")
	for _, id := range []string{"a", "b"} {
		w.do("add "+id+" hooks=pre_stop:1", "started "+id)
	}
	w.do("pause a", "pause b", "advance 4s")

	w.do("hook a started") // the turn of b
	w.do("advance 4s")

	if got := w.effects(); strings.Contains(got, "SIGKILL to the tree of b") {
		t.Errorf("b had no grace of its own: %s", got)
	}
	w.do("advance 1s")
	if got := w.effects(); !strings.Contains(got, "SIGKILL to the tree of b#2.0:pre_stop.1") {
		t.Errorf("the hook of b has no end: %q", got)
	}
}

func TestHookWhoseTurnDoesNotComeIsNotAwaitedForEver(t *testing.T) {
	w := newWorld(t, "slots 1", "connect", "add a hooks=post_start:1 timeout=2h", "started a", "add b hooks=pre_start:1")

	w.do("advance 1m")

	s := w.snapshot("b")
	if s.LastExit == nil || !strings.Contains(s.LastExit.Reason, "its turn to start did not come within 1m0s") {
		t.Errorf("last exit %+v does not say that its turn did not come", s.LastExit)
	}
}

func TestHookThatWasTakenOutOfTheManifestIsEnded(t *testing.T) {
	tests := map[string]struct{ before, hooks, next string }{
		"the only one before a start": {"add a hooks=pre_start:1", "", "start a#1.0"},
		"the first of two":            {"add a hooks=pre_start:2", "hooks=pre_start:2-", "start a#1.0:pre_start.2"},
		"after a start":               {"add a hooks=post_start:1", "", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "connect", tt.before)
			if strings.Contains(tt.before, "post_start") {
				w.do("started a")
			}
			w.do("hook a started")
			spec := *w.specs["a"]
			spec.Hooks = nil
			if tt.hooks != "" {
				h := *w.specs["a"].Hooks
				h.PreStart = h.PreStart[1:]
				spec.Hooks = &h
			}

			w.last = Ready{}
			w.step(Command{ID: "edit", Verb: Update, Child: "a", Spec: &spec, Origin: child.Origin{Generation: 2}, Cause: child.Cause{RequestedBy: "manifest", Reason: "it changed"}})

			if got := w.effects(); !strings.Contains(got, "SIGKILL to the tree of a#1.0:") {
				t.Fatalf("the hook is not ended: %q", got)
			}
			w.do("hook a SIGKILL")
			if got := w.effects(); !strings.Contains(got, tt.next) {
				t.Errorf("then %q, want %q", got, tt.next)
			}
			if s := w.snapshot("a"); s.LastExit != nil {
				t.Errorf("it is held against the child: %+v", s.LastExit)
			}
		})
	}
}
