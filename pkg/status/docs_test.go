package status

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/desired"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// site is a directory with status files as the writer encodes them.
type site struct {
	t   *testing.T
	dir string
}

func newSite(t *testing.T) *site {
	s := &site{t, t.TempDir()}
	s.runtime(func(*Runtime) {})
	s.child("payments/worker", func(*child.Snapshot) {})
	return s
}

func (s *site) write(name string, text []byte) {
	s.t.Helper()
	file := filepath.Join(s.dir, "status", name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o644); err != nil {
		s.t.Fatal(err)
	}
}

// runtime writes reconciler.json of a reconciler that is alive now, as change has it.
func (s *site) runtime(change func(*Runtime)) {
	now := time.Now().UTC()
	r := &Runtime{SchemaVersion: SchemaVersion, State: Alive, PID: 77, StartedAt: now, ObservedAt: now, ValidUntil: now.Add(time.Hour),
		Children: Counts{Total: 3, Ready: 3, ByPhase: map[child.Phase]int{}}, Problems: []desired.Problem{}, Conditions: []child.ConditionState{},
		Shim: Shim{PID: 78, Connected: true}}
	for _, p := range child.Phases() {
		r.Children.ByPhase[p] = 0
	}
	r.Children.ByPhase[child.Running] = 3
	change(r)
	s.write(runtimeFile, EncodeRuntime(r))
}

func (s *site) child(id child.ID, change func(*child.Snapshot)) {
	c := workerSnapshot()
	c.ID = id
	c.Conditions = c.Conditions[:1] // ready
	change(c)
	s.write(string(id)+".json", Encode(c, declared(c)))
}

// needs skips a test where a program of the examples is missing; .ci/run brings it.
func needs(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Skipf("%s is not installed (Debian: apt-get install %s)", program, program)
	}
}

// run runs a line of shell beside the status directory.
func (s *site) run(line string) (out string, code int) {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), "sh", "-c", line)
	cmd.Dir = s.dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	text, err := cmd.Output()
	if stderr.Len() > 0 {
		s.t.Errorf("%s\nsays on stderr: %s", line, stderr.String())
	}
	if _, exited := err.(*exec.ExitError); err != nil && !exited {
		s.t.Fatal(err)
	}
	return string(text), cmd.ProcessState.ExitCode()
}

func (s *site) check(args string) (string, int) {
	script, err := filepath.Abs("../../docs/examples/check_reconciler")
	if err != nil {
		s.t.Fatal(err)
	}
	return s.run("sh " + script + " " + args)
}

func TestCheckForNagiosSaysHowTheRuntimeIs(t *testing.T) {
	needs(t, "jq")
	condition := func(kind child.ConditionType, reason, message string) func(*Runtime) {
		return func(r *Runtime) {
			r.Conditions = append(r.Conditions, child.ConditionState{Type: kind, Status: isTrue, Reason: reason, Message: message})
		}
	}
	for name, row := range map[string]struct {
		change func(*Runtime)
		code   int
		want   string
	}{
		"well":         {func(*Runtime) {}, 0, "RECONCILER OK - 3 of 3 children ready | backoff=0 completed=0 failed=0 pending=0 quarantined=0 running=3 starting=0 stopped=0 stopping=0 ready=3;;;0;3 problems=0\n"},
		"dead":         {func(r *Runtime) { r.ValidUntil = time.Now().Add(-time.Minute) }, 2, "RECONCILER CRITICAL - it is dead: last seen "},
		"ended":        {func(r *Runtime) { r.ExitReport = &ExitReport{State: Completed, Reason: "told to end"} }, 2, "RECONCILER CRITICAL - it has ended: told to end |"},
		"degraded":     {condition(ConditionDegraded, "CriticalChildCannotRun", "payments/db"), 2, "RECONCILER CRITICAL - critical children cannot run: payments/db |"},
		"held":         {condition(child.ConditionStalled, "EmptySource", "a | b"), 1, "RECONCILER WARNING - EmptySource: a   b |"},
		"no shim":      {func(r *Runtime) { r.Shim.Connected = false }, 1, "RECONCILER WARNING - no connection to its shim |"},
		"quarantined":  {func(r *Runtime) { r.Children.ByPhase[child.Quarantined] = 2 }, 1, "RECONCILER WARNING - 2 quarantined |"},
		"failed":       {func(r *Runtime) { r.Children.ByPhase[child.FailedPhase] = 1 }, 1, "RECONCILER WARNING - 1 failed |"},
		"bad manifest": {func(r *Runtime) { r.Problems = []desired.Problem{{File: "a.yaml", Field: "kind", Reason: "is wrong"}} }, 1, "RECONCILER WARNING - 1 problems, first a.yaml kind is wrong |"},
	} {
		s := newSite(t)
		s.runtime(row.change)

		got, code := s.check("")

		if code != row.code || !strings.HasPrefix(got, row.want) {
			t.Errorf("%s: code %d, %q; want %d and %q", name, code, got, row.code, row.want)
		}
	}
}

func TestCheckForNagiosSaysHowChildrenAre(t *testing.T) {
	needs(t, "jq")
	s := newSite(t)
	s.child("idle", func(c *child.Snapshot) {
		c.Phase, c.Conditions = child.Completed, []child.ConditionState{{Type: child.ConditionReady, Status: isFalse}}
	})
	s.child("slow", func(c *child.Snapshot) {
		c.Conditions = []child.ConditionState{{Type: child.ConditionReady, Status: isFalse}}
	})
	s.child("held", func(c *child.Snapshot) { c.Phase = child.Quarantined })
	s.child("loops", func(c *child.Snapshot) {
		c.Phase = child.BackingOff
		c.Conditions = append(c.Conditions[:0:0], child.ConditionState{Type: child.ConditionCrashLooping, Status: isTrue})
	})
	for args, want := range map[string]struct {
		code int
		text string
	}{
		"payments/worker":      {0, "RECONCILER OK - payments/worker is Running\n"},
		"idle payments/worker": {0, "RECONCILER OK - idle is Completed; payments/worker is Running\n"},
		"slow idle":            {1, "RECONCILER WARNING - slow is Running, not ready; idle is Completed\n"},
		"held slow":            {2, "RECONCILER CRITICAL - held is Quarantined: exit code 1; slow is Running, not ready\n"},
		"loops":                {2, "RECONCILER CRITICAL - loops is Backoff and restarts again and again: exit code 1\n"},
		"nobody":               {2, "RECONCILER CRITICAL - nobody is not there\n"},
		"-d elsewhere":         {3, "RECONCILER UNKNOWN - there is no elsewhere/reconciler.json that can be read: is this the directory of --status?\n"},
	} {
		if got, code := s.check(args); code != want.code || got != want.text {
			t.Errorf("check_reconciler %s: code %d, %q; want %d, %q", args, code, got, want.code, want.text)
		}
	}
	s.runtime(func(r *Runtime) { r.ExitReport = &ExitReport{Reason: "told to end"} })
	if got, code := s.check("idle"); code != 2 || !strings.Contains(got, "told to end") {
		t.Errorf("a child of a reconciler that has ended: code %d, %q; want 2 and the reason", code, got)
	}
}

func TestCommandsOfTheStatusPageRun(t *testing.T) {
	needs(t, "jq")
	s := newSite(t)
	s.runtime(func(r *Runtime) {
		r.Problems = []desired.Problem{{File: "a.yaml", Line: 3, Column: 1, Field: "kind", Reason: "is wrong"}}
	})
	s.child("eu/web", func(c *child.Snapshot) {
		c.Conditions = []child.ConditionState{{Type: child.ConditionReady, Status: isFalse, Reason: "Backoff", Message: "it rests"}}
	})
	want := map[string]string{
		"exit_report == null": "true\n",
		"@tsv":                "eu/web\tRunning\tFalse\npayments/worker\tRunning\tTrue\n",
		"!= \"True\"":         "eu/web: Backoff it rests\n",
		".last_exit":          "failed: exit code 1\nreading <queue>\nno such queue: mail & co\n",
		".problems[]":         "a.yaml:3:1: kind: is wrong\n",
		"by_phase":            "{\"Running\":3}\n",
	}
	page, err := os.ReadFile("../../docs/status.md")
	if err != nil {
		t.Fatal(err)
	}

	commands := regexp.MustCompile(`(?m)^jq .*$`).FindAllString(string(page), -1)

	if len(commands) != len(want) {
		t.Errorf("%d commands, want %d", len(commands), len(want))
	}
	for _, line := range commands {
		got, _ := s.run(line)
		known := false
		for part, text := range want {
			if strings.Contains(line, part) {
				known = true
				if !strings.HasSuffix(got, text) {
					t.Errorf("%s\nprints %q, want %q", line, got, text)
				}
			}
		}
		if !known {
			t.Errorf("what does %s print?", line)
		}
	}
}

func TestStatusPageNamesEveryField(t *testing.T) {
	page, err := os.ReadFile("../../docs/status.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, of := range []func() ([]byte, error){Schema, RuntimeSchema} {
		text, err := of()
		if err != nil {
			t.Fatal(err)
		}
		var schema struct {
			Properties map[string]json.RawMessage `json:"properties"`
		}
		if err := json.Unmarshal(text, &schema); err != nil {
			t.Fatal(err)
		}
		for field := range schema.Properties {
			if !strings.Contains(string(page), "`"+field+"`") {
				t.Errorf("docs/status.md does not name the field %s", field)
			}
		}
	}
}
