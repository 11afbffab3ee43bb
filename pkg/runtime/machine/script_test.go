package machine

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

var update = flag.Bool("update", false, "write the golden files anew; read the diff before you commit it")

// TestScripts replays the stories of testdata. A line at the margin is a command
// of world.line or a comment; the indented lines below it are what came of it.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts in testdata: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			compareGolden(t, file, replay(t, string(text)))
		})
	}
}

func compareGolden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s differs (-want +got); if that is right: go test -run %s -update\n%s", file, t.Name(), diff)
	}
}

func replay(t *testing.T, script string) string {
	w := newWorld(t)
	var out strings.Builder
	for line := range strings.Lines(script) {
		if strings.HasPrefix(line, " ") {
			continue // what came of it when it was recorded
		}
		out.WriteString(line)
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		w.do(line)
		w.trace(&out)
	}
	return out.String()
}

// trace writes what came of the last line.
func (w *world) trace(out *strings.Builder) {
	for _, r := range w.last.Records {
		fmt.Fprintf(out, "  record   %s\n", recordWords(r))
	}
	for _, e := range w.last.Effects {
		fmt.Fprintf(out, "  effect   %s\n", effectWords(e))
	}
	for _, f := range w.last.Facts {
		fmt.Fprintf(out, "  fact     %s\n", factWords(f))
	}
	for _, r := range w.last.Replies {
		fmt.Fprintf(out, "  reply    %s\n", replyDetail(r))
	}
	for i, id := range w.last.Changed {
		if !contains(w.last.Changed[i+1:], id) {
			fmt.Fprintf(out, "  child    %s\n", w.childWords(id))
		}
	}
}

func contains(ids []child.ID, id child.ID) bool {
	for _, other := range ids {
		if other == id {
			return true
		}
	}
	return false
}

func recordWords(r Record) string {
	if r.Gone {
		return fmt.Sprintf("%s is gone, incarnation %d", r.ID, r.Incarnation)
	}
	words := fmt.Sprintf("%s %s, generation %d", r.ID, r.Phase, r.Generation)
	if r.Operation != child.Active {
		words += ", " + string(r.Operation)
	}
	if r.Stopping != nil {
		words += ", stop for " + r.Stopping.Why + " " + r.Stopping.Stage
	}
	if r.Sync {
		words += ", sync"
	}
	return words
}

func factWords(f Fact) string {
	words := string(f.Kind)
	for _, part := range []string{string(f.Child), factDetail(f)} {
		if part != "" {
			words += " " + part
		}
	}
	return words + " (" + f.Correlation + ")"
}

func factDetail(f Fact) string {
	switch {
	case f.Command != nil:
		return fmt.Sprintf("%s, %s %s", f.Command.Verb, f.Command.Decision, f.Command.Code)
	case f.To != "":
		return strings.TrimSpace(fmt.Sprintf("%s to %s: %s", f.From, f.To, f.Reason))
	case f.Limit != nil:
		return fmt.Sprintf("%d of %d used", f.Limit.Used, f.Limit.Limit)
	case f.Delay > 0:
		return fmt.Sprintf("for %s: %s", f.Delay, f.Reason)
	case f.Exit != nil:
		return fmt.Sprintf("%s: %s", f.Exit.Kind, f.Reason)
	}
	return f.Reason
}

func replyDetail(r Reply) string {
	words := replyWords(r)
	if r.Message != "" {
		words += ": " + r.Message
	}
	if r.Report == nil {
		return words
	}
	words += ", after " + r.Report.CompletedAt.Sub(r.Report.StartedAt).String()
	for _, o := range r.Report.Outcomes {
		words += fmt.Sprintf("\n             %s %s in %s", o.ChildID, o.Status, o.Phase)
	}
	return words
}

func (w *world) childWords(id child.ID) string {
	s, ok := w.tree.Snapshot(id)
	if !ok {
		return string(id) + " is gone"
	}
	words := fmt.Sprintf("%s %s", id, s.Phase)
	add := func(on bool, format string, args ...any) {
		if on {
			words += ", " + fmt.Sprintf(format, args...)
		}
	}
	add(s.PID > 0, "pid %d", s.PID)
	add(len(s.WaitsFor) > 0, "waits for %s", strings.Join(s.WaitsFor, " and "))
	add(!s.NextRestartAt.IsZero(), "next start at %s", s.NextRestartAt.Sub(epochWall))
	add(!s.StopDeadline.IsZero(), "stop deadline at %s", s.StopDeadline.Sub(epochWall).Round(time.Millisecond))
	add(s.PendingRestart != nil, "restart pending")
	add(s.StopState == child.StopFailed, "stop failed")
	for _, c := range s.Conditions {
		if c.Type != child.ConditionReconciling {
			words += fmt.Sprintf(" [%s %s: %s]", c.Type, c.Status, c.Reason)
		}
	}
	return words
}
