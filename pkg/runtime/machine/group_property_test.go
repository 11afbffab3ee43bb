package machine

import (
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

var familyIDs = []child.ID{"f/a", "f/b", "f/c", "f/g/d", "f/g/e", "f/h", "other"}

// scopeByHand is who restarts when a child fails, by the letter of the strategies,
// for children without dependencies: their order is that of their IDs.
func scopeByHand(failed child.ID, strategies map[child.ID]child.Strategy) (all []child.ID) {
	folder := failed.Folder()
	for _, id := range familyIDs {
		inside := folder != "" && isBelow(folder, id)
		switch {
		case id == failed,
			inside && strategies[folder] == child.OneForAll,
			inside && strategies[folder] == child.RestForOne && id > failed:
			all = append(all, id)
		}
	}
	return all
}

// TestWhoRestartsIsWhatTheStrategySaysWhateverHappensMeanwhile: children fail at
// any moments, while connections break and the brain dies. In the end exactly those
// have another attempt whom the strategies name, and everybody runs exactly once.
func TestWhoRestartsIsWhatTheStrategySaysWhateverHappensMeanwhile(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		h := newHost(rt)
		h.ids = familyIDs
		h.tell(Adopted{})
		all := []child.Strategy{child.OneForOne, child.OneForAll, child.RestForOne}
		strategies := map[child.ID]child.Strategy{
			"f":   rapid.SampledFrom(all).Draw(rt, "strategy of f"),
			"f/g": rapid.SampledFrom(all).Draw(rt, "strategy of f/g"),
		}
		for _, folder := range []string{"f", "f/g"} {
			h.command("add", folder, "supervisor", "strategy="+string(strategies[child.ID(folder)]))
		}
		for _, id := range familyIDs {
			h.command("add", string(id))
		}
		h.calm()
		before, want := maps.Clone(h.live), map[child.ID]bool{}

		for range rapid.IntRange(1, 25).Draw(rt, "steps") {
			h.failOrWait(func(failed child.ID) {
				for _, id := range scopeByHand(failed, strategies) {
					want[id] = true
				}
			})
		}
		h.calm()

		for _, id := range familyIDs {
			s, key := h.snapshot(id), h.live[id]
			if s.Phase != child.Running || key.IsZero() {
				rt.Errorf("%s is %s, its process: %v", id, s.Phase, key)
			}
			if restarted := key != before[id]; restarted != want[id] {
				rt.Errorf("%s restarted: %v, want %v; strategies %v", id, restarted, want[id], strategies)
			}
		}
	})
}

// failOrWait is one thing that may happen to a family.
func (h *host) failOrWait(failed func(child.ID)) {
	id := rapid.SampledFrom(familyIDs).Draw(h.rt, "child")
	switch rapid.IntRange(0, 7).Draw(h.rt, "act") {
	case 0, 1:
		if _, ok := h.live[id]; ok && !h.dying[id] {
			failed(id)
			h.end(id, 1)
		}
	case 2, 3:
		if h.dying[id] {
			h.end(id, 0)
		}
	case 4:
		if len(h.asked) > 0 && h.tree.Connected() {
			s := h.asked[0]
			h.asked = h.asked[1:]
			h.live[s.Key.ID] = s.Key
			h.tell(Started{h.processOf(s.Key)})
		}
	case 5:
		h.now += Instant(rapid.Int64Range(0, int64(3*time.Second)).Draw(h.rt, "pause"))
		h.tell(Ticked{})
	case 6:
		h.tell(Detached{Reason: "gone"})
		if rapid.Bool().Draw(h.rt, "crash") {
			h.tree = Restore(h.cfg, h.now, h.wall(), h.records)
			h.check("Restore")
		}
	case 7:
		h.reconnect()
	}
}

func TestTheOrderOfTheStartPutsDependenciesFirst(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := &world{t: rt, cfg: Config{StartSlots: 100}, specs: map[child.ID]*child.Spec{}}
		w.tree = New(w.cfg)
		ids := rapid.Permutation(familyIDs).Draw(rt, "ids")
		w.do("add f supervisor", "add f/g supervisor")
		needs := map[child.ID][]child.ID{}
		for i, id := range ids {
			deps := ""
			for _, on := range ids[:i] {
				if rapid.IntRange(0, 3).Draw(rt, "depends") == 0 && on.Folder() == id.Folder() {
					deps += string(on) + ","
					needs[id] = append(needs[id], on)
				}
			}
			w.do("add " + string(id) + " deps=" + deps)
		}

		var order []child.ID
		for _, s := range w.tree.subtree(w.tree.children["f"]) {
			order = append(order, s.id)
		}

		for id, deps := range needs {
			for _, on := range deps {
				if at, before := slices.Index(order, id), slices.Index(order, on); at >= 0 && before > at {
					rt.Errorf("%s starts before %s, which it depends on: %v", id, on, order)
				}
			}
		}
		if len(order) != 8 || order[0] != "f" || slices.Index(order, "f/g") > slices.Index(order, "f/g/d") {
			rt.Errorf("order %v: want each folder before what is in it", order)
		}
	})
}
