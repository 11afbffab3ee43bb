package machine

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// rule is one sentence of what the machine promises: after given, the last line
// leads to want, in the words of world.cell.
type rule struct {
	sentence string
	given    []string
	when     string
	want     string
}

func running(options string, more ...string) []string {
	return append([]string{"connect", "add a " + options, "started a"}, more...)
}

func testRules(t *testing.T, rules []rule) {
	for _, r := range rules {
		t.Run(r.sentence, func(t *testing.T) {
			w := newWorld(t, r.given...)

			got := w.cell(r.when)

			if got != r.want {
				t.Errorf("after %q, %q\n got %s\nwant %s", r.given, r.when, got, r.want)
			}
		})
	}
}

func TestRestartPolicy(t *testing.T) {
	const again, rests = "Backoff active | acknowledge a#1.0", "Backoff active"
	testRules(t, []rule{
		{"permanent rests and starts again after a success", running("policy=permanent"), "exit a 0", again},
		{"permanent rests and starts again after a failure", running("policy=permanent"), "exit a 1", again},
		{"transient is completed by a success", running("policy=transient"), "exit a 0", "Completed active | acknowledge a#1.0"},
		{"transient is completed by any code that means success", running("policy=transient codes=0,75"), "exit a 75", "Completed active | acknowledge a#1.0"},
		{"transient starts again after a code that is not listed", running("policy=transient codes=3"), "exit a 0", again},
		{"transient starts again after a signal of others", running("policy=transient"), "exit a SIGKILL", again},
		{"transient starts again after an end that nobody saw", running("policy=transient"), "exit a lost", again},
		{"transient starts again after a failed start", []string{"connect", "add a policy=transient"}, "refused a", rests},
		{"temporary is completed by a success", running("policy=temporary"), "exit a 0", "Completed active | acknowledge a#1.0"},
		{"temporary fails for good", running("policy=temporary"), "exit a 1", "Failed active | acknowledge a#1.0"},
		{"temporary fails for good when it cannot start", []string{"connect", "add a policy=temporary"}, "refused a", "Failed active"},
		{"a stop for a restart starts a temporary child again", running("policy=temporary", "restart a"), "exit a 1", "Starting active | acknowledge a#1.0, start a#1.1"},
		{"an initial delay of zero is no rest", running("backoff=0s..1s"), "exit a 1", "Starting active | acknowledge a#1.0, start a#1.1"},
		{"a policy that becomes permanent starts a completed child", running("policy=transient", "exit a 0"), "update a policy=permanent", "Starting active | start a#1.1 | accepted"},
	})
}

func TestStartConditions(t *testing.T) {
	testRules(t, []rule{
		{"nothing starts without a connection", nil, "add a", "Pending active | accepted"},
		{"what waited starts with the connection", []string{"add a"}, "connect", "Starting active | start a#1.0"},
		{"a suspended child does not start", []string{"connect"}, "add a suspend=true", "Stopped active | accepted"},
		{"a dependency that is declared nowhere is waited for", []string{"connect"}, "add a deps=b", "Pending active | accepted"},
		{"ready is what a dependency must be by default", []string{"connect", "add a deps=b", "add b"}, "started b", "Starting active | start a#1.0"},
		{"started needs a process that runs", []string{"connect", "add a deps=b:started"}, "add b", "Pending active | start b#2.0 | accepted"},
		{"completed needs a good end", []string{"connect", "add a deps=b:completed", "add b policy=temporary", "started b"}, "exit b 1", "Pending active | acknowledge b#2.0"},
		{"a supervisor is ready at once", []string{"connect", "add a deps=f"}, "add f supervisor", "Starting active | start a#1.0 | accepted"},
		{"a removed dependency is one that is declared nowhere", []string{"connect", "add b", "started b", "add a deps=b suspend=true", "remove b", "exit b 0"}, "update a suspend=false", "Pending active | accepted"},
		{"a running child is not touched when its dependency goes away", []string{"connect", "add b", "started b", "add a deps=b", "started a"}, "exit b 1", "Running active | acknowledge b#1.0"},
		{"a dependency that is dropped from the manifest is not waited for", []string{"connect", "add a deps=b"}, "update a deps=", "Starting active | start a#1.0 | accepted"},
		{"the next start waits for a stray of its name", []string{"connect", "add a", "started a", "started a.7"}, "exit a 1", "Backoff active | acknowledge a#1.0"},
		{"after the rest too", running("", "started a.7", "exit a 1"), "tick", "Pending active"},
		{"a rest is over only after its time", running("backoff=1s..1s", "exit a 1"), "advance 999ms", "Backoff active"},
		{"and then at once", running("backoff=1s..1s", "exit a 1"), "advance 1s", "Starting active | start a#1.1"},
		{"a busy start is repeated with the same key", []string{"connect", "add a", "busy a"}, "advance 100ms", "Starting active | start a#1.0"},
		{"and less often each time", []string{"connect", "add a", "busy a", "advance 100ms", "busy a"}, "advance 199ms", "Starting active"},
		{"a start whose answer was lost is made again with the same key", []string{"connect", "add a", "detach"}, "connect", "Starting active | start a#1.0"},
		{"a start that is still under way is not made again", []string{"connect", "add a", "detach"}, "adopt a?", "Starting active"},
		{"and is waited for by a stop", []string{"connect", "add a", "pause a", "detach", "adopt a?"}, "started a", "Stopping paused | SIGTERM to the tree of a#1.0"},
		{"an attempt that nobody knows of any more was lost", running("", "detach"), "connect", "Backoff active"},
	})
}

func TestStop(t *testing.T) {
	testRules(t, []rule{
		{"a child in Starting is signalled when it runs", []string{"connect", "add a", "pause a"}, "started a", "Stopping paused | SIGTERM to the tree of a#1.0"},
		{"a child in Starting that does not start is stopped", []string{"connect", "add a", "pause a"}, "refused a", "Stopped paused"},
		{"the signal is the manifest's", running("signal=SIGQUIT"), "pause a", "Stopping paused | SIGQUIT to the tree of a#1.0 | accepted"},
		{"SIGKILL comes when the grace is over", running("grace=2s", "pause a"), "advance 2s", "Stopping paused | SIGKILL to the tree of a#1.0"},
		{"not before", running("grace=2s", "pause a"), "advance 1999ms", "Stopping paused"},
		{"SIGKILL is repeated, at most once a second", running("grace=2s abort=100ms", "pause a", "advance 2100ms"), "advance 999ms", "Stopping paused"},
		{"for ever", running("grace=2s abort=100ms", "pause a", "advance 2100ms"), "advance 1s", "Stopping paused | SIGKILL to the tree of a#1.0"},
		{"a stop without a connection waits for one", running("", "detach", "pause a"), "advance 1h", "Stopping paused"},
		{"and has its whole grace then", running("", "detach", "pause a", "advance 1h", "adopt a"), "advance 4s", "Stopping paused"},
		{"a stop is repeated after a new connection: its signal may have been lost", running("", "pause a", "advance 3s", "detach"), "adopt a", "Stopping paused | SIGTERM to the tree of a#1.0"},
		{"its grace begins anew then", running("", "pause a", "advance 3s", "detach", "adopt a"), "advance 4999ms", "Stopping paused"},
		{"and ends", running("", "pause a", "advance 3s", "detach", "adopt a"), "advance 5s", "Stopping paused | SIGKILL to the tree of a#1.0"},
		{"a deadline that passes without a connection kills nobody", running("", "pause a", "detach"), "advance 1h", "Stopping paused"},
		{"a stop survives a crash", running("", "pause a", "advance 3s", "crash", "adopt a"), "advance 5s", "Stopping paused | SIGKILL to the tree of a#1.0"},
		{"a crash while it is killed does not give it grace again", running("", "pause a", "advance 5s", "crash"), "adopt a", "Stopping paused | SIGKILL to the tree of a#1.0"},
		{"resume during a pause starts it afterwards", running("", "pause a", "resume a"), "exit a 0", "Starting active | acknowledge a#1.0, start a#1.1"},
		{"remove during a pause makes it disappear", running("", "pause a", "remove a"), "exit a 0", "gone | acknowledge a#1.0"},
		{"suspend during a restart keeps it stopped", running("", "restart a", "update a suspend=true"), "exit a 0", "Stopped active | acknowledge a#1.0"},
		{"quarantine during a restart keeps it stopped", running("", "restart a", "quarantine a"), "exit a 0", "Quarantined quarantined | acknowledge a#1.0"},
	})
}

func TestCommands(t *testing.T) {
	testRules(t, []rule{
		{"an unknown child is not found", []string{"connect"}, "pause a", "gone | rejected child_not_found"},
		{"an existing child cannot be added", running(""), "add a", "Running active | rejected child_exists"},
		{"a child that is being removed cannot be added yet", running("", "remove a"), "add a", "Stopping removed | rejected still_stopping"},
		{"nor restarted", running("", "remove a"), "restart a", "Stopping removed | rejected still_stopping"},
		{"its next incarnation has a new number", running("", "remove a", "exit a 0"), "add a", "Starting active | start a#2.0 | accepted"},
		{"also after a crash", running("", "remove a", "exit a 0", "crash", "connect"), "add a", "Starting active | start a#2.0 | accepted"},
		{"restart out of a rest", running("", "exit a 1"), "restart a", "Starting active | start a#1.1 | started_immediately"},
		{"restart ends a pause", running("", "pause a", "exit a 0"), "restart a", "Starting active | start a#1.1 | started_immediately"},
		{"restart of a suspended child is refused", []string{"connect", "add a suspend=true"}, "restart a", "Stopped active | rejected invalid"},
		{"a second restart is pending already", running("", "restart a"), "restart a", "Stopping active | already_pending"},
		{"a second pause changes nothing", running("", "pause a"), "pause a", "Stopping paused | idempotent"},
		{"pause cancels a rest", running("", "exit a 1", "pause a"), "advance 1h", "Stopped paused"},
		{"resume of an active child changes nothing", running(""), "resume a", "Running active | idempotent"},
		{"a changed manifest releases quarantine", running("", "quarantine a", "exit a 0"), "update a grace=1s", "Starting active | start a#1.1 | accepted"},
		{"the same manifest does not", running("", "quarantine a", "exit a 0"), "update a", "Quarantined quarantined | idempotent"},
		{"a changed manifest leaves a pause alone", running("", "pause a", "exit a 0"), "replace a command=new", "Stopped paused | accepted"},
		{"replace starts a failed child again", running("policy=temporary", "exit a 1"), "replace a command=new", "Starting active | start a#1.1 | started_immediately"},
		{"replace clears a rest", running("", "exit a 1"), "replace a command=new", "Starting active | start a#1.1 | started_immediately"},
		{"a signal goes to the main process", running(""), "signal a SIGHUP", "Running active | SIGHUP to a#1.0 | accepted"},
		{"a signal needs a process", []string{"connect", "add a"}, "signal a SIGHUP", "Starting active | rejected no_process"},
		{"and a connection", running("", "detach"), "signal a SIGHUP", "Running active | rejected not_connected"},
		{"a shutdown refuses commands", running("", "shutdown"), "pause a", "Stopping active | rejected shutting_down"},
		{"there is nothing to hurry without a shutdown", running(""), "hurry", "Running active | rejected invalid"},
	})
}

func TestStrays(t *testing.T) {
	testRules(t, []rule{
		{"a process of an old attempt is stopped", running("", "exit a 1", "advance 100ms", "started a"), "started a.0", "Running active | SIGTERM to the tree of a#1.0 | stale"},
		{"so is one of no known child", []string{"connect"}, "adopt x.3", "gone | SIGTERM to the tree of x#1.3 | stale"},
		{"SIGKILL follows after 5 s", []string{"connect", "adopt x.3"}, "advance 5s", "gone | SIGKILL to the tree of x#1.3"},
		{"again and again", []string{"connect", "adopt x.3", "advance 5s"}, "advance 5s", "gone | SIGKILL to the tree of x#1.3"},
		{"until it exits", []string{"connect", "adopt x.3", "exit x.3 0"}, "advance 1h", "gone"},
		{"its exit is acknowledged", []string{"connect", "adopt x.3"}, "exit x.3 0", "gone | acknowledge x#1.3"},
		{"a report of an old attempt changes nothing and is acknowledged", running("", "exit a 1", "advance 100ms", "started a"), "exit a.0 1", "Running active | acknowledge a#1.0 | stale"},
		{"the incarnation of a stray is never given again", []string{"connect", "adopt a.3"}, "add a", "Pending active | accepted"},
		{"the next generation is above that of a stray, also after a crash", []string{"connect", "add a suspend=true", "started a.7", "exit a.7 0", "crash", "connect"}, "update a suspend=false", "Starting active | start a#1.8 | accepted"},
		{"a shutdown waits for a stray", []string{"connect", "adopt x.3"}, "shutdown", "gone"},
		{"but not for ever", []string{"connect", "adopt x.3", "shutdown"}, "advance 10s", "gone | SIGKILL to the tree of x#1.3, SIGKILL to the tree of x#1.3 | accepted"},
	})
}

func TestExitKinds(t *testing.T) {
	three := 3
	for _, row := range []struct {
		sentence string
		given    []string
		when     string
		want     child.Exit
	}{
		{"a code", running(""), "exit a 3", child.Exit{Kind: child.FailedExit, Code: &three, Reason: "exit code 3"}},
		{"a code that means success", running("codes=3"), "exit a 3", child.Exit{Kind: child.Succeeded, Code: &three, Reason: "exit code 3"}},
		{"a signal", running(""), "exit a SIGSEGV", child.Exit{Kind: child.Signaled, Signal: "SIGSEGV", Reason: "killed by SIGSEGV"}},
		{"no memory", running(""), "exit a oom", child.Exit{Kind: child.OOMKilled, Signal: "SIGKILL", OOMKilled: true, Reason: "killed by SIGKILL, out of memory"}},
		{"nobody saw it", running(""), "exit a lost", child.Exit{Kind: child.LostExit, Reason: "ended while nobody could see"}},
		{"a stop keeps the code", running("", "pause a"), "exit a 3", child.Exit{Kind: child.Cancelled, Code: &three, Reason: "stopped: manual pause"}},
		{"a stop keeps the signal", running("", "pause a"), "exit a SIGTERM", child.Exit{Kind: child.Cancelled, Signal: "SIGTERM", Reason: "stopped: manual pause"}},
		{"a stop that was not sent yet is none", []string{"connect", "add a", "pause a"}, "exit a 3", child.Exit{Kind: child.FailedExit, Code: &three, Reason: "exit code 3"}},
		{"no process", []string{"connect", "add a"}, "refused a", child.Exit{Kind: child.StartFailure, Reason: "no such file"}},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			w := newWorld(t, row.given...)

			w.do(row.when)

			got := *w.snapshot("a").LastExit
			got = child.Exit{Kind: got.Kind, Code: got.Code, Signal: got.Signal, OOMKilled: got.OOMKilled, Reason: got.Reason}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("exit (-want +got):\n%s", diff)
			}
		})
	}
}

func TestExitReportKeepsWhatTheShimSaw(t *testing.T) {
	w := newWorld(t, running("")...)
	w.now += Instant(1500 * time.Millisecond)
	code := 1

	w.last = Ready{}
	w.step(Exited{Key: w.key("a"), Code: &code, FinishedAt: w.wall(), LogTail: []string{"panic: no"}, Leftovers: []string{"7 sh"}})

	want := &child.Exit{
		Incarnation: 1, Attempt: 1, PID: 100, Kind: child.FailedExit, Code: &code, Reason: "exit code 1",
		StartedAt: epochWall, FinishedAt: w.wall(), Duration: child.Seconds(1500 * time.Millisecond),
		LogTail: []string{"panic: no"}, Leftovers: []string{"7 sh"},
	}
	if diff := cmp.Diff(want, w.snapshot("a").LastExit); diff != "" {
		t.Errorf("exit (-want +got):\n%s", diff)
	}
}

func TestOnlyTheLastExitsAreKept(t *testing.T) {
	w := newWorld(t, running("")...)
	for range child.MaxExits + 3 {
		w.do("exit a 1", "advance 10s", "started a")
	}

	s := w.snapshot("a")

	if len(s.Exits) != child.MaxExits || s.Exits[0].Attempt != 4 || s.LastExit.Attempt != 13 {
		t.Errorf("%d exits from attempt %d to %d; want %d, 4 to 13", len(s.Exits), s.Exits[0].Attempt, s.LastExit.Attempt, child.MaxExits)
	}
}

func TestBlankCauseIsRefusedNamingTheField(t *testing.T) {
	for _, row := range []struct {
		cause child.Cause
		want  string
	}{
		{child.Cause{Reason: "why"}, "requested_by is blank; say who asks and why"},
		{child.Cause{RequestedBy: "me", Reason: " \t"}, "reason is blank; say who asks and why"},
	} {
		w := newWorld(t, running("")...)

		w.last = Ready{}
		w.step(Command{ID: "cmd-9", Verb: Pause, Child: "a", Cause: row.cause})

		want := Ready{
			Facts: []Fact{{
				Kind: CommandRefused, Child: "a", Attempt: 1, PID: 100, Reason: row.want, Cause: row.cause, Correlation: "cmd-9",
				Command: &CommandFact{ID: "cmd-9", Verb: Pause, Decision: Rejected, Code: ErrInvalid},
			}},
			Replies: []Reply{{
				To: "cmd-9", Decision: Rejected, Code: ErrInvalid, Message: row.want, Before: child.Active, After: child.Active,
			}},
		}
		if diff := cmp.Diff(want, w.last); diff != "" {
			t.Errorf("pause by %+v (-want +got):\n%s", row.cause, diff)
		}
	}
}

func TestRejectedCommandsLeaveNoTraceButInTheAudit(t *testing.T) {
	w := newWorld(t, "connect")

	r := w.do("pause nobody")

	if len(r.Records)+len(r.Effects)+len(r.Changed) != 0 || len(r.Facts) != 1 || r.Facts[0].Kind != CommandRefused || len(w.tree.IDs()) != 0 {
		t.Errorf("a pause of an unknown child left %+v and the children %v", r, w.tree.IDs())
	}
}
