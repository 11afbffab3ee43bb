package machine

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// vain is a request of somebody that is refused before it is a command.
func vain(n int, by string) Noted {
	return Noted{
		ID: CommandID(fmt.Sprint("note-", n)), Verb: Put, Child: "a", Cause: child.Cause{RequestedBy: by, Reason: "so it is"},
		Decision: Rejected, Code: ErrInvalid, Message: "no command",
	}
}

// only is what one event leads to.
func (w *world) only(ev Event) Ready {
	w.t.Helper()
	w.last = Ready{}
	w.step(ev)
	return w.last
}

// audits are the facts that tell of requests, one by one or counted.
func audits(facts []Fact) (told, counted []Fact) {
	for _, f := range facts {
		switch {
		case f.Command != nil:
			told = append(told, f)
		case f.Kind == RequestsLeftOut:
			counted = append(counted, f)
		}
	}
	return told, counted
}

func TestARequestThatSomebodyElseAnswersIsToldAsACommandIs(t *testing.T) {
	w := newWorld(t, "connect", "add a", "started a")

	refused := w.only(vain(1, "alice"))
	done := w.only(Noted{ID: "note-2", Verb: Reconcile, Cause: child.Cause{RequestedBy: "bob", Reason: "manual reconcile"}, Decision: Accepted})

	want := Fact{
		Kind: CommandRefused, Child: "a", Generation: 0, Attempt: 1, PID: refused.Facts[0].PID, Reason: "no command",
		Cause: child.Cause{RequestedBy: "alice", Reason: "so it is"}, Correlation: "note-1",
		Command: &CommandFact{ID: "note-1", Verb: Put, Decision: Rejected, Code: ErrInvalid},
	}
	if diff := cmp.Diff([]Fact{want}, refused.Facts); diff != "" {
		t.Errorf("a refused request (-want +got):\n%s", diff)
	}
	if f := done.Facts; len(f) != 1 || f[0].Kind != CommandAccepted || f[0].Command.Verb != Reconcile || f[0].Cause.RequestedBy != "bob" {
		t.Errorf("an accepted request is told as %+v", f)
	}
	if len(refused.Records)+len(refused.Effects)+len(refused.Changed) > 0 || len(refused.Replies) != 1 || refused.Replies[0].To != "note-1" {
		t.Errorf("a note changes something, or is not replied to: %+v", refused)
	}
}

func TestWhoAsksInVainWithoutEndIsCountedAndNobodyElse(t *testing.T) {
	w := newWorld(t, "connect", "add a", "started a", "pause a", "exit a 0")
	var facts []Fact
	for n := range 5 * vainAtOnce {
		facts = append(facts, w.only(vain(n, fmt.Sprint("mallory for ", n))).Facts...)
	}

	other := w.only(vain(0, "bob")).Facts
	same := w.only(Command{ID: "cmd-x", Verb: Pause, Child: "a", Cause: child.Cause{RequestedBy: "mallory", Reason: "again"}}).Facts
	real := w.only(Command{ID: "cmd-y", Verb: Resume, Child: "a", Cause: child.Cause{RequestedBy: "mallory", Reason: "for once"}}).Facts
	later := w.happen("advance 600s")

	if told, _ := audits(facts); len(told) != vainAtOnce {
		t.Errorf("%d entries of %d requests, want %d", len(told), 5*vainAtOnce, vainAtOnce)
	}
	if told, _ := audits(other); len(told) != 1 {
		t.Errorf("the request of somebody else is not told: %+v", other)
	}
	if len(same) != 0 {
		t.Errorf("one that finds everything as it wants it is told: %+v", same)
	}
	if told, _ := audits(real); len(told) != 1 {
		t.Errorf("one that changes something is not told: %+v", real)
	}
	_, counted := audits(later)
	if len(counted) != 1 || counted[0].Cause.RequestedBy != "mallory" || !strings.HasPrefix(counted[0].Reason, fmt.Sprintf("%d requests more", 4*vainAtOnce+1)) {
		t.Errorf("at the end of the window: %+v, want the number of those left out", counted)
	}
}

func TestAfterAQuietWindowEveryRequestIsToldAgain(t *testing.T) {
	w := newWorld(t, "connect")
	for n := range vainAtOnce {
		w.only(vain(n, "alice"))
	}

	w.do(fmt.Sprintf("advance %s", vainWindow))
	facts := w.only(vain(0, "alice")).Facts

	if told, _ := audits(facts); len(told) != 1 {
		t.Errorf("a request after a window without any: %+v, want one entry", facts)
	}
}

func TestTheAskersThatAreCountedOneByOneAreBounded(t *testing.T) {
	w := newWorld(t, "connect")

	for n := range 10 * maxAskers {
		for range 2 * vainAtOnce {
			w.only(vain(n, fmt.Sprint("user-", n)))
		}
	}

	if n := len(w.tree.askers); n > maxAskers+1 {
		t.Errorf("%d askers are remembered, want %d and the others", n, maxAskers)
	}
	w.do(fmt.Sprintf("advance %s", 3*vainWindow))
	w.only(vain(0, "late"))
	if at, on := w.tree.Next(); on && at > w.tree.now+Instant(vainWindow)+Instant(time.Second) {
		t.Errorf("an alarm is left at %d", at)
	}
}
