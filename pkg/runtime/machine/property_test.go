package machine

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// host is a machine with processes, as honest as the kernel and a shim: it
// starts what it is asked to, and fails the test when that would be a second
// live attempt of one child.
type host struct {
	*world
	rt    *rapid.T
	ids   []child.ID
	asked []Start // not answered yet
	live  map[child.ID]child.Key
	deaf  map[child.ID]bool         // children that only SIGKILL ends
	dying map[child.ID]bool         // live ones that were told to end
	ended map[child.Key]Exited      // exits that were not acknowledged
	times map[child.ID][]Instant    // of automatic restarts
	fresh map[child.ID]bool         // a command wanted the next start
	limit map[child.ID]*child.Spec  // the spec, for its limit
	known map[child.Key]child.Phase // keys that were started, to tell repeats
}

func newHost(rt *rapid.T) *host {
	h := &host{
		world: &world{t: rt, cfg: Config{StartSlots: 2, Seed: rapid.Uint64().Draw(rt, "seed")}, specs: map[child.ID]*child.Spec{}},
		rt:    rt, ids: propertyIDs, live: map[child.ID]child.Key{}, deaf: map[child.ID]bool{}, dying: map[child.ID]bool{},
		ended: map[child.Key]Exited{}, times: map[child.ID][]Instant{}, fresh: map[child.ID]bool{},
		limit: map[child.ID]*child.Spec{}, known: map[child.Key]child.Phase{},
	}
	h.tree = New(h.cfg)
	return h
}

// tell steps the tree and carries out what it leaves.
func (h *host) tell(ev Event) {
	h.last = Ready{}
	h.step(ev)
	for _, e := range h.last.Effects {
		switch e := e.(type) {
		case Start:
			h.start(e)
		case Signal:
			h.deliver(e)
		case Acknowledge:
			delete(h.ended, e.Key)
		}
	}
}

func (h *host) start(s Start) {
	if key, ok := h.live[s.Key.ID]; ok && key != s.Key {
		h.rt.Fatalf("start of %s while %s is alive", s.Key, key)
	}
	for _, other := range h.asked {
		if other.Key.ID == s.Key.ID && other.Key != s.Key {
			h.rt.Fatalf("start of %s while that of %s is unanswered", s.Key, other.Key)
		}
	}
	if _, repeated := h.known[s.Key]; !repeated {
		h.known[s.Key] = child.Starting
		h.countRestart(s)
	}
	h.asked = append(h.asked, s)
}

// countRestart proves the restart limit from outside.
func (h *host) countRestart(s Start) {
	id, limit := s.Key.ID, s.Spec.RestartLimit
	if s.Key.Generation == 0 || h.fresh[id] {
		h.times[id], h.fresh[id] = nil, false
		return
	}
	if len(s.Spec.Dependencies) > 0 { // restarts for its dependencies are not counted
		h.times[id] = nil
		return
	}
	h.times[id] = append(h.times[id], h.now)
	if limit == nil {
		return
	}
	// A restart is counted when it is decided, up to one rest before its start.
	slack := Instant(s.Spec.Backoff.MaxDelay)
	n := 0
	for _, at := range h.times[id] {
		if at > h.now-Instant(limit.Window)+slack {
			n++
		}
	}
	if n > limit.MaxRestarts {
		h.rt.Fatalf("%s: %d automatic restarts within %v; the limit is %d", id, n, limit.Window.Duration()-time.Duration(slack), limit.MaxRestarts)
	}
}

func (h *host) deliver(s Signal) {
	if h.live[s.Key.ID] == s.Key && (s.Signal == sigkill || s.Tree && !h.deaf[s.Key.ID]) {
		h.dying[s.Key.ID] = true
	}
}

func (h *host) answer() {
	s := h.asked[0]
	h.asked = h.asked[1:]
	id := s.Key.ID
	switch roll := rapid.IntRange(0, 9).Draw(h.rt, "answer"); {
	case h.live[id] == s.Key:
		h.tell(Started{h.processOf(s.Key)})
	case roll == 0:
		h.tell(StartFailed{Key: s.Key, Reason: "no", At: h.wall()})
	case roll == 1:
		h.tell(StartFailed{Key: s.Key, Reason: "something is in the way", Busy: true, At: h.wall()})
	default:
		h.live[id], h.deaf[id] = s.Key, roll == 2
		h.tell(Started{h.processOf(s.Key)})
	}
}

func (h *host) processOf(key child.Key) Process {
	return Process{Key: key, Attempt: child.Attempt(key.Generation + 1), PID: 100 + int(key.Generation), StartedAt: h.wall()}
}

func (h *host) end(id child.ID, code int) {
	key := h.live[id]
	delete(h.live, id)
	delete(h.dying, id)
	ev := Exited{Key: key, Code: &code, StartedAt: h.wall(), FinishedAt: h.wall()}
	h.ended[key] = ev
	if h.tree.Connected() {
		h.tell(ev)
	}
}

func (h *host) reconnect() {
	h.asked = nil // lost with the old connection
	var ev Adopted
	for _, id := range h.ids {
		if key, ok := h.live[id]; ok {
			ev.Processes = append(ev.Processes, h.processOf(key))
		}
		for key, e := range h.ended {
			if key.ID == id {
				ev.Exits = append(ev.Exits, e)
			}
		}
	}
	h.tell(ev)
}

var propertyIDs = []child.ID{"a", "b", "c"}

func (h *host) command(line ...string) {
	if len(line) > 1 {
		h.fresh[child.ID(line[1])] = true
	}
	h.tell(h.commandOf(line))
}

// act is one random thing that happens.
func (h *host) act() {
	id := rapid.SampledFrom(propertyIDs).Draw(h.rt, "child")
	switch rapid.IntRange(0, 11).Draw(h.rt, "act") {
	case 0, 1:
		options := []string{"", "policy=transient", "policy=temporary", "limit=2/30s", "deps=a", "deps=b:started", "deps=c!", "suspend=true", "backoff=0s..0s"}
		verb := rapid.SampledFrom([]string{"add", "add", "update", "replace"}).Draw(h.rt, "verb")
		option := rapid.SampledFrom(options).Draw(h.rt, "option")
		if option == "" || option == "deps="+string(id) || option == "deps="+string(id)+":started" || option == "deps="+string(id)+"!" {
			option = "suspend=false"
		}
		h.command(verb, string(id), option)
	case 2:
		verbs := []string{"remove", "restart", "pause", "resume", "quarantine"}
		h.command(rapid.SampledFrom(verbs).Draw(h.rt, "verb"), string(id))
	case 3, 4, 5:
		if len(h.asked) > 0 && h.tree.Connected() {
			h.answer()
		}
	case 6:
		if _, ok := h.live[id]; ok {
			h.end(id, rapid.IntRange(0, 1).Draw(h.rt, "code"))
		}
	case 7:
		if h.dying[id] {
			h.end(id, 0)
		}
	case 8, 9:
		h.now += Instant(rapid.Int64Range(0, int64(20*time.Second)).Draw(h.rt, "pause"))
		h.tell(Ticked{})
	case 10:
		h.tell(Detached{Reason: "gone"})
	case 11:
		h.reconnect()
	}
	if rapid.IntRange(0, 40).Draw(h.rt, "crash") == 0 {
		h.tree = Restore(h.cfg, h.now, h.wall(), h.records)
		h.check("Restore")
	}
}

// calm lets everything happen that is under way, until nothing does.
func (h *host) calm() {
	h.reconnect()
	for range 300 {
		switch next, ok := h.tree.Next(); {
		case len(h.asked) > 0:
			s := h.asked[0]
			h.asked = h.asked[1:]
			h.live[s.Key.ID], h.deaf[s.Key.ID] = s.Key, false
			h.tell(Started{h.processOf(s.Key)})
		case len(h.dying) > 0:
			for _, id := range h.ids {
				if h.dying[id] {
					h.end(id, 0)
				}
			}
		case !ok:
			return
		default:
			h.now = max(h.now, next)
			h.tell(Ticked{})
		}
	}
	h.rt.Fatalf("no calm after 300 steps")
}

// TestNoSecondAttemptNoLostWakeup: whatever happens, at most one attempt of a
// child lives (host.start), restarts keep their limit (host.countRestart), and
// when things calm down every child is where it should be.
func TestNoSecondAttemptNoLostWakeup(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		h := newHost(rt)
		h.tell(Adopted{})
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			h.act()
		}

		h.calm()

		for _, id := range h.tree.IDs() {
			s := h.snapshot(id)
			_, alive := h.live[id]
			switch s.Phase {
			case child.Running:
				if !alive {
					rt.Errorf("%s is said to run and does not", id)
				}
			case child.Pending:
				if len(s.WaitsFor) == 0 || s.WaitsFor[0] == waitsForSlot || s.WaitsFor[0] == waitsForConnection {
					rt.Errorf("%s is pending in a calm tree and waits for %v", id, s.WaitsFor)
				}
			case child.Stopped, child.Quarantined, child.Completed, child.FailedPhase:
				if alive {
					rt.Errorf("%s is %s and alive", id, s.Phase)
				}
			default:
				rt.Errorf("%s is still %s in a calm tree", id, s.Phase)
			}
			delete(h.live, id)
		}
		if len(h.live) > 0 {
			rt.Errorf("processes of no child are left: %v", h.live)
		}
		if len(h.ended) > 0 {
			rt.Errorf("exits that were never acknowledged: %v", h.ended)
		}
	})
}

// TestShutdownEndsEverything: after a shutdown nothing is left but what could
// not be killed, and each child has one outcome.
func TestShutdownEndsEverything(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		h := newHost(rt)
		h.tell(Adopted{})
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			h.act()
		}
		h.reconnect()
		children := len(h.tree.IDs())

		h.command("shutdown")
		for i := 0; !h.tree.Done(); i++ {
			if i > 300 {
				rt.Fatalf("the shutdown does not end")
			}
			h.shutdownStep()
		}

		report := h.tree.shutdown.report
		if len(report.Outcomes) != children {
			rt.Errorf("%d outcomes of %d children: %+v", len(report.Outcomes), children, report.Outcomes)
		}
		for _, o := range report.Outcomes {
			if o.Status == AbortFailed { // its end was not seen within its time after SIGKILL
				delete(h.live, o.ChildID)
			}
		}
		if len(h.live) > 0 {
			rt.Errorf("alive after the shutdown: %v", h.live)
		}
	})
}

func (h *host) shutdownStep() {
	for _, id := range h.ids {
		if h.dying[id] {
			h.end(id, 0)
			return
		}
	}
	if len(h.asked) > 0 {
		h.answer()
		return
	}
	next, ok := h.tree.Next()
	if !ok {
		h.rt.Fatalf("the shutdown waits for nothing")
	}
	h.now = max(h.now, next)
	h.tell(Ticked{})
}
