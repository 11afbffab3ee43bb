package machine

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// phases are all children that are no folders, in words: "a Running, b Backoff".
func (w *world) phases() string {
	var words []string
	for _, id := range w.tree.IDs() {
		if s := w.snapshot(id); s.Spec.Kind != child.Supervisor {
			words = append(words, fmt.Sprintf("%s %s", id.Name(), s.Phase))
		}
	}
	return strings.Join(words, ", ")
}

// family is a folder f with running children, in this order of being added.
func family(options string, children ...string) []string {
	lines := []string{"connect", "add f supervisor " + options}
	for _, c := range children {
		name, more, _ := strings.Cut(c, " ")
		lines = append(lines, "add f/"+name+" "+more, "started f/"+name)
	}
	return lines
}

// then is given, and more: it shares nothing with given.
func then(given []string, more ...string) []string { return slices.Concat(given, more) }

// familyStory is a sentence about several children: after given, the lines of when lead
// to the phases and effects of want.
type familyStory struct {
	sentence string
	given    []string
	when     []string
	phases   string
	effects  string // of the last line
}

func testStories(t *testing.T, stories []familyStory) {
	for _, s := range stories {
		t.Run(s.sentence, func(t *testing.T) {
			w := newWorld(t, s.given...)

			w.do(s.when...)

			want := []string{s.phases, s.effects}
			if diff := cmp.Diff(want, []string{w.phases(), w.effects()}); diff != "" {
				t.Errorf("phases and effects after %q (-want +got):\n%s", s.when, diff)
			}
		})
	}
}

func TestOneForOneRestartsOnlyTheFailedChild(t *testing.T) {
	testStories(t, []familyStory{
		{"its siblings run on", family("", "a", "b"), []string{"exit f/a 1"}, "a Backoff, b Running", "acknowledge f/a#2.0"},
		{"so it is in a folder that is declared nowhere", []string{"connect", "add f/a", "started f/a", "add f/b", "started f/b"},
			[]string{"exit f/a 1"}, "a Backoff, b Running", "acknowledge f/a#1.0"},
	})
}

func TestOneForAllStopsEverybodyBeforeAnybodyStarts(t *testing.T) {
	all := "strategy=one_for_all"
	testStories(t, []familyStory{
		{"siblings are told in the reverse order of their start", family(all, "a", "b", "c"), []string{"exit f/a 1"},
			"a Backoff, b Stopping, c Stopping", "SIGTERM to the tree of f/c#4.0, SIGTERM to the tree of f/b#3.0, acknowledge f/a#2.0"},
		{"a dependency is told when its dependants are gone", family(all, "a", "b deps=f/a", "c"), []string{"exit f/c 1"},
			"a Running, b Stopping, c Backoff", "SIGTERM to the tree of f/b#3.0, acknowledge f/c#4.0"},
		{"nobody starts before the last one is gone", family(all, "a", "b", "c"), []string{"exit f/a 1", "exit f/b 0", "advance 4s"},
			"a Pending, b Pending, c Stopping", ""},
		{"also not when it must be killed", family(all, "a", "b"), []string{"exit f/a 1", "advance 5s"},
			"a Pending, b Stopping", "SIGKILL to the tree of f/b#3.0"},
		{"nor when that does not help", family(all, "a", "b"), []string{"exit f/a 1", "advance 5s", "advance 10m"},
			"a Pending, b Stopping", strings.Repeat("SIGKILL to the tree of f/b#3.0, ", 599) + "SIGKILL to the tree of f/b#3.0"},
		{"nobody starts before the failed one has rested", family(all, "a backoff=3s..9s", "b"), []string{"exit f/a 1", "exit f/b 0", "advance 2999ms"},
			"a Backoff, b Pending", ""},
		{"then all start, in their order", family(all, "z", "c deps=f/z", "a"), []string{"exit f/a 1", "exit f/c 0", "exit f/z 0", "advance 100ms", "started f/z"},
			"a Starting, c Starting, z Running", "start f/c#3.1"},
		{"of two that failed, the longer rest counts", family(all, "a", "b deps=f/a backoff=3s..9s", "c deps=f/b"), []string{"exit f/a 1", "exit f/b 1", "exit f/c 0", "advance 2999ms"},
			"a Pending, b Backoff, c Pending", ""},
		{"members that died together have all failed", then(family(all, "a", "b", "c"), "detach"), []string{"adopt f/a=1 f/b=2"},
			"a Backoff, b Backoff, c Backoff", "acknowledge f/a#2.0, acknowledge f/b#3.0"},
		{"who has ended well stays so", family(all, "a", "b policy=transient"), []string{"exit f/b 0", "exit f/a 1", "advance 1s"},
			"a Starting, b Completed", "start f/a#2.1"},
		{"who has failed for good stays so", family(all, "a", "b policy=temporary"), []string{"exit f/b 1", "exit f/a 1", "advance 1s"},
			"a Starting, b Failed", "start f/a#2.1"},
		{"who is running starts again, whatever its policy", family(all, "a", "b policy=temporary"), []string{"exit f/a 1", "exit f/b 0", "advance 1s"},
			"a Starting, b Starting", "start f/a#2.1, start f/b#3.1"},
		{"a good end that is not followed by a start touches nobody", family(all, "a", "b policy=transient"), []string{"exit f/b 0"},
			"a Running, b Completed", "acknowledge f/b#3.0"},
		{"nor does one that is quarantined by its own limit", family(all, "a", "b limit=0/60s"), []string{"exit f/b 1"},
			"a Running, b Quarantined", "acknowledge f/b#3.0"},
		{"nor a restart by command", family(all, "a", "b"), []string{"restart f/b", "exit f/b 0"},
			"a Running, b Starting", "acknowledge f/b#3.0, start f/b#3.1"},
		{"a failed start is a failure", then(family(all, "a"), "add f/b"), []string{"refused f/b", "exit f/a 0", "advance 1s"},
			"a Starting, b Starting", "start f/a#2.1, start f/b#3.1"},
		{"a member that waits for a start waits on", then(family(all, "a"), "add f/b deps=nowhere"), []string{"exit f/a 1", "advance 1s"},
			"a Starting, b Pending", "start f/a#2.1"},
		{"a start under way is waited for", then(family(all, "a"), "add f/b"), []string{"exit f/a 1", "advance 1s", "started f/b"},
			"a Pending, b Stopping", "SIGTERM to the tree of f/b#3.0"},
		{"a nested folder is one member", then(family(all, "a"), "add f/g supervisor", "add f/g/x", "started f/g/x"), []string{"exit f/a 1"},
			"a Backoff, x Stopping", "SIGTERM to the tree of f/g/x#4.0, acknowledge f/a#2.0"},
		{"its own failures are its own", then(family(all, "a"), "add f/g supervisor", "add f/g/x", "started f/g/x"), []string{"exit f/g/x 1"},
			"a Running, x Backoff", "acknowledge f/g/x#4.0"},
	})
}

func TestRestForOneLeavesTheEarlierOnesAlone(t *testing.T) {
	rest := "strategy=rest_for_one"
	testStories(t, []familyStory{
		{"by ID", family(rest, "a", "b", "c"), []string{"exit f/b 1"}, "a Running, b Backoff, c Stopping", "SIGTERM to the tree of f/c#4.0, acknowledge f/b#3.0"},
		{"dependencies come first", family(rest, "z", "a deps=f/z"), []string{"exit f/a 1"}, "a Backoff, z Running", "acknowledge f/a#3.0"},
		{"the first takes all with it", family(rest, "z", "a deps=f/z"), []string{"exit f/z 1"}, "a Stopping, z Backoff", "SIGTERM to the tree of f/a#3.0, acknowledge f/z#2.0"},
		{"the last nobody", family(rest, "a", "b"), []string{"exit f/b 1"}, "a Running, b Backoff", "acknowledge f/b#3.0"},
		{"an earlier one that fails meanwhile widens it", family(rest, "a", "b", "c"), []string{"exit f/b 1", "exit f/a 1", "exit f/c 0", "advance 1s"},
			"a Starting, b Starting, c Starting", "start f/a#2.1, start f/b#3.1, start f/c#4.1"},
	})
}

func TestCommandsDuringAGroupRestart(t *testing.T) {
	restarting := then(family("strategy=one_for_all", "a", "b"), "exit f/a 1")
	testStories(t, []familyStory{
		{"a paused member stops and stays so", restarting, []string{"pause f/b", "exit f/b 0", "advance 1s"}, "a Starting, b Stopped", "start f/a#2.1"},
		{"it starts when it is resumed", restarting, []string{"pause f/b", "exit f/b 0", "resume f/b", "advance 1s"}, "a Starting, b Starting", "start f/a#2.1, start f/b#3.1"},
		{"the failed one may be paused", restarting, []string{"pause f/a", "exit f/b 0"}, "a Stopped, b Starting", "acknowledge f/b#3.0, start f/b#3.1"},
		{"a removed member is waited for", restarting, []string{"remove f/b", "advance 1s"}, "a Pending, b Stopping", ""},
		{"and is gone then", restarting, []string{"remove f/b", "advance 1s", "exit f/b 0"}, "a Starting", "acknowledge f/b#3.0, start f/a#2.1"},
		{"the failed one may be removed", restarting, []string{"remove f/a", "exit f/b 0"}, "b Starting", "acknowledge f/b#3.0, start f/b#3.1"},
		{"a restart of the failed one ends its rest, not the stops", restarting, []string{"restart f/a"}, "a Pending, b Stopping", ""},
		{"a member that is added meanwhile starts by itself", restarting, []string{"add f/c"}, "a Backoff, b Stopping, c Starting", "start f/c#4.0"},
		{"a folder that is removed lets it go on", restarting, []string{"remove f", "exit f/b 0", "advance 1s"}, "a Starting, b Starting", "start f/a#2.1, start f/b#3.1"},
		{"another strategy is for the next one", restarting, []string{"update f strategy=one_for_one", "exit f/b 0", "advance 1s"}, "a Starting, b Starting", "start f/a#2.1, start f/b#3.1"},
		{"a shutdown ends it", restarting, []string{"shutdown", "exit f/b 0", "advance 1m"}, "a Stopped, b Stopped", ""},
		{"it survives a reconnection", restarting, []string{"detach", "adopt f/b", "exit f/b 0", "advance 1s"}, "a Starting, b Starting", "start f/a#2.1, start f/b#3.1"},
		{"members that depend on each other by older manifests are stopped all the same",
			then(family("strategy=one_for_all", "a", "b deps=f/a", "c"), "update f/a deps=f/b"), []string{"exit f/c 1"},
			"a Stopping, b Stopping, c Backoff", "acknowledge f/c#4.0, SIGTERM to the tree of f/a#2.0, SIGTERM to the tree of f/b#3.0"},
	})
}

func TestACrashInTheMiddleOfAGroupRestartLosesNobody(t *testing.T) {
	given := family("strategy=one_for_all", "a", "b deps=f/a", "c")
	steps := []string{"exit f/c 1", "exit f/b 0", "exit f/a 0", "advance 100ms", "started f/a", "started f/b", "started f/c"}
	for crash := range len(steps) + 1 {
		w := newWorld(t, given...)
		starts := map[child.ID]int{}
		for i, line := range steps {
			if i == crash {
				w.do("crash", "adopt "+alive(w))
				count(starts, w.last.Effects)
			}
			w.do(line)
			count(starts, w.last.Effects)
		}

		for _, id := range []child.ID{"f/a", "f/b", "f/c"} {
			if s := w.snapshot(id); s.Phase != child.Running || s.Attempt != 2 || starts[id] != 1 && crash < 4 {
				t.Errorf("crash before step %d: %s is %s in attempt %d after %d starts; want Running in its second, after one", crash, id, s.Phase, s.Attempt, starts[id])
			}
		}
	}
}

func alive(w *world) string {
	var names []string
	for _, id := range w.tree.IDs() {
		if w.snapshot(id).PID > 0 {
			names = append(names, string(id))
		} else if w.snapshot(id).Phase == child.Starting {
			names = append(names, string(id)+"?")
		}
	}
	return strings.Join(names, " ")
}

func count(starts map[child.ID]int, effects []Effect) {
	for _, e := range effects {
		if s, ok := e.(Start); ok {
			starts[s.Key.ID]++
		}
	}
}

func TestALimitThatIsUsedUpFailsUpward(t *testing.T) {
	nested := []string{"connect", "add root supervisor", "add p supervisor strategy=one_for_all", "add p/q supervisor limit=1/60s backoff=3s..9s",
		"add p/q/w limit=9/60s", "started p/q/w", "add p/v", "started p/v", "add aside", "started aside"}
	again := then(nested, "exit p/q/w 1", "advance 100ms", "started p/q/w", "exit p/q/w 1")
	testStories(t, []familyStory{
		{"within the limit nothing else happens", nested, []string{"exit p/q/w 1"}, "aside Running, w Backoff, v Running", "acknowledge p/q/w#4.0"},
		{"beyond it the strategy of its supervisor applies", again, nil, "aside Running, w Pending, v Stopping", "SIGTERM to the tree of p/v#5.0, acknowledge p/q/w#4.1"},
		{"and its own rest", again, []string{"exit p/v 0", "advance 2999ms"}, "aside Running, w Pending, v Pending", ""},
		{"then all begin anew", again, []string{"exit p/v 0", "advance 3s"}, "aside Running, w Starting, v Starting", "start p/q/w#4.2, start p/v#5.1"},
		{"with cleared counters", again, []string{"exit p/v 0", "advance 3s", "started p/q/w", "started p/v", "exit p/q/w 1"}, "aside Running, w Backoff, v Running", "acknowledge p/q/w#4.2"},
		{"a window that has passed is a new one", nested, []string{"exit p/q/w 1", "advance 61s", "started p/q/w", "exit p/q/w 1"}, "aside Running, w Backoff, v Running", "acknowledge p/q/w#4.1"},
		{"what an operator paused stays so", again, []string{"pause p/v", "exit p/v 0", "advance 3s"}, "aside Running, w Starting, v Stopped", "start p/q/w#4.2"},
	})
	w := newWorld(t, again...)
	q := w.snapshot("p/q")
	if q.Phase != child.BackingOff || q.Failure == nil || q.Failure.Reason != "2nd restart within 60 s; the last was p/q/w: exit code 1" || q.NextRestartAt.IsZero() {
		t.Errorf("the folder is %s, failure %+v, next start %v", q.Phase, q.Failure, q.NextRestartAt)
	}
	if s := w.snapshot("p/q/w"); !s.NextRestartAt.Equal(q.NextRestartAt) || s.RestartLimit.Used != 0 {
		t.Errorf("the child starts at %v, with %d of its limit used; want %v, 0", s.NextRestartAt, s.RestartLimit.Used, q.NextRestartAt)
	}
}

func TestAFolderRestsLongerEachTimeItFails(t *testing.T) {
	w := newWorld(t, "connect", "add root supervisor", "add f supervisor limit=0/60s backoff=3s..60s reset=30s", "add f/a", "started f/a")
	fails := func() time.Duration {
		t.Helper()
		w.do("exit f/a 1")
		return w.snapshot("f").NextRestartAt.Sub(w.wall())
	}
	for i, want := range []time.Duration{3 * time.Second, 6 * time.Second, 12 * time.Second} {
		if got := fails(); got != want {
			t.Errorf("failure %d: it rests for %v; want %v", i+1, got, want)
		}
		if got := w.loops("f"); got != (i+1 >= crashLoop) {
			t.Errorf("failure %d: is it in a crash loop? %v", i+1, got)
		}
		w.do("advance "+want.String(), "started f/a")
	}
	w.do("advance 30s") // its reset_after_secs
	if got := fails(); got != 3*time.Second {
		t.Errorf("after it has held it rests for %v; want the first rest, 3s", got)
	}
	if w.loops("f") {
		t.Error("after it has held it is in a crash loop still")
	}
}

func (w *world) loops(id child.ID) bool {
	return slices.ContainsFunc(w.snapshot(id).Conditions, func(c child.ConditionState) bool { return c.Type == child.ConditionCrashLooping })
}

func TestTheTopSupervisorsFailureEndsTheRun(t *testing.T) {
	for _, row := range []struct{ sentence, top string }{{"the root", "root"}, {"a folder without another above it", "f"}} {
		t.Run(row.sentence, func(t *testing.T) {
			id := map[string]string{"root": "x", "f": "f/x"}[row.top]
			w := newWorld(t, "connect", "add "+row.top+" supervisor limit=0/60s", "add "+id, "started "+id, "add other", "started other")

			w.do("exit "+id+" 3", "exit other 0")

			if !w.tree.Done() {
				t.Fatal("the tree is not down")
			}
			want := &child.Failure{Phase: "restart_limit", Recoverable: true,
				Reason: "supervisor " + row.top + " failed: 1st restart within 60 s; the last was " + id + ": exit code 3"}
			if diff := cmp.Diff(want, w.tree.Report().Failure); diff != "" {
				t.Errorf("failure (-want +got):\n%s", diff)
			}
			w.do("crash", "connect")
			if got := w.phases(); !strings.Contains(got, "Starting") || strings.Contains(got, "Stopped") {
				t.Errorf("the next run: %s; want all of them to start", got)
			}
		})
	}
}

func TestNoisyNeighboursUseUpNobodyElsesBudget(t *testing.T) {
	// Given a folder with a limit, two failure groups, and a neighbour folder
	w := newWorld(t, then(family("limit=2/60s group=mail:2/60s group=web:2/60s", "m1 tags=mail", "m2 tags=mail", "w1 tags=web", "own", "side sidecar=f/own"),
		"add g supervisor limit=2/60s", "add g/x", "started g/x")...)

	// When the mail group, and a sidecar, fail as fast as they can
	for range 20 {
		for _, id := range []child.ID{"f/m1", "f/m2", "f/side"} {
			if w.snapshot(id).Phase == child.Running {
				w.do("exit "+string(id)+" 1", "advance 10s")
			}
			if w.snapshot(id).Phase == child.Starting {
				w.do("started " + string(id))
			}
		}
		w.now += Instant(time.Millisecond)
	}

	// Then only the mail group is quarantined, and the others have all of theirs
	for id, want := range map[child.ID]child.Phase{"f/m1": child.Quarantined, "f/w1": child.Running, "f/own": child.Running, "g/x": child.Running} {
		if got := w.snapshot(id).Phase; got != want {
			t.Errorf("%s is %s, want %s", id, got, want)
		}
	}
	for id, used := range map[child.ID]int{"f": 0, "g": 0} {
		if got := w.snapshot(id).RestartLimit; got.Used != used || got.Remaining != 2 {
			t.Errorf("%s has used %d of its limit, %d remain", id, got.Used, got.Remaining)
		}
	}
	if web := w.snapshot("f").FailureGroups[1]; web.Tag != "web" || web.Used != 0 {
		t.Errorf("the group of the web: %+v", web)
	}
}

func TestTheNearestLimitDecides(t *testing.T) {
	testStories(t, []familyStory{
		{"that of the child, before that of its group", family("limit=9/60s group=mail:9/60s", "a tags=mail limit=0/60s", "b tags=mail"), []string{"exit f/a 1"}, "a Quarantined, b Running", "acknowledge f/a#2.0"},
		{"that of the group, before that of the folder", family("limit=0/60s group=mail:1/60s", "a tags=mail", "b"), []string{"exit f/a 1"}, "a Backoff, b Running", "acknowledge f/a#2.0"},
		{"of several groups, the first by alphabet", family("group=mail:0/60s group=web:9/60s", "a tags=web,mail", "b tags=web"), []string{"exit f/a 1"}, "a Quarantined, b Running", "acknowledge f/a#2.0"},
		{"a group stops its other members", family("group=mail:0/60s", "a tags=mail", "b tags=mail", "c"), []string{"exit f/a 1"}, "a Quarantined, b Stopping, c Running", "SIGTERM to the tree of f/b#3.0, acknowledge f/a#2.0"},
		{"but not those that an operator paused", family("group=mail:0/60s", "a tags=mail", "b tags=mail"), []string{"pause f/b", "exit f/b 0", "exit f/a 1"}, "a Quarantined, b Stopped", "acknowledge f/a#2.0"},
		{"nor those that have ended for good", family("group=mail:0/60s", "a tags=mail", "b tags=mail policy=transient", "c tags=mail policy=temporary"),
			[]string{"exit f/b 0", "exit f/c 1", "exit f/a 1"}, "a Quarantined, b Completed, c Failed", "acknowledge f/a#2.0"},
	})
}

func TestSidecars(t *testing.T) {
	pair := family("", "web", "log sidecar=f/web")
	testStories(t, []familyStory{
		{"a sidecar waits for its primary", []string{"connect", "add f/log sidecar=f/web"}, []string{"add f/web"}, "log Pending, web Starting", "start f/web#2.0"},
		{"and runs on while that stops", pair, []string{"pause f/web"}, "log Running, web Stopping", "SIGTERM to the tree of f/web#2.0"},
		{"it is stopped when that is gone", pair, []string{"pause f/web", "exit f/web 0"}, "log Stopping, web Stopped", "acknowledge f/web#2.0, SIGTERM to the tree of f/log#3.0"},
		{"also after a good end", family("", "web policy=transient", "log sidecar=f/web"), []string{"exit f/web 0", "exit f/log 0"}, "log Pending, web Completed", "acknowledge f/log#3.0"},
		{"also when that is removed", pair, []string{"remove f/web", "exit f/web 0"}, "log Stopping", "acknowledge f/web#2.0, SIGTERM to the tree of f/log#3.0"},
		{"a new primary does not wait for an old sidecar", pair, []string{"exit f/web 1", "advance 100ms", "started f/web"}, "log Stopping, web Running", ""},
		{"which starts when it is gone", pair, []string{"exit f/web 1", "advance 100ms", "started f/web", "exit f/log 0"}, "log Starting, web Running", "acknowledge f/log#3.0, start f/log#3.1"},
		{"a failing sidecar touches nobody", family("strategy=one_for_all limit=0/60s", "web", "log sidecar=f/web"), []string{"exit f/log 1"}, "log Backoff, web Running", "acknowledge f/log#3.0"},
		{"a primary that is lost takes it along", then(pair, "detach"), []string{"adopt f/log"}, "log Stopping, web Backoff", "SIGTERM to the tree of f/log#3.0"},
		{"one that gets another primary follows that", then(pair, "add f/new suspend=true"), []string{"update f/log sidecar=f/new"}, "log Stopping, new Stopped, web Running", "SIGTERM to the tree of f/log#3.0"},
	})
}

func TestEveryDelayedRestartShowsWhyAndWhen(t *testing.T) {
	w := newWorld(t, then(family("strategy=one_for_all limit=3/60s", "a", "b limit=9/60s"), "exit f/a 1", "exit f/b 0")...)

	a, b := w.snapshot("f/a"), w.snapshot("f/b")

	if a.Phase != child.BackingOff || !a.NextRestartAt.Equal(epochWall.Add(100*time.Millisecond)) {
		t.Errorf("the failed one is %s until %v", a.Phase, a.NextRestartAt)
	}
	if diff := cmp.Diff([]string{"the group restart of f (f/a ended: exit code 1)"}, b.WaitsFor); diff != "" || !b.NextRestartAt.Equal(a.NextRestartAt) {
		t.Errorf("the other one waits until %v for (-want +got):\n%s", b.NextRestartAt, diff)
	}
	w.do("slots 1", "connect", "add x", "add y", "add z")
	if y, z := w.snapshot("y"), w.snapshot("z"); y.WaitsFor[0] != waitsForSlot || y.QueuePlace != 1 || z.QueuePlace != 2 {
		t.Errorf("y waits for %v at place %d, z at %d", y.WaitsFor, y.QueuePlace, z.QueuePlace)
	}
}
