package runtime

import (
	"maps"
	"slices"
	"sync"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// board holds the latest snapshot of every child for readers outside the loop.
// Only the loop writes to it.
type board struct {
	mu    sync.Mutex
	byID  map[child.ID]*child.Snapshot
	order []child.ID // the keys of byID, sorted; nil when a child came or went
	subs  map[*Subscription]struct{}
}

func newBoard() *board {
	return &board{byID: map[child.ID]*child.Snapshot{}, subs: map[*Subscription]struct{}{}}
}

// publish takes new snapshots, nil for children that are gone, and wakes all
// subscribers once.
func (b *board) publish(ids []child.ID, look func(child.ID) (*child.Snapshot, bool)) {
	if len(ids) == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, id := range ids {
		before := len(b.byID)
		if s, ok := look(id); ok {
			b.byID[id] = s
		} else {
			delete(b.byID, id)
		}
		if len(b.byID) != before {
			b.order = nil
		}
	}
	for s := range b.subs {
		s.mark(ids)
	}
}

func (b *board) get(id child.ID) (*child.Snapshot, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s, ok := b.byID[id]
	return s, ok
}

// all returns a slice of the caller's own.
func (b *board) all() []*child.Snapshot {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.order == nil {
		b.order = slices.Sorted(maps.Keys(b.byID))
	}
	all := make([]*child.Snapshot, len(b.order))
	for i, id := range b.order {
		all[i] = b.byID[id]
	}
	return all
}

func (b *board) subscribe() *Subscription {
	s := &Subscription{b: b, wake: make(chan struct{}, 1), dirty: map[child.ID]struct{}{}}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.subs[s] = struct{}{}
	return s
}

// Subscription tells one reader which children changed. A slow reader delays
// nobody and misses nothing: changes are kept by child, not by event.
type Subscription struct {
	b     *board
	wake  chan struct{}
	mu    sync.Mutex
	dirty map[child.ID]struct{}
}

// Wake receives when there is something to Take. One slot is enough: Take
// returns everything.
func (s *Subscription) Wake() <-chan struct{} { return s.wake }

// Take returns the children that changed since the last Take, removed ones
// included, in no order.
func (s *Subscription) Take() []child.ID {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := make([]child.ID, 0, len(s.dirty))
	for id := range s.dirty {
		ids = append(ids, id)
	}
	clear(s.dirty)
	return ids
}

// Close ends the subscription; Wake receives no more.
func (s *Subscription) Close() {
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	delete(s.b.subs, s)
}

func (s *Subscription) mark(ids []child.ID) {
	s.mu.Lock()
	for _, id := range ids {
		s.dirty[id] = struct{}{}
	}
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}
