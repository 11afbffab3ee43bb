package machine

import (
	"fmt"
	"strings"
	"testing"
)

// situations are all phases, and those of one phase that differ in what they
// wait for or in what comes after.
var situations = []struct {
	name  string
	lines []string
}{
	{"Pending, for a dependency", []string{"connect", "add a deps=b"}},
	{"Pending, for a paused dependency", []string{"connect", "add b", "pause b", "refused b", "add a deps=b"}},
	{"Running, after a dependency with restart", []string{"connect", "add b", "started b", "add a deps=b!", "started a"}},
	{"Running, while that dependency is down", []string{"connect", "add b", "started b", "add a deps=b!", "started a", "exit b 1"}},
	{"Backoff, for want of a dependency", []string{"connect", "add b", "started b", "add a deps=b backoff=5s..10s", "started a", "exit b 1", "exit a 1"}},
	{"Pending, without a connection", []string{"add a"}},
	{"Starting", []string{"connect", "add a"}},
	{"Starting, busy", []string{"connect", "add a", "busy a"}},
	{"Starting, its pre_start hook under way", []string{"connect", "add a hooks=pre_start:2", "hook a started"}},
	{"Running", []string{"connect", "add a", "started a"}},
	{"Running, without a connection", []string{"connect", "add a", "started a", "detach"}},
	{"Running, in a shutdown behind its dependant", []string{"connect", "add a", "started a", "add b deps=a", "started b", "shutdown"}},
	{"Running, its readiness not looked at yet", []string{"connect", "add a probe=http,deadline=9s", "started a"}},
	{"Running, its first readiness under way", []string{"connect", "add a probe=http,deadline=9s live=http", "started a", "advance 1s"}},
	{"Running, its liveness under way", []string{"connect", "add a live=http", "started a", "advance 1s"}},
	{"Running, waiting for READY=1", []string{"connect", "add a probe=notify live=heartbeat", "started a"}},
	{"Running, with heartbeats", []string{"connect", "add a live=heartbeat", "started a", "beat a"}},
	{"Stopping because its liveness failed", []string{"connect", "add a live=http", "started a", "advance 1s", "fail a liveness"}},
	{"Running, its post_start hook under way", []string{"connect", "add a hooks=post_start:1", "started a", "hook a started"}},
	{"Running supervisor", []string{"connect", "add a supervisor"}},
	{"Stopping to pause", []string{"connect", "add a", "started a", "pause a"}},
	{"Stopping to pause, its start unanswered", []string{"connect", "add a", "pause a"}},
	{"Stopping to quarantine", []string{"connect", "add a", "started a", "quarantine a"}},
	{"Stopping to restart", []string{"connect", "add a", "started a", "restart a"}},
	{"Stopping to replace", []string{"connect", "add a", "started a", "replace a command=new"}},
	{"Stopping to suspend", []string{"connect", "add a", "started a", "update a suspend=true"}},
	{"Stopping to remove", []string{"connect", "add a", "started a", "remove a"}},
	{"Stopping, killed", []string{"connect", "add a", "started a", "pause a", "advance 5s"}},
	{"Stopping, given up", []string{"connect", "add a", "started a", "pause a", "advance 6s"}},
	{"Stopping in a shutdown", []string{"connect", "add a", "started a", "shutdown"}},
	{"Stopping, its pre_stop hook under way", []string{"connect", "add a hooks=pre_stop:1", "started a", "pause a", "hook a started"}},
	{"Backoff, its post_stop hook under way", []string{"connect", "add a hooks=post_stop:1", "started a", "exit a 1", "hook a started"}},
	{"Backoff", []string{"connect", "add a", "started a", "exit a 1"}},
	{"Stopped by pause", []string{"connect", "add a", "started a", "pause a", "exit a 0"}},
	{"Stopped by its manifest", []string{"connect", "add a suspend=true"}},
	{"Completed", []string{"connect", "add a policy=transient", "started a", "exit a 0"}},
	{"Failed", []string{"connect", "add a policy=temporary", "started a", "exit a 1"}},
	{"Quarantined by its limit", []string{"connect", "add a limit=0/60s", "started a", "exit a 1"}},
	{"Quarantined by command", []string{"connect", "add a", "started a", "quarantine a", "exit a 0"}},
	{"Running, to be stopped for its group after its dependant", []string{"connect", "add a", "started a", "add root supervisor strategy=one_for_all", "add b deps=a", "started b", "add c", "started c", "exit c 1"}},
	{"Pending, for the restart of its group", []string{"connect", "add root supervisor strategy=one_for_all", "add a", "started a", "add c", "started c", "exit c 1", "exit a 0"}},
	{"Backoff, of its group", []string{"connect", "add root supervisor strategy=one_for_all", "add a", "started a", "add c", "started c", "exit a 1"}},
	{"Backoff, as a supervisor that failed", []string{"connect", "add root supervisor", "add a supervisor limit=0/60s backoff=1s..1s", "add a/c", "started a/c", "exit a/c 1"}},
	{"Pending sidecar", []string{"connect", "add b", "add a sidecar=b"}},
	{"Running sidecar", []string{"connect", "add b", "started b", "add a sidecar=b", "started a"}},
	{"gone", []string{"connect", "add a", "remove a", "refused a"}},
}

var matrixEvents = []string{
	"add a", "update a", "update a grace=7s", "update a suspend=true", "update a suspend=false", "replace a command=other",
	"remove a", "restart a", "pause a", "resume a", "quarantine a", "signal a SIGHUP", "shutdown", "hurry", "leave",
	"started a", "started a.7", "busy a", "refused a", "exit a 0", "exit a 1", "exit a SIGKILL", "exit a lost", "exit a.7 0",
	"ok a readiness", "fail a readiness", "ok a liveness", "fail a liveness", "fail a liveness 7", "fail a.7 liveness",
	"ready a", "ready a.7", "unready a", "beat a", "broken a",
	"hook a started", "hook a 0", "hook a 1", "hook a refused",
	"tick", "detach", "adopt", "adopt a", "adopt a=3", "adopt a.7", "adopt a?", "crash",
}

// TestMatrix prints every situation with every event. No cell can be forgotten,
// and a change of behaviour shows in the diff of the golden file.
func TestMatrix(t *testing.T) {
	var out strings.Builder
	for _, s := range situations {
		fmt.Fprintf(&out, "%s\n", s.name)
		for _, ev := range matrixEvents {
			w := newWorld(t, s.lines...)
			fmt.Fprintf(&out, "  %-23s -> %s\n", ev, w.cell(ev))
		}
		out.WriteString("\n")
	}
	compareGolden(t, "testdata/matrix.golden", out.String())
}

// cell is what one event did, in one line.
func (w *world) cell(event string) string {
	if event == "tick" {
		next, ok := w.tree.Next()
		if !ok {
			return "never"
		}
		w.now = max(w.now, next)
		w.last = Ready{}
		w.step(Ticked{})
	} else {
		w.do(event)
	}
	state := "gone"
	if s, ok := w.tree.Snapshot("a"); ok {
		state = fmt.Sprintf("%s %s", s.Phase, s.Operation)
		if s.Ready && s.Spec.Readiness != nil {
			state += ", ready"
		}
	}
	for _, part := range []string{w.effects(), w.answer()} {
		if part != "" {
			state += " | " + part
		}
	}
	for _, f := range w.last.Facts {
		if f.Kind == StaleReportIgnored {
			state += " | stale"
		}
	}
	return state
}
