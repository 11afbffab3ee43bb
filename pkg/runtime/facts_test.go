package runtime

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

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
