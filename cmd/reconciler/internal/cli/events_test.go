package cli

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/journal"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

// happened appends to the journal, as of a time.
func (w *world) happened(at time.Time, facts ...machine.Fact) {
	w.t.Helper()
	j, err := journal.OpenFacts(filepath.Join(w.dirs.State, "journal"))
	if err != nil {
		w.t.Fatal(err)
	}
	defer j.Close()
	if err := j.Append(facts, at); err != nil {
		w.t.Fatal(err)
	}
}

// crashed is a world in which payments/worker crashed an hour ago, and root
// paused web just now.
func crashed(t *testing.T) *world {
	w := newWorld(t)
	w.happened(today.Add(-time.Hour),
		machine.Fact{Kind: machine.ChildExited, Child: "payments/worker", Attempt: 2, PID: 12, Exit: &child.Exit{
			Kind: child.FailedExit, Code: ptr(3), Reason: "exit code 3", Duration: child.Seconds(1500 * time.Millisecond)}},
		machine.Fact{Kind: machine.BackoffScheduled, Child: "payments/worker", Attempt: 2, Reason: "exit code 3", Delay: 20 * time.Millisecond})
	w.happened(today, machine.Fact{Kind: machine.ChildPaused, Child: "web", Cause: child.Cause{RequestedBy: "root", Reason: "no \x1b[31mneed"}})
	return w
}

func TestEventsPrintATable(t *testing.T) {
	w := crashed(t)
	at := func(ago time.Duration) string { return today.Add(-ago).Local().Format("2006-01-02 15:04:05.000") }

	got := w.run("events")

	want := result{Out: strings.Join([]string{
		"TIME                      CHILD             EVENT               WHAT HAPPENED                                BY",
		at(time.Hour) + "   payments/worker   child_exited        attempt 2, pid 12; exit code 3; after 1s     -",
		at(time.Hour) + "   payments/worker   backoff_scheduled   attempt 2; exit code 3; next start in 20ms   -",
		at(0) + "   web               child_paused        no \\x1b[31mneed                              root",
	}, "\n") + "\n"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestCommandsAndChangesAreToldInAFewWords(t *testing.T) {
	for want, e := range map[string]journal.Entry{
		"restart: queued_after_stop; manual restart": {Attempt: 2, PID: 12, Reason: "manual restart", Command: &journal.Command{Verb: machine.Restart, Result: machine.QueuedAfterStop}},
		"signal SIGHUP: accepted; reload":            {Reason: "reload", Command: &journal.Command{Verb: machine.SendSignal, Signal: "SIGHUP", Result: machine.Accepted}},
		"pause refused (child_not_found); not there": {Reason: "not there", Command: &journal.Command{Verb: machine.Pause, Result: machine.Rejected, Code: machine.ErrChildNotFound}},
		"active → paused; manual pause":              {From: "active", To: "paused", Reason: "manual pause"},
		"attempt 1; graceful":                        {Attempt: 1, To: "graceful"},
		"graceful_drain":                             {To: "graceful_drain", Reason: "graceful_drain"},
	} {
		if got := whatHappened(&e); got != want {
			t.Errorf("%+v is told as %q, want %q", e, got, want)
		}
	}
}

func TestWideEventsSayWhatBelongsTogether(t *testing.T) {
	w := newWorld(t)
	w.happened(today,
		machine.Fact{Kind: machine.ChildExited, Child: "web", Correlation: "web#1.0"},
		machine.Fact{Kind: machine.ChildReady, Child: "db", Correlation: "db#1.0"},
		machine.Fact{Kind: machine.ChildStarting, Child: "web", Correlation: "web#1.0"})

	all, some := w.run("events", "-o", "wide"), w.run("events", "--correlation", "web#1.0", "-o", "json")

	if lines := strings.Split(all.Out, "\n"); !strings.HasSuffix(lines[0], "BY   SEQUENCE   CORRELATION") || !strings.HasSuffix(lines[2], "2          db#1.0") {
		t.Errorf("wide:\n%s", all.Out)
	}
	if got := sequences(t, some.Out); got != "1 3" {
		t.Errorf("of one correlation: %q, want 1 3", got)
	}
}

func TestCompletionOffersTheTypesThatOccurred(t *testing.T) {
	w := crashed(t)

	got := runProgram(t.Context(), w.opts, "__complete", "--state", w.dirs.State, "events", "--type", "")

	if want := "backoff_scheduled\nchild_exited\nchild_paused\n:4\n"; got.Out != want {
		t.Errorf("completion = %q, want %q", got.Out, want)
	}
}

func TestEventsAreSelected(t *testing.T) {
	w := crashed(t)
	w.child("mute", nil)
	for name, row := range map[string]struct {
		args []string
		want string // the sequences
	}{
		"all":                         {nil, "1 2 3"},
		"of a child":                  {[]string{"--child", "web"}, "3"},
		"of a folder":                 {[]string{"-c", "payments"}, "1 2"},
		"of any of two":               {[]string{"-c", "payments/worker", "-c", "web"}, "1 2 3"},
		"of a type":                   {[]string{"-t", "child_paused", "-t", "child_exited"}, "1 3"},
		"of several types at once":    {[]string{"-t", "child_paused,child_exited"}, "1 3"},
		"of a child and a type":       {[]string{"-t", "child_exited", "-c", "web"}, ""},
		"of a child that did nothing": {[]string{"-c", "mute"}, ""},
		"the last ones":               {[]string{"--tail", "2"}, "2 3"},
		"the last one of a child":     {[]string{"--tail", "1", "-c", "payments"}, "2"},
		"since a while":               {[]string{"--since", "30m"}, "3"},
		"since a time":                {[]string{"--since", today.Add(-time.Minute).Format(time.RFC3339)}, "3"},
		"since a local time":          {[]string{"--since", today.Local().Format(time.DateTime)}, "3"},
		"after a number":              {[]string{"--after", "1"}, "2 3"},
	} {
		t.Run(name, func(t *testing.T) {
			got := w.run(append([]string{"events", "-o", "json"}, row.args...)...)

			if seqs := sequences(t, got.Out); got.Code != 0 || seqs != row.want {
				t.Errorf("events %v: sequences %q (%+v), want %q", row.args, seqs, got, row.want)
			}
			if told := got.Err == "No such event is on record.\n"; told != (row.want == "") {
				t.Errorf("events %v: message %q", row.args, got.Err)
			}
		})
	}
}

// sequences are those of JSON lines, or "missed".
func sequences(t *testing.T, lines string) string {
	t.Helper()
	var list []string
	for line := range strings.Lines(lines) {
		rest, ok := strings.CutPrefix(line, `{"sequence":`)
		n, _, _ := strings.Cut(rest, ",")
		if !ok {
			n = "missed"
		}
		list = append(list, n)
	}
	return strings.Join(list, " ")
}

func TestEventsThatCannotBeHadAreExplained(t *testing.T) {
	w := crashed(t)
	empty := newWorld(t)
	for name, row := range map[string]struct {
		w    *world
		args []string
		code int
		want string
	}{
		"no reconciler has run": {empty, nil, NoDaemon, "start one with: reconciler run"},
		"nobody has that name":  {w, []string{"--child", "wbe"}, NoSuchChild, `child not found: "wbe"`},
		"a name that is a path": {w, []string{"--child", "../web"}, NoSuchChild, `child not found: "../web"`},
		"a time that is none":   {w, []string{"--since", "yesterday"}, Usage, `--since "yesterday": want how long ago, such as 10m, or a time`},
		"a time to come":        {w, []string{"--since", "-5m"}, Usage, "want how long ago"},
		"a form that is none":   {w, []string{"-o", "yaml"}, Usage, "want table, wide, json"},
		"a tail that is none":   {w, []string{"--tail", "-1"}, Usage, "want 0 for all"},
		"an argument":           {w, []string{"web"}, Usage, "web"},
		"a number to come":      {w, []string{"--after", "9"}, Failed, "the last one is 3: the journal has not come that far"},
	} {
		t.Run(name, func(t *testing.T) {
			got := row.w.run(append([]string{"events"}, row.args...)...)

			if got.Code != row.code || !strings.Contains(got.Err, row.want) || got.Out != "" {
				t.Errorf("events %v: got %+v; want code %d and a message with %q", row.args, got, row.code, row.want)
			}
		})
	}
}

func TestEventsOfAChildThatWasRemovedAreShown(t *testing.T) {
	w := crashed(t)

	got := w.run("events", "--child", "payments/worker", "--type", "child_ready")

	if want := (result{Err: "No such event is on record.\n"}); got != want {
		t.Errorf("events of a child that only the journal knows: %+v, want %+v", got, want)
	}
}

func TestFollowedEventsComeAsTheyHappen(t *testing.T) {
	w := crashed(t)
	ctx, cancel := context.WithCancel(t.Context())
	var out syncBuffer
	root := New(w.opts)
	root.SetOut(&out)
	root.SetErr(&out)
	done := make(chan int)
	go func() {
		done <- Execute(ctx, root, []string{"events", "-f", "--tail", "1", "-o", "json", "--state", w.dirs.State})
	}()
	out.await(t, `{"sequence":3,`)

	w.happened(today, machine.Fact{Kind: machine.ChildResumed, Child: "web"})
	out.await(t, `{"sequence":4,`)
	cancel()

	if code := <-done; code != 0 {
		t.Errorf("events -f ended with %d", code)
	}
	if got := sequences(t, out.String()); got != "3 4" {
		t.Errorf("sequences %q, want 3 4", got)
	}
}

func TestEventsThatWereMissedAreTold(t *testing.T) {
	w := newWorld(t)
	w.write(w.dirs.State, "journal/00000000000000000007.jsonl", `{"sequence":7,"time":"2026-11-24T11:00:00Z","type":"child_ready","child_id":"web"}`+"\n")

	lines, table := w.run("events", "--after", "2", "-o", "json"), w.run("events", "--after", "2")

	if got := sequences(t, lines.Out); got != "missed 7" || !strings.HasPrefix(lines.Out, `{"missed":{"from":3,"to":6,"count":4}}`) {
		t.Errorf("lines %q", lines.Out)
	}
	if want := "4 entries (3 to 6) are gone: they were rotated away before they could be read\n"; table.Err != want || !strings.Contains(table.Out, "child_ready") {
		t.Errorf("table: %+v, want the message %q", table, want)
	}
}

// syncBuffer is a buffer that one goroutine writes while another one looks.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// await waits until the text was written.
func (s *syncBuffer) await(t *testing.T, text string) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !strings.Contains(s.String(), text) {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited in vain for %q; there is %q", text, s.String())
		}
	}
}
