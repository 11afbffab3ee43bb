package runtime

import (
	"slices"
	"testing"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

func lookIn(m map[child.ID]*child.Snapshot) func(child.ID) (*child.Snapshot, bool) {
	return func(id child.ID) (*child.Snapshot, bool) { s, ok := m[id]; return s, ok }
}

func TestSubscriberSeesEveryChangedChildOnceHoweverSlowItIs(t *testing.T) {
	b := newBoard()
	sub := b.subscribe()
	world := map[child.ID]*child.Snapshot{"a": {ID: "a"}, "b": {ID: "b"}}

	b.publish([]child.ID{"a", "b"}, lookIn(world))
	b.publish([]child.ID{"a"}, lookIn(world))

	<-sub.Wake()
	got := sub.Take()
	slices.Sort(got)
	if !slices.Equal(got, []child.ID{"a", "b"}) {
		t.Errorf("taken = %v, want a and b once each", got)
	}
	if again := sub.Take(); len(again) != 0 {
		t.Errorf("second take = %v, want nothing", again)
	}
}

func TestBoardIsSortedAndForgetsWhatIsGone(t *testing.T) {
	b := newBoard()
	world := map[child.ID]*child.Snapshot{"b": {ID: "b"}, "a": {ID: "a"}}
	b.publish([]child.ID{"b", "a"}, lookIn(world))
	before := b.all()

	delete(world, "a")
	b.publish([]child.ID{"a"}, lookIn(world))

	if len(before) != 2 || before[0].ID != "a" || before[1].ID != "b" {
		t.Errorf("first look = %v, want a, b; and unchanged by what came later", before)
	}
	if after := b.all(); len(after) != 1 || after[0].ID != "b" {
		t.Errorf("second look = %v, want b alone", after)
	}
	if _, ok := b.get("a"); ok {
		t.Error("a is still on the board")
	}
}
