package machine

import (
	"strings"
	"testing"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

func TestCommandsAsACarefulOperatorExpects(t *testing.T) {
	testRules(t, []rule{
		{"a quarantine cancels a rest", running("", "exit a 1", "quarantine a"), "advance 1h", "Quarantined quarantined"},
		{"a remove cancels a rest", running("", "exit a 1", "remove a"), "advance 1h", "gone"},
		{"a pause cancels a restart that is pending", running("", "restart a", "pause a"), "exit a 0", "Stopped paused | acknowledge a#1.0"},
		{"a remove cancels a restart that is pending", running("", "restart a", "remove a"), "exit a 0", "gone | acknowledge a#1.0"},
		{"a resume starts", running("", "pause a", "exit a 0"), "resume a", "Starting active | start a#1.1 | accepted"},
		{"a resume in the middle of the stop starts after it", running("", "pause a", "resume a"), "exit a 0", "Starting active | acknowledge a#1.0, start a#1.1"},
		{"a resume starts no child that was suspended by its manifest", running("", "pause a", "update a suspend=true", "exit a 0"), "resume a", "Stopped active | accepted"},
		{"a resume of a child that nobody held back is no error", running(""), "resume a", "Running active | idempotent"},
		{"a resume of a suspended child says what to do instead", []string{"connect", "add a suspend=true"}, "resume a", "Stopped active | rejected invalid"},
		{"a pause leaves a completed child completed", running("policy=transient", "exit a 0"), "pause a", "Completed paused | accepted"},
		{"its resume does not do the job again", running("policy=transient", "exit a 0", "pause a"), "resume a", "Completed active | accepted"},
		{"nor after a crash of the reconciler", running("policy=transient", "exit a 0", "pause a", "crash", "connect"), "resume a", "Completed active | accepted"},
		{"a restart does", running("policy=transient", "exit a 0", "pause a"), "restart a", "Starting active | start a#1.1 | started_immediately"},
		{"a child that waits for a completed one is not disturbed by its pause", []string{"connect", "add b policy=transient", "started b", "exit b 0", "pause b"}, "add a deps=b:completed", "Starting active | start a#2.0 | accepted"},
		{"a restart of a child that waits for another is accepted, not started", []string{"connect", "add a deps=b"}, "restart a", "Pending active | accepted"},
		{"a changed manifest releases a quarantine", running("limit=0/60s", "exit a 1"), "update a limit=1/60s", "Starting active | start a#1.1 | accepted"},
		{"a changed manifest releases no pause", running("", "pause a", "exit a 0"), "update a grace=7s", "Stopped paused | accepted"},
		{"a new manifest that makes a supervisor of a child is a replacement", running(""), "update a supervisor", "Stopping active | SIGTERM to the tree of a#1.0 | queued_after_stop"},
		{"and the folder is there once its process is gone", running("", "update a supervisor"), "exit a 0", "Running active | acknowledge a#1.0"},
		{"a signal is checked before anything is sent", running(""), "signal a SIGFOO", "Running active | rejected invalid"},
		{"a real-time signal is sent", running(""), "signal a SIGRTMIN+3", "Running active | SIGRTMIN+3 to a#1.0 | accepted"},
		{"a child that is being stopped may be signalled", running("", "pause a"), "signal a SIGQUIT", "Stopping paused | SIGQUIT to a#1.0 | accepted"},
		{"in a shutdown too: a stack dump may tell why it hangs", running("", "shutdown"), "signal a SIGQUIT", "Stopping active | SIGQUIT to a#1.0 | accepted"},
		{"nothing undoes a removal", running("", "remove a"), "restart a", "Stopping removed | rejected still_stopping"},
		{"not even adding it again before it is gone", running("", "remove a"), "add a", "Stopping removed | rejected still_stopping"},
		{"a second shutdown joins the first", running("", "shutdown"), "shutdown", "Stopping active"},
		{"a quarantine replaces a pause", running("", "pause a", "exit a 0"), "quarantine a", "Quarantined quarantined | accepted"},
		{"and a pause a quarantine", running("", "quarantine a", "exit a 0"), "pause a", "Stopped paused | accepted"},
	})
}

func TestAShimThatKnowsNoRealTimeSignalIsAskedForNone(t *testing.T) {
	w := newWorld(t, running("")...)
	w.step(Adopted{Processes: []Process{w.process("a")}, NoRealTime: true})
	w.last = Ready{}

	w.step(Command{ID: "1", Verb: SendSignal, Child: "a", Signal: "SIGRTMIN+3", Cause: child.Cause{RequestedBy: "alice", Reason: "halt"}})

	if r := w.last.Replies[0]; r.Decision != Rejected || !strings.Contains(r.Message, "older version") || len(w.last.Effects) != 0 {
		t.Errorf("the reply is %+v with %v, want a refusal that says why", r, w.last.Effects)
	}
	w.step(Command{ID: "2", Verb: SendSignal, Child: "a", Signal: "SIGHUP", Cause: child.Cause{RequestedBy: "alice", Reason: "others it knows"}})
	if len(w.last.Effects) != 1 {
		t.Errorf("effects %v, want SIGHUP", w.last.Effects)
	}
}

func TestTheFirstPauseIsTheOneThatIsShown(t *testing.T) {
	w := newWorld(t, running("")...)
	w.step(Command{ID: "1", Verb: Pause, Child: "a", Cause: child.Cause{RequestedBy: "alice", Reason: "disk is full"}})
	w.last = Ready{}

	w.step(Command{ID: "2", Verb: Pause, Child: "a", Cause: child.Cause{RequestedBy: "bob", Reason: "to be sure"}})

	if hold := w.snapshot("a").Hold; hold == nil || hold.RequestedBy != "alice" || hold.Reason != "disk is full" {
		t.Errorf("hold = %+v, want alice's", hold)
	}
	r := w.last.Replies[0]
	if r.Decision != Idempotent || !strings.Contains(r.Message, "alice: disk is full") {
		t.Errorf("bob is told %+v; want idempotent, and who paused it", r)
	}
	if f := w.last.Facts[0]; f.Cause.RequestedBy != "bob" || f.Kind != CommandAccepted || len(w.last.Facts) != 1 {
		t.Errorf("the audit says %+v", w.last.Facts)
	}
}

func TestAPauseIsShownAfterACrashAndAChangedManifest(t *testing.T) {
	w := newWorld(t, running("", "pause a", "exit a 0", "update a grace=9s", "crash", "connect", "replace a command=new", "crash", "connect")...)

	s := w.snapshot("a")

	if s.Phase != child.Stopped || s.Operation != child.Paused || s.Hold == nil || s.Hold.RequestedBy != "alice" || s.Hold.Reason != "manual pause" {
		t.Errorf("a is %s, %s, held by %+v; want it stopped, paused by alice", s.Phase, s.Operation, s.Hold)
	}
}

func TestARestartOfAQuarantinedChildClearsWhatSpokeAgainstIt(t *testing.T) {
	w := newWorld(t, running("limit=2/60s", "exit a 1", "advance 1s", "started a", "exit a 1", "advance 1s", "started a", "exit a 1")...)
	if s := w.snapshot("a"); s.Phase != child.Quarantined || !s.RestartLimit.Exhausted {
		t.Fatalf("a is %s, limit %+v", s.Phase, s.RestartLimit)
	}

	w.do("restart a")

	s := w.snapshot("a")
	if s.Phase != child.Starting || s.Hold != nil || s.RestartLimit.Used != 0 || s.RestartLimit.Exhausted {
		t.Errorf("a is %s, held by %+v, limit %+v; want it starting with all its restarts", s.Phase, s.Hold, s.RestartLimit)
	}
}
