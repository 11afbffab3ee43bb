package machine

import (
	"strings"
	"testing"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// sees tells the tree what is in the files of a child: path and hash in turn.
func (w *world) sees(id string, pathsAndHashes ...string) Ready {
	ev := FilesSeen{Key: w.key(id), Files: []child.FileHash{}}
	for i := 0; i < len(pathsAndHashes); i += 2 {
		ev.Files = append(ev.Files, child.FileHash{Path: pathsAndHashes[i], Hash: pathsAndHashes[i+1]})
	}
	w.last = Ready{}
	w.step(ev)
	return w.last
}

// reloading is a child that knows /conf as 1 and /env as 1.
func reloading(t *testing.T, signal string) *world {
	w := newWorld(t, "connect")
	spec := testSpec()
	spec.Reload, spec.EnvFiles = &child.Reload{Files: []string{"/conf"}, Signal: signal}, []string{"/env"}
	w.step(Command{ID: "cmd-0", Verb: Add, Child: "a", Spec: spec, Cause: child.Cause{RequestedBy: "test", Reason: "test"}})
	w.sees("a", "/conf", "1", "/env", "1")
	w.do("started a", "crash", "adopt a") // what it knows survives the brain
	return w
}

func TestChangedFileIsToldBySignalOnce(t *testing.T) {
	w := reloading(t, "SIGHUP")

	w.sees("a", "/conf", "2", "/env", "1")
	first := w.effects()
	w.sees("a", "/conf", "2", "/env", "1")

	if first != "SIGHUP to a#1.0" || w.effects() != "" {
		t.Errorf("at the change: %q, at the next look: %q", first, w.effects())
	}
}

func TestChangedFileWithoutASignalAndChangedEnvironmentAreARestart(t *testing.T) {
	for name, tt := range map[string]struct{ signal, conf, env string }{
		"no signal":            {"", "2", "1"},
		"an env file":          {"SIGHUP", "1", "2"},
		"an env file and conf": {"SIGHUP", "2", "2"},
	} {
		t.Run(name, func(t *testing.T) {
			w := reloading(t, tt.signal)

			w.sees("a", "/conf", tt.conf, "/env", tt.env)

			if s := w.snapshot("a"); s.PendingRestart == nil || !strings.HasPrefix(s.PendingRestart.Cause.Reason, "reload: /") {
				t.Errorf("%s, pending restart %+v", s.Phase, s.PendingRestart)
			}
		})
	}
}

func TestFileThatIsAwayChangesNothing(t *testing.T) {
	w := reloading(t, "SIGHUP")

	w.sees("a", "/conf", "", "/env", "")
	away := w.effects()
	w.sees("a", "/conf", "1", "/env", "1")

	if away != "" || w.effects() != "" {
		t.Errorf("while it is away: %q, when it is back: %q", away, w.effects())
	}
}

func TestEndSoonAfterAReloadIsToldAsSuch(t *testing.T) {
	w := reloading(t, "SIGHUP")
	w.sees("a", "/conf", "2", "/env", "1")
	w.do("advance 3s")

	w.do("exit a 1")

	s := w.snapshot("a")
	if want := "exit code 1; 3s after a reload (/conf changed)"; s.LastExit.Reason != want {
		t.Errorf("reason %q, want %q", s.LastExit.Reason, want)
	}
	if c := find(s.Conditions, child.ConditionReloadFailed); c == nil || c.Message != "it ended 3s after a reload (/conf changed)" {
		t.Errorf("condition %+v", c)
	}
	w.do("update a grace=7s") // a new manifest
	if c := find(w.snapshot("a").Conditions, child.ConditionReloadFailed); c != nil {
		t.Errorf("condition %+v after a new manifest", c)
	}
}

func TestEndLongAfterAReloadIsNotBlamedOnIt(t *testing.T) {
	w := reloading(t, "SIGHUP")
	w.sees("a", "/conf", "2", "/env", "1")

	w.do("advance 31s", "exit a 1")

	if s := w.snapshot("a"); s.LastExit.Reason != "exit code 1" || find(s.Conditions, child.ConditionReloadFailed) != nil {
		t.Errorf("reason %q, conditions %+v", s.LastExit.Reason, s.Conditions)
	}
}

func TestPathThatIsAddedOrTakenAwayIsNoChange(t *testing.T) {
	w := reloading(t, "")

	w.sees("a", "/conf", "1", "/env", "1", "/more", "7")
	added := w.effects()
	w.sees("a", "/env", "1")
	w.sees("a", "/conf", "2", "/env", "1", "/more", "8")
	back := w.effects()
	w.sees("a", "/conf", "3", "/env", "1", "/more", "8")

	if added != "" || back != "" || w.snapshot("a").PendingRestart == nil {
		t.Errorf("added: %q, taken away and back: %q, then changed: %+v; want a restart for the last alone", added, back, w.snapshot("a").PendingRestart)
	}
}

func TestFileThatAppearsIsAChangeAndOneThatIsAwayIsNone(t *testing.T) {
	w := newWorld(t, "connect")
	spec := testSpec()
	spec.Reload = &child.Reload{Files: []string{"/conf", "/dir"}, Signal: "SIGHUP"}
	w.step(Command{ID: "cmd-0", Verb: Add, Child: "a", Spec: spec, Cause: child.Cause{RequestedBy: "test", Reason: "test"}})
	w.sees("a", "/conf", child.Absent, "/dir", child.Absent)
	w.do("started a")

	w.sees("a", "/conf", child.Absent, "/dir", child.Absent)
	none := w.effects()
	w.sees("a", "/conf", "1", "/dir", child.Absent)
	one := w.effects()
	w.sees("a", "/conf", child.Absent, "/dir", child.OfMany("1"))
	folder := w.effects()
	w.sees("a", "/conf", "1", "/dir", child.OfMany("1"))

	if none != "" || one != "SIGHUP to a#1.0" || folder != "SIGHUP to a#1.0" || w.effects() != "" {
		t.Errorf("absent: %q, the file: %q, the folder: %q, the file again as it was: %q", none, one, folder, w.effects())
	}
}

// An earlier version could not read a folder, and recorded that as nothing.
func TestUpgradeTellsNobodyOfAFolderThatCanBeReadNow(t *testing.T) {
	w := newWorld(t, "connect")
	spec := testSpec()
	spec.Reload = &child.Reload{Files: []string{"/dir"}}
	w.step(Command{ID: "cmd-0", Verb: Add, Child: "a", Spec: spec, Cause: child.Cause{RequestedBy: "test", Reason: "test"}})
	w.sees("a", "/dir", "")
	w.do("started a", "crash", "adopt a")

	w.sees("a", "/dir", child.OfMany("1"))
	upgraded := w.snapshot("a").PendingRestart
	w.sees("a", "/dir", child.OfMany("2"))

	if upgraded != nil || w.snapshot("a").PendingRestart == nil {
		t.Errorf("at the upgrade: %+v, at a change: %+v; want a restart for the change alone", upgraded, w.snapshot("a").PendingRestart)
	}
}

func TestFilesThatAreNotReadAreACondition(t *testing.T) {
	w := reloading(t, "SIGHUP")
	busy := FilesSeen{Key: w.key("a"), Files: []child.FileHash{{Path: "/conf", Trouble: "is being written"}, {Path: "/env", Hash: "1"}}}

	w.step(busy)
	held := find(w.snapshot("a").Conditions, child.ConditionFilesRead)
	w.sees("a", "/conf", "1", "/env", "1")

	if held == nil || held.Status != "False" || held.Message != "/conf is being written" {
		t.Errorf("condition %+v; want what is not read", held)
	}
	if c := find(w.snapshot("a").Conditions, child.ConditionFilesRead); c != nil {
		t.Errorf("condition %+v when all is read", c)
	}
}
