package machine

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// Each row is a row of the table in docs/health.md. There the machine's answer
// stands beside the sentence; the test compares the two.
var probeMeanings = []struct {
	sentence string
	lines    []string
}{
	{"no readiness is declared", running("")},
	{"a readiness without a handler and with `initial_delay_secs: 5`, after 4 seconds", running("probe=none,delay=5s", "advance 4s")},
	{"the same, after 5 seconds", running("probe=none,delay=5s", "advance 5s")},
	{"readiness was not looked at yet", running("probe=http")},
	{"readiness fails from the beginning", looked("probe=http", "fail")},
	{"readiness succeeds", looked("probe=http", "ok")},
	{"readiness succeeds once of `success_threshold: 2`", looked("probe=http,up=2", "ok")},
	{"readiness succeeds twice of `success_threshold: 2`", looked("probe=http,up=2", "ok", "ok")},
	{"success, failure, success with `success_threshold: 2`", looked("probe=http,up=2", "ok", "fail", "ok")},
	{"a ready child fails readiness", looked("probe=http", "ok", "fail")},
	{"a ready child fails readiness once of `failure_threshold: 2`", looked("probe=http,down=2", "ok", "fail")},
	{"a ready child fails readiness a hundred times", looked("probe=http", append([]string{"ok"}, strings.Split(strings.Repeat("fail ", 100), " ")[:100]...)...)},
	{"it is not ready within `deadline_secs`", append(looked("probe=http,deadline=10s", "fail"), "advance 10s", "exit a SIGTERM")},
	{"it was ready within `deadline_secs` and is not ready at that time", append(looked("probe=http,deadline=3s", "ok", "fail"), "advance 10s")},
	{"liveness, before it is ready", append(looked("probe=http live=tcp", "fail"), "advance 1m")},
	{"liveness was not looked at yet", running("live=http")},
	{"liveness succeeds", lives("live=http", "ok")},
	{"liveness fails twice of `max_retries: 3`", lives("live=http,down=3", "fail", "fail")},
	{"liveness fails, fails, succeeds, fails of `max_retries: 3`", lives("live=http,down=3", "fail", "fail", "ok", "fail")},
	{"liveness fails three times of `max_retries: 3`", lives("live=http,down=3", "fail", "fail", "fail")},
	{"the same, and it ends", append(lives("live=http,down=3", "fail", "fail", "fail"), "exit a 0")},
	{"the same, and its rest is over", append(lives("live=http,down=3", "fail", "fail", "fail"), "exit a 0", "advance 1s")},
	{"liveness fails under `restart_policy: temporary`, and it ends", append(lives("live=http policy=temporary", "fail"), "exit a 0")},
	{"`notify: true`, and it said nothing", running("probe=notify", "advance 1h")},
	{"`notify: true`, and it says READY=1", running("probe=notify", "ready a")},
	{"`notify: true`, and it says READY=1, later RELOADING=1", running("probe=notify", "ready a", "unready a")},
	{"`heartbeat: true`, one heartbeat each second", running("live=heartbeat", "advance 900ms", "beat a", "advance 900ms", "beat a", "advance 900ms")},
	{"`heartbeat: true`, and no heartbeat for 3 intervals of `max_retries: 3`", running("live=heartbeat,down=3", "beat a", "advance 3s")},
	{"`heartbeat: true`, and it says WATCHDOG=trigger", running("live=heartbeat,down=3", "broken a")},
	{"`log_match`, and no line matches", running("probe=log_match", "advance 1h")},
	{"`log_match`, and a line matches", looked("probe=log_match", "ok")},
	{"a liveness command cannot start, a hundred times", lives("live=exec", append([]string{"ok"}, strings.Split(strings.Repeat("unknown ", 100), " ")[:100]...)...)},
	{"a readiness command cannot start", looked("probe=exec", "unknown")},
	{"a probe is asked for, and the answer comes late, for an older look", looked("probe=http", "ok", "fail 1")},
	{"the reconciler is killed while the child is ready", append(looked("probe=http live=tcp", "ok"), "crash", "adopt a")},
	{"liveness fails in a shutdown, while a dependant still stops", append(lives("live=http", "ok"), "add b deps=a", "started b", "advance 500ms", "shutdown", "fail a liveness")},
	{"it is paused", append(lives("probe=off live=http", "ok"), "pause a", "exit a 0")},
}

// looked is a child whose readiness was looked at with these results, a second
// after one another; lives is the same for liveness.
func looked(options string, results ...string) []string {
	return probedLines(options, "readiness", results)
}
func lives(options string, results ...string) []string {
	return probedLines(options, "liveness", results)
}

func probedLines(options, role string, results []string) []string {
	lines := running(options)
	for _, r := range results {
		verb, number, _ := strings.Cut(r, " ")
		lines = append(lines, "advance 1s", strings.TrimSpace(verb+" a "+role+" "+number))
	}
	return lines
}

func TestTheTableOfProbeMeaningsIsTheOneInTheManual(t *testing.T) {
	const file = "../../../docs/health.md"
	var table strings.Builder
	table.WriteString("| what happens | ready | phase | and |\n|---|---|---|---|\n")
	for _, row := range probeMeanings {
		fmt.Fprintf(&table, "| %s | %s |\n", row.sentence, newWorld(t, row.lines...).meaning())
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- meanings -->\n", "<!-- end of meanings -->\n"
	before, rest, _ := strings.Cut(string(text), begin)
	inside, after, ok := strings.Cut(rest, end)
	if !ok {
		t.Fatalf("%s has no part between %q and %q", file, begin, end)
	}
	if *update {
		if err := os.WriteFile(file, []byte(before+begin+table.String()+end+after), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(strings.Split(inside, "\n"), strings.Split(table.String(), "\n")); diff != "" {
		t.Errorf("%s differs from what the machine does (-manual +machine); if the machine is right: go test -run %s -update\n%s", file, t.Name(), diff)
	}
}

// meaning is what became of child a, for the manual.
func (w *world) meaning() string {
	s := w.snapshot("a")
	ready := s.Conditions[0]
	words := fmt.Sprintf("%s (%s) | %s | ", ready.Status, ready.Reason, s.Phase)
	if e := s.LastExit; e != nil {
		words += fmt.Sprintf("last exit `%s`: %s; ", e.Kind, e.Reason)
	}
	for _, c := range s.Conditions {
		if c.Type == child.ConditionHealthy {
			words += fmt.Sprintf("Healthy %s (%s); ", c.Status, c.Reason)
		}
	}
	return strings.TrimSuffix(strings.TrimRight(words, " "), ";")
}

func TestProbesAreSpreadAndNeverOverlap(t *testing.T) {
	w := newWorld(t, "slots 1000", "connect")
	for i := range 1000 {
		id := fmt.Sprintf("c%d", i)
		w.do("add "+id+" probe=http,every=10s", "started "+id)
	}

	asked, busiest := map[child.ID]int{}, 0
	for range 50 {
		now := 0
		for _, e := range w.do("advance 10ms").Effects {
			if p, ok := e.(Probe); ok {
				asked[p.Key.ID]++
				now++
			}
		}
		busiest = max(busiest, now)
	}
	w.do("advance 1m") // nobody answered: nobody is asked a second time

	if len(asked) != 1000 || busiest > 60 {
		t.Errorf("%d of 1000 were asked within half a second, at most %d in ten milliseconds; want all, and about 20", len(asked), busiest)
	}
	if n := len(w.last.Effects); n != 0 {
		t.Errorf("%d more probes were asked for while the first were unanswered", n)
	}
}

func TestTheNextProbeComesAnIntervalAfterTheLastBegan(t *testing.T) {
	w := newWorld(t, running("probe=http,every=1s", "advance 1s", "ok a readiness")...)
	var asked []time.Duration
	for range 3 {
		next, _ := w.tree.Next()
		w.do("advance " + time.Duration(next-w.now).String())
		asked = append(asked, time.Duration(w.now))
		w.do("advance 300ms", "ok a readiness")
	}
	next, _ := w.tree.Next()
	w.do("advance "+time.Duration(next-w.now).String(), "advance 5s")

	w.do("ok a readiness") // it took five intervals

	for i := 1; i < len(asked); i++ {
		if gap := asked[i] - asked[i-1]; gap != time.Second {
			t.Errorf("probe %d came %v after the one before", i, gap)
		}
	}
	if next, _ := w.tree.Next(); next != w.now {
		t.Errorf("after a probe that took five intervals, the next one is due in %v; want now", time.Duration(next-w.now))
	}
}

func TestAReadyProbeResultIsNoWriteOfStatusAndNoRecord(t *testing.T) {
	w := newWorld(t, looked("probe=http", "ok", "ok")...)

	r := w.do("advance 1s", "ok a readiness")
	later := w.do("advance 1s", "advance 30s", "ok a readiness")

	if len(r.Changed) != 0 || len(r.Records) != 0 || len(r.Facts) != 0 {
		t.Errorf("one more success: changed %v, records %v, facts %v; want none", r.Changed, r.Records, r.Facts)
	}
	if len(later.Changed) != 1 {
		t.Errorf("a result half a minute later: changed %v; want checked_at to be renewed", later.Changed)
	}
}

func TestLiveChangesOfProbes(t *testing.T) {
	for _, row := range []struct {
		sentence   string
		lines      []string
		line, want string
	}{
		{"a changed readiness begins anew, and the child stays ready", looked("probe=http", "ok", "ok"), "update a probe=tcp", "True ProbeSucceeded"},
		{"a probe under way is cancelled", looked("probe=http", "ok"), "advance 1s; update a probe=tcp", "True ProbeSucceeded | cancel 2 readiness of a#1.0"},
		{"a removed readiness makes it ready", running("probe=http"), "update a probe=off", "True Running"},
		{"an added one does not make it unready", running(""), "update a probe=http", "True ProbeSucceeded"},
		{"its own deadline holds from now", running("probe=http", "advance 1m"), "update a probe=http,deadline=10s; advance 1s", "False WaitingForProbe | probe 2 readiness of a#1.0"},
		{"a READY=1 that came before counts", running("probe=http", "ready a"), "update a probe=notify", "True Notified"},
		{"another field changes no probe", looked("probe=http", "ok"), "advance 1s; update a grace=9s", "True ProbeSucceeded"},
		{"a removed liveness is looked at no more", lives("live=http,down=2", "fail"), "advance 1s; update a live=off", "True Running | cancel 2 liveness of a#1.0"},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			w := newWorld(t, row.lines...)

			for line := range strings.SplitSeq(row.line, "; ") {
				w.do(line)
			}

			ready := w.snapshot("a").Conditions[0]
			got := ready.Status + " " + ready.Reason
			if effects := w.effects(); effects != "" {
				got += " | " + effects
			}
			if got != row.want {
				t.Errorf("got  %s\nwant %s", got, row.want)
			}
		})
	}
}

func TestHealthOfASnapshot(t *testing.T) {
	w := newWorld(t, looked("probe=http,down=3", "ok", "fail", "fail")...)

	s := w.snapshot("a")

	want := child.ProbeState{Status: child.ProbePassing, CheckedAt: w.wall(), Failures: 2, Message: "connection refused", Latency: child.Seconds(3 * time.Millisecond)}
	if diff := cmp.Diff(want, s.Readiness); diff != "" {
		t.Errorf("readiness (-want +got):\n%s", diff)
	}
	if !s.ReadyAt.Equal(epochWall.Add(time.Second)) {
		t.Errorf("ready at %v; want the second of the first success", s.ReadyAt)
	}
}

func TestUnhealthyCountsForBackoffAndLimits(t *testing.T) {
	lines := lives("live=http limit=1/60s backoff=1s..8s", "fail")
	lines = append(lines, "exit a 0", "advance 1s", "started a", "advance 1s", "fail a liveness", "exit a 0")

	s := newWorld(t, lines...).snapshot("a")

	if s.Phase != child.Quarantined || s.LastExit.Kind != child.TimedOut || s.LastExit.Reason != "liveness failed once: connection refused" {
		t.Errorf("phase %s, last exit %+v", s.Phase, s.LastExit)
	}
}

func TestAStopForAProbeSurvivesACrash(t *testing.T) {
	w := newWorld(t, append(lives("live=http", "fail"), "crash", "adopt a", "exit a 0")...)

	s := w.snapshot("a")

	if s.Phase != child.BackingOff || s.LastExit.Kind != child.TimedOut {
		t.Errorf("phase %s, last exit %+v; want a rest after timed_out", s.Phase, s.LastExit)
	}
}

func TestARunningChildThatIsNotReadySaysWhatItWaitsFor(t *testing.T) {
	for want, lines := range map[string][]string{
		"it has not said READY=1 on its notify socket (if it changes its user by itself, write run_as: only that user may send there)": running("probe=notify"),
		"no line that it printed matches log_match":           running("probe=log_match"),
		"it is ready 5s after its start (initial_delay_secs)": running("probe=none,delay=5s"),
		"its readiness was not looked at yet":                 running("probe=http"),
		"its readiness succeeded 2 of 3 times in a row":       looked("probe=http,up=3", "ok", "ok"),
		"connection refused":                                  looked("probe=http", "fail"),
		"":                                                    looked("probe=http", "ok"),
	} {
		if ready := newWorld(t, lines...).snapshot("a").Conditions[0]; ready.Message != want {
			t.Errorf("Ready is %s (%s): %q, want %q", ready.Status, ready.Reason, ready.Message, want)
		}
	}
}

func TestWhoIsNotifiedOfAUserWithoutRunAsIsToldToWriteIt(t *testing.T) {
	const hint = "write run_as"
	for name, row := range map[string]struct {
		runAs *child.RunAs
		want  bool
	}{
		"none": {nil, true}, "a umask": {&child.RunAs{Umask: "0027"}, true}, "a user": {&child.RunAs{User: "app"}, false},
	} {
		if got := notNotified(&child.Spec{RunAs: row.runAs}); strings.Contains(got, hint) != row.want {
			t.Errorf("run_as with %s: %q", name, got)
		}
	}
}
