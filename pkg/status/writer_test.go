package status

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/google/go-cmp/cmp"

	"github.com/reconciler-dev/reconciler/pkg/desired"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// inPhase is a child in a phase; n makes two of them differ.
func inPhase(id child.ID, p child.Phase, n uint64) *child.Snapshot {
	return &child.Snapshot{
		ID: id, Spec: &child.Spec{Kind: child.AsyncWorker}, Origin: child.Origin{File: string(id) + ".yaml", Document: 1, Generation: 1},
		Phase: p, Operation: child.Active, RestartCount: n, StopState: child.StopIdle,
	}
}

// fixture is a writer in a bubble of fake time, over a directory in memory.
type fixture struct {
	*board
	*memory
	w    *Writer
	logs []string
	end  func() error
}

// inWriter runs test beside a writer that has seen everything.
func inWriter(t *testing.T, prepare func(f *fixture), test func(t *testing.T, f *fixture)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := &fixture{board: newBoard(), memory: newMemory()}
		if prepare != nil {
			prepare(f)
		}
		o := f.options()
		o.Log = funcr.New(func(_, args string) { f.logs = append(f.logs, args) }, funcr.Options{})
		f.w = newWriter(f.memory, o)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- f.w.Run(ctx) }()
		f.end = func() error { cancel(); return <-ended }
		close(f.adopted)
		synctest.Wait()

		test(t, f)

		if f.end != nil {
			if err := f.end(); err != nil {
				t.Errorf("Run() = %v, want nil", err)
			}
		}
	})
}

func (f *fixture) wantNotes(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	if diff := cmp.Diff(want, f.taken()); diff != "" {
		t.Errorf("writes (-want +got):\n%s", diff)
	}
}

func (f *fixture) childFile(t *testing.T, id child.ID) Child {
	t.Helper()
	b, err := f.memory.Read(fileName(id))
	if err != nil {
		t.Fatalf("read %s: %v", id, err)
	}
	var c Child
	if err := json.Unmarshal(b, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func (f *fixture) runtimeFile(t *testing.T) Runtime {
	t.Helper()
	b, err := f.memory.Read(runtimeFile)
	if err != nil {
		t.Fatal(err)
	}
	var r Runtime
	if err := json.Unmarshal(b, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestABurstOfChangesIsOneWriteAndTheLastOneCounts(t *testing.T) {
	inWriter(t, nil, func(t *testing.T, f *fixture) {
		for n := range uint64(100) {
			f.put(inPhase("web", child.Pending, n))
			synctest.Wait()
		}
		f.wantNotes(t)

		time.Sleep(quiet)

		f.wantNotes(t, "100ms write web.json")
		if n := f.childFile(t, "web").RestartCount; n != 99 {
			t.Errorf("restart_count = %d, want the latest, 99", n)
		}
	})
}

func TestAChildThatChangesAllTheTimeIsWrittenTenTimesASecond(t *testing.T) {
	inWriter(t, nil, func(t *testing.T, f *fixture) {
		for n := range uint64(1000) {
			f.put(inPhase("web", child.BackingOff, n))
			time.Sleep(time.Millisecond)
		}

		if n := len(f.taken()); n < 9 || n > 11 {
			t.Errorf("writes = %d in a second, want 10", n)
		}
	})
}

func TestPhasesThatPeopleWaitForAreWrittenAtOnce(t *testing.T) {
	for _, p := range []child.Phase{child.Running, child.Completed, child.FailedPhase, child.Quarantined} {
		t.Run(string(p), func(t *testing.T) {
			inWriter(t, nil, func(t *testing.T, f *fixture) {
				f.put(inPhase("web", child.Starting, 0))
				synctest.Wait()
				time.Sleep(time.Millisecond)

				f.put(inPhase("web", p, 0))
				f.wantNotes(t, "1ms write web.json") // and none of Starting, a moment before

				f.put(inPhase("web", p, 1))
				f.wantNotes(t)
			})
		})
	}
}

func TestANewChildThatDoesNotRunYetIsWrittenAfterAWhile(t *testing.T) {
	inWriter(t, nil, func(t *testing.T, f *fixture) {
		f.put(inPhase("web", child.Pending, 0))
		synctest.Wait()
		time.Sleep(quiet / 2)
		f.put(inPhase("web", child.Starting, 0)) // does not put it off
		f.wantNotes(t)

		time.Sleep(quiet / 2)

		f.wantNotes(t, "100ms write web.json")
	})
}

func TestNothingIsWrittenWhenNothingChanged(t *testing.T) {
	inWriter(t, nil, func(t *testing.T, f *fixture) {
		f.put(inPhase("web", child.Running, 0))
		f.wantNotes(t, "0s write web.json")

		f.put(inPhase("web", child.Running, 0))
		time.Sleep(time.Hour)

		f.wantNotes(t)
	})
}

func TestARemovedChildsFileGoes(t *testing.T) {
	inWriter(t, nil, func(t *testing.T, f *fixture) {
		f.put(inPhase("web", child.Running, 0))
		f.wantNotes(t, "0s write web.json")

		f.gone("web")

		f.wantNotes(t, "0s remove web.json")
	})
}

func TestARestartOfTheWriterWritesOnlyWhatIsNew(t *testing.T) {
	before := inPhase("same", child.Running, 0)
	inWriter(t, func(f *fixture) {
		valid := validity(&desired.Entry{})
		valid.Since = noon
		e := desired.Entry{ID: before.ID, Spec: before.Spec, Origin: before.Origin}
		f.files["same.json"] = public(before, Declaration{Entry: &e, Valid: valid})
		f.files["old.json"] = public(inPhase("old", child.Running, 0), Declaration{Valid: valid})
		f.files["foreign.json"] = []byte(`{"schema_version":"v7"}`)
		f.put(before, inPhase("new", child.Running, 0))
	}, func(t *testing.T, f *fixture) {
		synctest.Wait()

		got := f.taken()

		if diff := cmp.Diff([]string{"0s remove old.json", "0s write new.json"}, slices.Sorted(slices.Values(got))); diff != "" {
			t.Errorf("writes (-want +got):\n%s", diff)
		}
		c := f.childFile(t, "same")
		if v, _ := c.Condition(child.ConditionManifestValid); !v.LastTransitionTime.Equal(noon) {
			t.Errorf("ManifestValid since %v, want that of the run before, %v", v.LastTransitionTime, noon)
		}
	})
}

func TestNoChildIsTouchedBeforeTheRuntimeKnowsWhatLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, m := newBoard(), newMemory()
		m.files["web.json"] = public(inPhase("web", child.Running, 0), Declaration{})
		w := newWriter(m, b.options())
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- w.Run(ctx) }()

		b.put(inPhase("other", child.Running, 0))
		time.Sleep(time.Hour)
		synctest.Wait()

		if notes := m.taken(); notes != nil {
			t.Errorf("writes = %v before the adoption, want none", notes)
		}
		close(b.adopted)
		synctest.Wait()
		if diff := cmp.Diff([]string{"1h0m0s remove web.json", "1h0m0s write other.json"}, slices.Sorted(slices.Values(m.taken()))); diff != "" {
			t.Errorf("writes after the adoption (-want +got):\n%s", diff)
		}
		cancel()
		<-ended
	})
}

func TestABrokenManifestIsShownAndItsMendingToo(t *testing.T) {
	inWriter(t, nil, func(t *testing.T, f *fixture) {
		web := inPhase("web", child.Running, 0)
		f.put(web)
		synctest.Wait()
		declare := func(problems ...desired.Problem) {
			time.Sleep(time.Second)
			f.board.mu.Lock()
			f.board.set = &desired.Set{Complete: true, Entries: []desired.Entry{{ID: "web", Spec: web.Spec, Origin: web.Origin, Problems: problems}}}
			f.board.mu.Unlock()
			f.w.Kick()
			synctest.Wait()
		}
		for _, tc := range []struct {
			problems       []desired.Problem
			status, reason string
			after          time.Duration
		}{
			{[]desired.Problem{{File: "web.yaml", Line: 1, Reason: "no"}}, isFalse, "Broken", time.Second},
			{[]desired.Problem{{File: "web.yaml", Line: 2, Reason: "still no"}}, isFalse, "Broken", time.Second},
			{nil, isTrue, "Valid", 3 * time.Second},
		} {
			declare(tc.problems...)

			c := f.childFile(t, "web")
			got, _ := c.Condition(child.ConditionManifestValid)
			if got.Status != tc.status || got.Reason != tc.reason {
				t.Errorf("ManifestValid = %+v for %v, want %s, %s", got, tc.problems, tc.status, tc.reason)
			}
			if since := got.LastTransitionTime.Sub(f.memory.begun); since != tc.after {
				t.Errorf("ManifestValid since %v, want %v", since, tc.after)
			}
		}
	})
}

func TestAFullDiskKeepsTheOldFilesIsLoggedOnceAndIsTriedAgain(t *testing.T) {
	inWriter(t, nil, func(t *testing.T, f *fixture) {
		f.put(inPhase("a", child.Pending, 0), inPhase("b", child.Pending, 0))
		time.Sleep(quiet)
		synctest.Wait()
		f.taken()
		f.memory.set(func(m *memory) { m.fail = syscall.ENOSPC; m.tries = 0 })

		f.put(inPhase("a", child.Running, 1), inPhase("b", child.Running, 1))
		time.Sleep(time.Minute)
		synctest.Wait()

		if p := f.childFile(t, "a").Phase; p != child.Pending {
			t.Errorf("phase in the file = %s, want the old one, Pending", p)
		}
		if f.tries < 10 || f.tries > 60 {
			t.Errorf("tries = %d in a minute for three files; want growing pauses", f.tries)
		}
		if n := len(f.logs); n != 1 {
			t.Errorf("log lines = %d, want 1: %s", n, strings.Join(f.logs, "\n"))
		}

		f.memory.set(func(m *memory) { m.fail = nil })
		time.Sleep(retryMax + time.Second)
		synctest.Wait()

		if p := f.childFile(t, "b").Phase; p != child.Running {
			t.Errorf("phase in the file = %s when there is room again, want Running", p)
		}
		if n := len(f.logs); n != 2 {
			t.Errorf("log lines = %d, want one more when all is well: %s", n, strings.Join(f.logs, "\n"))
		}
	})
}

func TestADiskThatStaysFullIsAnErrorOfTheLastLook(t *testing.T) {
	inWriter(t, nil, func(t *testing.T, f *fixture) {
		f.memory.set(func(m *memory) { m.fail = syscall.EROFS })

		err := f.end()

		if !errors.Is(err, syscall.EROFS) {
			t.Errorf("Run() = %v, want that the file system is read-only", err)
		}
		f.end = nil
	})
}

func TestOneFileThatCannotBeWrittenStopsNoOther(t *testing.T) {
	b := newBoard()
	w := newWriter(&oneBad{memory: newMemory(), bad: "bad.json"}, b.options())
	w.adopted = true
	b.put(inPhase("bad", child.Running, 0), inPhase("good", child.Running, 0))
	w.timer = time.NewTimer(time.Hour)

	w.turn(noon, false, false)

	if !w.files["good"].known || w.files["bad"].known {
		t.Errorf("good is written: %v, bad is written: %v; want true, false", w.files["good"].known, w.files["bad"].known)
	}
}

// oneBad is a directory in which one name cannot be written.
type oneBad struct {
	*memory
	bad string
}

func (o *oneBad) Replace(name string, b []byte) error {
	if name == o.bad {
		return syscall.EISDIR
	}
	return o.memory.Replace(name, b)
}

func TestTheRuntimeFileIsKeptFreshAndElseWrittenOnlyOnChange(t *testing.T) {
	inWriter(t, nil, func(t *testing.T, f *fixture) {
		time.Sleep(35 * time.Second)
		synctest.Wait()

		if diff := cmp.Diff([]time.Duration{0, 10 * time.Second, 20 * time.Second, 30 * time.Second}, f.beats); diff != "" {
			t.Errorf("writes (-want +got):\n%s", diff)
		}
		r := f.runtimeFile(t)
		if got := r.ValidUntil.Sub(r.ObservedAt); got != 30*time.Second {
			t.Errorf("valid for %v, want 30s", got)
		}
		if !r.Alive(time.Now()) || r.Alive(time.Now().Add(time.Minute)) {
			t.Errorf("alive now: %v, a minute from now: %v; want true, false", r.Alive(time.Now()), r.Alive(time.Now().Add(time.Minute)))
		}
	})
}

func TestTheRuntimeFileFollowsAKickAtOnceAndChildrenSoon(t *testing.T) {
	inWriter(t, nil, func(t *testing.T, f *fixture) {
		f.board.mu.Lock()
		f.board.info.State = ShuttingDown
		f.board.mu.Unlock()
		f.w.Kick()
		synctest.Wait()
		if s := f.runtimeFile(t).State; s != ShuttingDown {
			t.Errorf("state = %s right after a kick, want %s", s, ShuttingDown)
		}

		f.put(inPhase("web", child.Running, 0))
		time.Sleep(quiet)
		synctest.Wait()

		if n := f.runtimeFile(t).Children.ByPhase[child.Running]; n != 1 {
			t.Errorf("running children = %d, want 1", n)
		}
	})
}

func TestTheLastLookWritesEverythingAndTheExitReport(t *testing.T) {
	inWriter(t, nil, func(t *testing.T, f *fixture) {
		f.put(inPhase("web", child.Running, 0))
		synctest.Wait()
		f.put(inPhase("web", child.Stopping, 0))
		f.board.mu.Lock()
		f.board.info.State = Completed
		f.board.info.ExitReport = &ExitReport{State: Completed, Reason: "told to end"}
		f.board.mu.Unlock()

		if err := f.end(); err != nil {
			t.Fatal(err)
		}
		f.end = nil

		if p := f.childFile(t, "web").Phase; p != child.Stopping {
			t.Errorf("phase = %s, want the last one, Stopping", p)
		}
		r := f.runtimeFile(t)
		if r.ExitReport == nil || r.ExitReport.Reason != "told to end" {
			t.Errorf("exit report = %+v", r.ExitReport)
		}
		if !r.ValidUntil.Equal(r.ObservedAt) {
			t.Errorf("valid until %v, observed at %v: want no promise beyond the end", r.ValidUntil, r.ObservedAt)
		}
	})
}

func TestADirectoryThatWasTakenAwayIsWrittenAnew(t *testing.T) {
	inWriter(t, nil, func(t *testing.T, f *fixture) {
		f.put(inPhase("web", child.Running, 0))
		f.wantNotes(t, "0s write web.json")

		f.memory.set(func(m *memory) { m.lost, m.files = true, map[string][]byte{} })
		time.Sleep(glance)

		f.wantNotes(t, "1s write web.json")
		f.runtimeFile(t)
	})
}

func TestAFileThatSomebodyTookAwayComesBack(t *testing.T) {
	inWriter(t, nil, func(t *testing.T, f *fixture) {
		f.put(inPhase("web", child.Running, 0))
		f.wantNotes(t, "0s write web.json")

		f.memory.set(func(m *memory) { delete(m.files, "web.json") })
		time.Sleep(wholeLook)

		f.wantNotes(t, "1s write web.json")
	})
}

func TestEveryFileThatSomebodyOverwroteIsMendedWithinAMinute(t *testing.T) {
	inWriter(t, nil, func(t *testing.T, f *fixture) {
		const n = 150
		var want []string
		for i := range n {
			f.put(inPhase(child.ID(fmt.Sprintf("web%d", i)), child.Running, 0))
		}
		synctest.Wait()
		f.memory.taken()

		f.memory.set(func(m *memory) {
			for name := range m.files {
				if name != runtimeFile {
					m.files[name] = []byte("{}")
					want = append(want, name)
				}
			}
		})
		time.Sleep(wholeLook)
		synctest.Wait()

		if notes := f.memory.taken(); len(notes) != n || len(want) != n {
			t.Errorf("%d files were written anew within a minute; want all %d", len(notes), n)
		}
		time.Sleep(wholeLook)
		f.wantNotes(t)
	})
}

func TestADirectoryWhoseLockIsGoneIsTakenAnew(t *testing.T) {
	inWriter(t, nil, func(t *testing.T, f *fixture) {
		f.put(inPhase("web", child.Running, 0))
		synctest.Wait()

		f.lockGone.Store(true)
		f.memory.set(func(m *memory) { m.reopened = 0 })
		time.Sleep(glance)
		synctest.Wait() // the writer wakes in the same instant

		f.memory.set(func(m *memory) {
			if m.reopened == 0 {
				t.Error("the directory was not taken anew within a second")
			}
		})
	})
}

func TestChangedEntriesNamesExactlyThose(t *testing.T) {
	set := func(entries ...desired.Entry) *desired.Set { return &desired.Set{Entries: entries} }
	e := func(id string, generation uint64, problems ...desired.Problem) desired.Entry {
		return desired.Entry{ID: child.ID(id), Origin: child.Origin{Generation: generation}, Problems: problems}
	}
	before := set(e("a", 1), e("b", 1), e("c", 1), e("e", 1))
	after := set(e("b", 1), e("c", 2), e("d", 1), e("e", 1, desired.Problem{Reason: "no"}))

	var got []string
	for id := range changedEntries(before, after) {
		got = append(got, string(id))
	}

	if diff := cmp.Diff([]string{"a", "c", "d", "e"}, got); diff != "" {
		t.Errorf("changed (-want +got):\n%s", diff)
	}
}

func TestTroubleLogsEachCauseOnce(t *testing.T) {
	var logs []string
	tr := trouble{log: funcr.New(func(_, args string) { logs = append(logs, args) }, funcr.Options{}), names: map[string]error{}}

	for i := range 100 {
		tr.note(fmt.Sprintf("%d.json", i%10), fmt.Errorf("open %d: %w", i, syscall.ENOSPC))
	}
	tr.note("x.json", syscall.EACCES)

	if len(logs) != 2 {
		t.Errorf("log lines = %d for two causes, want 2: %s", len(logs), strings.Join(logs, "\n"))
	}
	if err := tr.err(); err == nil || !strings.Contains(err.Error(), "11 status files") {
		t.Errorf("err() = %v, want the number of files", err)
	}
}
