package machine

import (
	"fmt"
	"slices"
	"testing"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

func TestHotLoopsAreToldFromOtherFailures(t *testing.T) {
	crash := func(ran string) []string { return []string{"advance " + ran, "exit a 1", "advance 3s", "started a"} }
	three := func(ran string) []string {
		return append(then(crash(ran), crash(ran)...), crash(ran)...)
	}
	for _, row := range []struct {
		sentence, options string
		lines             []string
		want              string
	}{
		{"three failures of less than a second within ten are a hot loop", "", three("900ms"), "HotLoop"},
		{"so are failed starts", "", append([]string{"exit a 1", "advance 100ms"}, "refused a", "advance 200ms", "refused a"), "HotLoop"},
		{"attempts that ran longer are quick failures", "", three("1s"), "QuickFailures"},
		{"so are those that the rests keep apart", "backoff=6s..6s", []string{"exit a 1", "advance 6s", "started a", "exit a 1", "advance 6s", "started a", "exit a 1"}, "QuickFailures"},
		{"attempts that ran for reset_after fail slowly", "reset=2s", three("2s"), ""},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			w := newWorld(t, running(row.options, row.lines...)...)

			got := ""
			for _, c := range w.snapshot("a").Conditions {
				if c.Type == child.ConditionCrashLooping {
					got = c.Reason
				}
			}
			if got != row.want {
				t.Errorf("reason %q, want %q", got, row.want)
			}
		})
	}
}

func TestACriticalChildThatCannotRunIsUnwell(t *testing.T) {
	crash := []string{"exit a 1", "advance 10s", "started a"}
	for _, row := range []struct {
		sentence string
		lines    []string
		want     string
	}{
		{"one that runs is well", running("critical"), "[]"},
		{"one that rests is on its way", running("critical", "exit a 1"), "[]"},
		{"one that crashes in a loop is not, also while it runs", running("critical", slices.Concat(crash, crash, crash)...), "[a]"},
		{"one that failed is not", running("critical policy=temporary", "exit a 1"), "[a]"},
		{"one that is quarantined is not", running("critical", "quarantine a"), "[]"},
		{"once it is stopped", running("critical", "quarantine a", "exit a 0"), "[a]"},
		{"one that did not start is not", []string{"connect", "add a critical", "refused a"}, "[a]"},
		{"one that was paused is as it should be", running("critical", "pause a", "exit a 0"), "[]"},
		{"one that is done is", running("critical policy=transient", "exit a 0"), "[]"},
		{"an optional one is only noted", running("policy=temporary", "exit a 1"), "[]"},
		{"until it is removed", running("critical policy=temporary", "exit a 1", "remove a"), "[]"},
		{"or started again", running("critical policy=temporary", "exit a 1", "restart a"), "[]"},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			w := newWorld(t, row.lines...)

			if got := fmt.Sprint(w.tree.Unwell()); got != row.want {
				t.Errorf("unwell: %s, want %s", got, row.want)
			}
		})
	}
}

func TestTheRunEndsWithItsCriticalChild(t *testing.T) {
	for _, row := range []struct {
		sentence string
		lines    []string
		ends     bool
	}{
		{"that ended well", []string{"add a critical policy=transient", "started a", "exit a 0"}, true},
		{"that failed", []string{"add a critical policy=temporary", "started a", "exit a 3"}, true},
		{"that used up its limit", []string{"add a critical limit=0/60s", "started a", "exit a 3"}, true},
		{"not when it starts again", []string{"add a critical", "started a", "exit a 3"}, false},
		{"not when an operator quarantined it", []string{"add a critical", "started a", "quarantine a", "exit a 0"}, false},
		{"not when it is optional", []string{"add a policy=temporary", "started a", "exit a 3"}, false},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			w := newWorld(t, append([]string{"exit-on-critical", "connect"}, row.lines...)...)

			if w.tree.Done() != row.ends {
				t.Fatalf("the run ends: %v, want %v", w.tree.Done(), row.ends)
			}
			if r := w.tree.Report(); row.ends && (r.EndedBy != "a" || r.Exit == nil || r.Exit.Code == nil) {
				t.Errorf("report %+v", r)
			}
		})
	}
}
