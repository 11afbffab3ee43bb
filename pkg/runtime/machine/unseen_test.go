package machine

import (
	"slices"
	"strings"
	"testing"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

func isStart(effect string) bool { return strings.HasPrefix(effect, "start ") }

func TestNothingOfAnEarlierRunStartsBeforeALook(t *testing.T) {
	tests := map[string]struct {
		before []string
		found  string // what the next run is told of processes
		seen   string // what starts after a look
	}{
		"stopped by a shutdown":         {[]string{"add a", "started a", "shutdown", "exit a 0"}, "connect", "start a#1.1"},
		"gone with a reboot":            {[]string{"add a", "started a"}, "connect", "start a#1.1"},
		"its start was lost on the way": {[]string{"add a"}, "connect", "start a#1.0"},
		"its hook was lost on the way":  {[]string{"add a hooks=pre_start:1"}, "connect", "start a#1.0:pre_start.1"},
		"its hook is over":              {[]string{"add a hooks=pre_start:1", "hook a started"}, "adopt a#hook", "start a#1.0"},
		"a restart of it was asked for": {[]string{"add a", "started a", "restart a"}, "connect", "start a#1.1"},
		"ended while nobody was there":  {[]string{"add a", "started a"}, "adopt a=3", "start a#1.1"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, append([]string{"connect"}, tt.before...)...)
			w.do("look 10s", "crash")

			var early []string
			note := func() { early = append(early, strings.Split(w.effects(), ", ")...) }
			if tt.found == "adopt a#hook" {
				w.step(Adopted{Processes: []Process{{Key: w.hookKey("a"), PID: 500}}})
				note()
				w.do("hook a 0")
			} else {
				w.do(tt.found)
			}
			note()
			w.do("advance 5s")
			note()

			if slices.ContainsFunc(early, isStart) {
				t.Errorf("before a look: %v", early)
			}
			if got := w.snapshot("a").WaitsFor; len(got) == 0 || !strings.HasPrefix(strings.Join(got, ", "), waitsForLook) && !strings.Contains(got[0], "pre_start") {
				t.Errorf("it waits for %v, want a look", got)
			}
			w.do("seen a")
			if got := w.effects(); !strings.Contains(got, tt.seen) {
				t.Errorf("after a look: %q, want %q", got, tt.seen)
			}
		})
	}
}

func TestWhatALookFoundStartsAndNothingElse(t *testing.T) {
	tests := map[string]struct{ look, want string }{
		"another command": {"replace a command=new", "start a#1.1"},
		"suspended":       {"update a suspend=true", ""},
		"taken out":       {"remove a", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "connect", "add a", "started a", "look 10s", "crash", "connect", "advance 1s")

			w.do(tt.look)
			got := w.effects()
			w.do("seen a", "advance 20s")

			if got != tt.want {
				t.Errorf("%s leads to %q, want %q", tt.look, got, tt.want)
			}
			if got := w.effects(); isStart(got) {
				t.Errorf("and later to %q", got)
			}
		})
	}
}

func TestWhatRunsIsAdoptedWithoutALook(t *testing.T) {
	w := newWorld(t, "connect", "add a", "started a", "look 10s", "crash")

	w.do("adopt a")

	if s := w.snapshot("a"); s.Phase != child.Running || !s.Ready || len(s.WaitsFor) > 0 {
		t.Errorf("%s, ready %v, waits for %v; want it as it was", s.Phase, s.Ready, s.WaitsFor)
	}
}

func TestLastDeclarationHoldsIfNobodyCouldLookInTime(t *testing.T) {
	w := newWorld(t, "connect", "add a", "started a", "look 10s", "crash", "connect", "advance 9s")

	r := w.do("advance 1s")

	if got := w.effects(); got != "start a#1.1" {
		t.Errorf("after the time for a look: %q, want a start", got)
	}
	told := false
	for _, f := range r.Facts {
		told = told || f.Kind == ChildUnseen && strings.Contains(f.Reason, "within 10s")
	}
	if !told {
		t.Errorf("facts %+v do not tell that nobody looked", r.Facts)
	}
	if got := conditions(w.snapshot("a")); !strings.Contains(got, "ManifestSeen=False") {
		t.Errorf("conditions %s do not tell that nobody looked", got)
	}
	w.do("seen a")
	if got := conditions(w.snapshot("a")); strings.Contains(got, "ManifestSeen") {
		t.Errorf("conditions %s after a look", got)
	}
}
