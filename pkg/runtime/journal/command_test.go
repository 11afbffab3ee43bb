package journal

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

func TestACommandIsToldWithWhoAskedForWhatAndWhatBecameOfIt(t *testing.T) {
	dir := t.TempDir()
	f := diary(t, dir)
	by := child.Cause{RequestedBy: "alice", Reason: "deploy"}

	must(t, f.Append([]machine.Fact{
		{Kind: machine.CommandRefused, Child: "jobs/web", Cause: by, Reason: "no such signal", Correlation: "run-1", Command: &machine.CommandFact{
			ID: "run-1", Verb: machine.SendSignal, Signal: "SIGFOO", Decision: machine.Rejected, Code: machine.ErrInvalid,
		}},
		{Kind: machine.CommandAccepted, Cause: by, Correlation: "run-2", Command: &machine.CommandFact{
			ID: "run-2", Verb: machine.ShutdownTree, Decision: machine.Accepted,
		}},
	}, noon))

	data, err := os.ReadFile(filepath.Join(dir, "00000000000000000001.jsonl"))
	must(t, err)
	want := []string{
		`{"sequence":1,"time":"2026-11-24T11:00:00.000000123Z","type":"command_refused","child_id":"jobs/web","generation":0,"attempt":0,"reason":"no such signal","requested_by":"alice","request_reason":"deploy","correlation_id":"run-1","command":{"command_id":"run-1","verb":"signal","target":"/jobs/web","signal":"SIGFOO","result":"rejected","code":"invalid"}}`,
		`{"sequence":2,"time":"2026-11-24T11:00:00.000000123Z","type":"command_accepted","generation":0,"attempt":0,"reason":"deploy","requested_by":"alice","correlation_id":"run-2","command":{"command_id":"run-2","verb":"shutdown_tree","target":"/","result":"accepted"}}`,
	}
	if diff := cmp.Diff(want, strings.Split(strings.TrimSpace(string(data)), "\n")); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}
