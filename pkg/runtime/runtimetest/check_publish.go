package runtimetest

import (
	"encoding/json"
	"reflect"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// proof is a snapshot and what it was when it was published.
type proof struct {
	snap *child.Snapshot
	was  []byte
}

// keep remembers some snapshots, to see later that nobody wrote to them.
func (b *brain) keep(snap *child.Snapshot) {
	if b.s.thorough && len(b.proofs) < 50 && b.s.chance(20) {
		b.proofs = append(b.proofs, proof{snap, b.s.encode(snap)})
	}
}

func (s *sim) encode(snap *child.Snapshot) []byte {
	data, err := json.Marshal(snap)
	if err != nil {
		s.failf("snapshot of %s: %v", snap.ID, err)
	}
	return data
}

// unchanged checks that published snapshots were never written again.
func (b *brain) unchanged() {
	for _, p := range b.proofs {
		if now := b.s.encode(p.snap); string(now) != string(p.was) {
			b.s.failf("a published snapshot of %s was changed from\n%s\nto\n%s", p.snap.ID, p.was, now)
		}
	}
}

// allPublished checks that everything that changed was named as changed.
func (b *brain) allPublished() {
	ids := b.tree.IDs()
	if len(ids) != len(b.board) {
		b.s.failf("%d children are published, there are %d", len(b.board), len(ids))
	}
	for _, id := range ids {
		snap, _ := b.tree.Snapshot(id)
		if !reflect.DeepEqual(snap, b.board[id]) {
			b.s.failf("%s changed, and was not published again: it was\n%s\nand is\n%s", id, b.s.encode(b.board[id]), b.s.encode(snap))
		}
	}
}
