package runtime

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr/funcr"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

// diary keeps facts in memory.
type diary struct {
	mu    sync.Mutex
	facts []machine.Fact
}

func (d *diary) Append(facts []machine.Fact, _ time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.facts = append(d.facts, facts...)
	return nil
}

func TestTheJournalBeginsAndEndsWithTheRuntime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, d := newWorld(), &diary{}
		r, err := New(Config{Processes: w, Records: w, Journal: d, StartSlots: 1})
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error)
		go func() { done <- r.Run(t.Context()) }()
		w.events <- machine.Adopted{}

		if _, err := r.Handle().ShutdownTree(t.Context(), cause); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}

		first, last := d.facts[0], d.facts[len(d.facts)-1]
		if first.Kind != machine.RuntimeStarted || last.Kind != machine.RuntimeEnded || !strings.Contains(last.Reason, "state=completed") {
			t.Errorf("the journal begins with %+v and ends with %+v", first, last)
		}
		for _, f := range d.facts {
			if f.Correlation == "" {
				t.Errorf("%s has no correlation", f.Kind)
			}
			if messages[f.Kind] == "" {
				t.Errorf("%s has no message for the log", f.Kind)
			}
		}
	})
}

func TestCommandIDsAreUniqueOverRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // the clock of the bubble stands still between the runs
		seen := map[machine.CommandID]bool{}
		for range 50 {
			w := newWorld()
			h := launched(t, w)
			for range 20 {
				o, err := h.Add(t.Context(), "a", spec(), child.Origin{}, cause)
				if err == nil && o.CommandID == "" {
					t.Fatal("a command without an ID")
				}
				if _, err = h.Remove(t.Context(), "a", cause); err != nil {
					t.Fatal(err)
				}
				if seen[o.CommandID] {
					t.Fatalf("command ID %s was given twice", o.CommandID)
				}
				seen[o.CommandID] = true
			}
		}
	})
}

// blockedDiary cannot be written at first.
type blockedDiary struct {
	diary
	fails int
}

func (d *blockedDiary) Append(facts []machine.Fact, at time.Time) error {
	if d.fails--; d.fails >= 0 {
		return errors.New("no space left on device")
	}
	return d.diary.Append(facts, at)
}

func TestAJournalThatCannotBeWrittenIsComplainedAboutOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, d, complaints := newWorld(), &blockedDiary{fails: 3}, 0
		log := funcr.New(func(_, line string) {
			if strings.Contains(line, "the journal cannot be written") && strings.Contains(line, "no space left") {
				complaints++
			}
		}, funcr.Options{})
		r, err := New(Config{Processes: w, Records: w, Journal: d, StartSlots: 1, Log: log})
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error)
		go func() { done <- r.Run(t.Context()) }()
		w.events <- machine.Adopted{}

		for _, id := range []child.ID{"a", "b", "c", "d"} {
			mustAdd(t, r.Handle(), id)
		}
		if _, err := r.Handle().ShutdownTree(t.Context(), cause); err != nil {
			t.Fatal(err)
		}

		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if complaints != 1 || len(d.facts) == 0 {
			t.Errorf("%d complaints and %d facts, want one and some", complaints, len(d.facts))
		}
	})
}
