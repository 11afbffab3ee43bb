package metrics

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// world is a runtime as a test sets it.
type world struct {
	children []*child.Snapshot
	shim     bool
	problems int
	metrics  *Metrics
}

func newWorld(children ...*child.Snapshot) *world {
	w := &world{children: children, shim: true}
	w.metrics = New(Options{
		Children: func() []*child.Snapshot { return w.children },
		ShimUp:   func() bool { return w.shim },
		Problems: func() int { return w.problems },
	})
	return w
}

func worker(id child.ID, phase child.Phase) *child.Snapshot {
	return &child.Snapshot{ID: id, Spec: &child.Spec{Kind: child.AsyncWorker}, Phase: phase, PID: 7, Ready: phase == child.Running}
}

// told observes facts of one child, a second apart.
func (w *world) told(facts ...machine.Fact) {
	for i, f := range facts {
		if f.Child == "" {
			f.Child = "web"
		}
		w.metrics.Observe([]machine.Fact{f}, noon.Add(time.Duration(i)*time.Second))
	}
}

func exited(kind child.ExitKind) machine.Fact {
	return machine.Fact{Kind: machine.ChildExited, Exit: &child.Exit{Kind: kind}}
}

func starting(attempt child.Attempt) machine.Fact {
	return machine.Fact{Kind: machine.ChildStarting, Attempt: attempt}
}

// scrape is what Prometheus gets, without comments and the collectors of others.
func (w *world) scrape(t *testing.T) string {
	t.Helper()
	r := httptest.NewRecorder()
	w.metrics.Handler().ServeHTTP(r, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if r.Code != http.StatusOK {
		t.Fatalf("scrape: %d %s", r.Code, r.Body)
	}
	return r.Body.String()
}

// series are the lines of a scrape that begin with one of the names.
func series(text string, names ...string) string {
	var lines []string
	for line := range strings.Lines(text) {
		if slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(line, n+"{") || strings.HasPrefix(line, n+" ") }) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

func TestScrapeSaysWhatHoldsNow(t *testing.T) {
	stopping := worker("eu/db", child.Stopping)
	w := newWorld(worker("web", child.Running), stopping, worker("job", child.Completed),
		&child.Snapshot{ID: "eu", Spec: &child.Spec{Kind: child.Supervisor}, Phase: child.Running, Ready: true})
	w.problems, w.shim = 2, false

	got := series(w.scrape(t), "reconciler_children", "reconciler_child_up", "reconciler_child_ready", "reconciler_manifest_problems", "reconciler_shim_up")

	want := `reconciler_child_ready{child="eu/db"} 0
reconciler_child_ready{child="job"} 0
reconciler_child_ready{child="web"} 1
reconciler_child_up{child="eu/db"} 1
reconciler_child_up{child="job"} 0
reconciler_child_up{child="web"} 1
reconciler_children{phase="Backoff"} 0
reconciler_children{phase="Completed"} 1
reconciler_children{phase="Failed"} 0
reconciler_children{phase="Pending"} 0
reconciler_children{phase="Quarantined"} 0
reconciler_children{phase="Running"} 1
reconciler_children{phase="Starting"} 0
reconciler_children{phase="Stopped"} 0
reconciler_children{phase="Stopping"} 1
reconciler_manifest_problems 2
reconciler_shim_up 0
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("scrape (-want +got):\n%s", diff)
	}
}

func TestExitsAndRestartsAreCountedByTheirReason(t *testing.T) {
	w := newWorld(worker("web", child.Running))
	w.told(
		machine.Fact{Kind: machine.ChildAdded}, starting(1), machine.Fact{Kind: machine.ChildRunning},
		exited(child.FailedExit), starting(2), exited(child.FailedExit), starting(3),
		exited(child.OOMKilled), starting(4), exited(child.Cancelled), starting(5),
		machine.Fact{Kind: machine.ChildStartFailed, Exit: &child.Exit{Kind: child.StartFailure}}, starting(6),
	)

	got := series(w.scrape(t), "reconciler_child_exits_total", "reconciler_child_restarts_total")

	want := `reconciler_child_exits_total{child="web",kind="cancelled"} 1
reconciler_child_exits_total{child="web",kind="failed"} 2
reconciler_child_exits_total{child="web",kind="oom_killed"} 1
reconciler_child_exits_total{child="web",kind="start_failed"} 1
reconciler_child_restarts_total{child="web",reason="failed"} 2
reconciler_child_restarts_total{child="web",reason="oom_killed"} 1
reconciler_child_restarts_total{child="web",reason="requested"} 1
reconciler_child_restarts_total{child="web",reason="start_failed"} 1
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("counters (-want +got):\n%s", diff)
	}
}

func TestCountersBeginAtZeroAlsoForAdoptedChildren(t *testing.T) {
	adopted := worker("web", child.BackingOff)
	adopted.RestartCount, adopted.LastExit = 40, &child.Exit{Kind: child.Signaled}
	w := newWorld(adopted)

	before := series(w.scrape(t), "reconciler_child_restarts_total")
	w.told(starting(41))
	after := series(w.scrape(t), "reconciler_child_restarts_total")

	if want := "reconciler_child_restarts_total{child=\"web\",reason=\"failed\"} 0\n"; before != want {
		t.Errorf("before = %q, want %q", before, want)
	}
	if want := "reconciler_child_restarts_total{child=\"web\",reason=\"failed\"} 0\nreconciler_child_restarts_total{child=\"web\",reason=\"signaled\"} 1\n"; after != want {
		t.Errorf("after = %q, want %q", after, want)
	}
}

func TestSeriesOfARemovedChildGoAway(t *testing.T) {
	w := newWorld(worker("web", child.Running), worker("db", child.Running))
	w.told(machine.Fact{Kind: machine.ChildAdded}, exited(child.FailedExit))

	w.children = w.children[1:]
	gone := w.scrape(t)
	w.told(machine.Fact{Kind: machine.ChildRemoved}, exited(child.FailedExit))
	if kept := w.metrics.byID["web"]; kept != nil {
		t.Errorf("the counts of web, which is removed, are kept: %+v", kept)
	}
	w.children = append(w.children, worker("web", child.Running))
	w.told(machine.Fact{Kind: machine.ChildAdded})
	again := series(w.scrape(t), "reconciler_child_exits_total")

	if strings.Contains(gone, `child="web"`) {
		t.Errorf("web is gone and still has series:\n%s", series(gone, "reconciler_child_up", "reconciler_child_exits_total"))
	}
	if want := "reconciler_child_exits_total{child=\"db\",kind=\"failed\"} 0\nreconciler_child_exits_total{child=\"web\",kind=\"failed\"} 0\n"; again != want {
		t.Errorf("another child of the name begins at %q, want %q", again, want)
	}
}

func TestStartsAreMeasuredUntilTheProcessRunsAndUntilItIsReady(t *testing.T) {
	w := newWorld(worker("web", child.Running))
	ready := machine.Fact{Kind: machine.ChildReady}
	w.told(machine.Fact{Kind: machine.ChildAdded}, starting(1), machine.Fact{Kind: machine.ChildRunning}, ready, // after one and two seconds
		ready,                                        // again, later: not a start
		machine.Fact{Kind: machine.ChildAdopted},     // not started by us
		starting(2), exited(child.FailedExit), ready, // never came up
	)

	got := series(w.scrape(t), "reconciler_child_start_duration_seconds_sum", "reconciler_child_start_duration_seconds_count")

	want := `reconciler_child_start_duration_seconds_sum{until="ready"} 2
reconciler_child_start_duration_seconds_count{until="ready"} 1
reconciler_child_start_duration_seconds_sum{until="running"} 1
reconciler_child_start_duration_seconds_count{until="running"} 1
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("starts (-want +got):\n%s", diff)
	}
}

func TestCommandsActionsPassesAndProbesAreCounted(t *testing.T) {
	w := newWorld()
	w.told(machine.Fact{Kind: machine.CommandAccepted, Command: &machine.CommandFact{Verb: machine.Restart, Decision: machine.QueuedAfterStop}},
		machine.Fact{Kind: machine.CommandRefused, Command: &machine.CommandFact{Verb: machine.Restart, Decision: machine.Rejected}})
	w.metrics.ObservePass(2 * time.Second)
	w.metrics.ObserveAction("add", "accepted")
	w.metrics.ObserveProbe("liveness", "failure", time.Second)

	text := w.scrape(t)

	for _, want := range []string{
		`reconciler_commands_total{command="restart",result="queued_after_stop"} 1`,
		`reconciler_commands_total{command="restart",result="rejected"} 1`,
		`reconciler_commands_total{command="pause",result="rejected"} 0`,
		`reconciler_reconcile_duration_seconds_sum 2`,
		`reconciler_reconcile_actions_total{action="add",result="accepted"} 1`,
		`reconciler_probe_duration_seconds_count{probe="liveness",result="failure"} 1`,
		`go_goroutines `, `process_resident_memory_bytes `,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the scrape lacks %s", want)
		}
	}
}

// full is a world in which every metric has a series.
func full() *world {
	web := worker("web", child.Running)
	web.Spec.HealthCheck = &child.HealthCheck{Probe: child.Probe{Heartbeat: true}}
	web.Spec.Logs.WhenFull = child.DropOutput
	w := newWorld(web)
	w.told(machine.Fact{Kind: machine.ChildAdded}, starting(1), machine.Fact{Kind: machine.ChildRunning}, machine.Fact{Kind: machine.ChildReady})
	w.metrics.ObserveProbe("readiness", "success", time.Millisecond)
	return w
}

func TestNamesAndUnitsFollowTheConventions(t *testing.T) {
	w := full()
	pedantic := prometheus.NewPedanticRegistry()
	pedantic.MustRegister((*now)(w.metrics))
	if _, err := pedantic.Gather(); err != nil {
		t.Errorf("what is collected is not what was described: %v", err)
	}

	problems, err := testutil.GatherAndLint(w.metrics.registry)

	if err != nil || len(problems) > 0 {
		t.Errorf("lint: %v, %v", problems, err)
	}
}

func TestPromtoolHasNothingToSay(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not installed (Debian: apt-get install prometheus); the same rules as a library were checked")
	}
	cmd := exec.CommandContext(t.Context(), promtool, "check", "metrics")
	cmd.Stdin = strings.NewReader(full().scrape(t))

	said, err := cmd.CombinedOutput()

	if err != nil || len(said) > 0 {
		t.Errorf("promtool check metrics: %v\n%s", err, said)
	}
}

func TestMoreScrapesThanAFewAreRefused(t *testing.T) {
	inside, leave := make(chan struct{}, 10), make(chan struct{})
	m := New(Options{
		Children: func() []*child.Snapshot { return nil },
		ShimUp:   func() bool { inside <- struct{}{}; <-leave; return true },
		Problems: func() int { return 0 },
	})
	server := httptest.NewServer(m.Handler())
	defer server.Close()
	answers := make(chan int)
	get := func() {
		r, err := http.Get(server.URL)
		if err != nil {
			answers <- 0
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		r.Body.Close()
		answers <- r.StatusCode
	}
	for range scrapes {
		go get()
		<-inside
	}

	go get()
	refused := <-answers
	close(leave)

	if refused != http.StatusServiceUnavailable {
		t.Errorf("one scrape too many is answered with %d, want 503", refused)
	}
	for range scrapes {
		if code := <-answers; code != http.StatusOK {
			t.Errorf("a scrape within the limit is answered with %d", code)
		}
	}
}

func TestMessagesThatWereNotHeardAreCountedByWhoSentThem(t *testing.T) {
	speaker, other := worker("web", child.Running), worker("job", child.Running)
	speaker.Spec.Readiness = &child.Readiness{Probe: child.Probe{Notify: true}}
	speaker.Said = child.Said{Refusals: 2, Foreign: 9000}

	got := series(newWorld(speaker, other).scrape(t), "reconciler_child_notices_refused_total")

	want := `reconciler_child_notices_refused_total{child="web",from="other"} 9000
reconciler_child_notices_refused_total{child="web",from="own"} 2
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestOutputThatCannotBeWrittenIsMeasuredAndWhatWasDroppedCounted(t *testing.T) {
	held, loses, well := worker("held", child.Running), worker("loses", child.Running), worker("well", child.Running)
	held.Log = child.LogState{Blocked: "no space left on device"}
	loses.Spec.Logs.WhenFull = child.DropOutput
	loses.Log = child.LogState{Blocked: "no space left on device", Drops: true, Dropped: 4096}

	text := newWorld(held, loses, well).scrape(t)

	want := `reconciler_child_output_blocked{child="held"} 1
reconciler_child_output_blocked{child="loses"} 1
reconciler_child_output_blocked{child="well"} 0
`
	if diff := cmp.Diff(want, series(text, "reconciler_child_output_blocked")); diff != "" {
		t.Error(diff)
	}
	want = "reconciler_child_output_dropped_bytes_total{child=\"loses\"} 4096\n"
	if diff := cmp.Diff(want, series(text, "reconciler_child_output_dropped_bytes_total")); diff != "" {
		t.Error(diff)
	}
}
