package status

import (
	"bytes"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/desired"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// board is the runtime as a test sets it.
type board struct {
	wake    chan struct{}
	adopted chan struct{}

	lockGone atomic.Bool

	mu    sync.Mutex
	byID  map[child.ID]*child.Snapshot
	dirty map[child.ID]bool
	set   *desired.Set
	info  Info
}

func newBoard() *board {
	return &board{
		wake: make(chan struct{}, 1), adopted: make(chan struct{}),
		byID: map[child.ID]*child.Snapshot{}, dirty: map[child.ID]bool{},
		set: &desired.Set{Complete: true}, info: Info{State: Alive, PID: 77, Version: "1.2.3", StartedAt: noon},
	}
}

func (b *board) options() Options {
	return Options{
		Children: b, Subscription: b, Adopted: b.adopted,
		Owned: func() bool { return !b.lockGone.Load() },
		Desired: func() *desired.Set {
			b.mu.Lock()
			defer b.mu.Unlock()
			return b.set
		},
		Info: func() Info {
			b.mu.Lock()
			defer b.mu.Unlock()
			return b.info
		},
	}
}

// put publishes snapshots and declares their children.
func (b *board) put(all ...*child.Snapshot) {
	b.mu.Lock()
	set := *b.set
	for _, s := range all {
		b.byID[s.ID], b.dirty[s.ID] = s, true
		if _, ok := set.Get(s.ID); !ok {
			set.Entries = append(slices.Clone(set.Entries), desired.Entry{ID: s.ID, Spec: s.Spec, Origin: s.Origin})
			slices.SortFunc(set.Entries, func(a, b desired.Entry) int { return strings.Compare(string(a.ID), string(b.ID)) })
		}
	}
	b.set = &set
	b.mu.Unlock()
	b.signal()
}

func (b *board) gone(id child.ID) {
	b.mu.Lock()
	delete(b.byID, id)
	b.dirty[id] = true
	b.mu.Unlock()
	b.signal()
}

func (b *board) signal() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

func (b *board) Children() []*child.Snapshot {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []*child.Snapshot
	for _, s := range b.byID {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b *child.Snapshot) int { return strings.Compare(string(a.ID), string(b.ID)) })
	return all
}

func (b *board) Child(id child.ID) (*child.Snapshot, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s, ok := b.byID[id]
	return s, ok
}

func (b *board) Wake() <-chan struct{} { return b.wake }
func (b *board) Close()                {}

func (b *board) Take() []child.ID {
	b.mu.Lock()
	defer b.mu.Unlock()
	var ids []child.ID
	for id := range b.dirty {
		ids = append(ids, id)
	}
	clear(b.dirty)
	return ids
}

// memory is a folder that notes what is done to it, and when.
type memory struct {
	mu    sync.Mutex
	begun time.Time
	files map[string][]byte
	notes []string // writes and removals, but those of reconciler.json
	beats []time.Duration
	fail  error // of every write
	lost  bool
	tries int

	reopened int
}

func newMemory() *memory { return &memory{begun: time.Now(), files: map[string][]byte{}} }

func (m *memory) Replace(name string, b []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tries++
	if m.fail != nil {
		return &fs.PathError{Op: "write", Path: name, Err: m.fail}
	}
	m.files[name] = bytes.Clone(b)
	if name == runtimeFile {
		m.beats = append(m.beats, time.Since(m.begun))
	} else {
		m.note("write", name)
	}
	return nil
}

func (m *memory) Remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.files, name)
	m.note("remove", name)
	return nil
}

func (m *memory) note(what, name string) {
	m.notes = append(m.notes, fmt.Sprintf("%v %s %s", time.Since(m.begun), what, name))
}

func (m *memory) Read(name string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b, ok := m.files[name]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return b, nil
}

func (m *memory) List() (listing, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var l listing
	for name := range m.files {
		if name != runtimeFile {
			l.children = append(l.children, child.ID(strings.TrimSuffix(name, suffix)))
		}
	}
	slices.Sort(l.children)
	return l, nil
}

func (m *memory) RemoveFolder(child.ID) error { return nil }
func (m *memory) Close() error                { return nil }
func (m *memory) Fits(string) bool            { return true }

func (m *memory) Intact() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return !m.lost
}

func (m *memory) Reopen() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lost = false
	m.reopened++
	return nil
}

// taken returns the notes since the last call.
func (m *memory) taken() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	notes := m.notes
	m.notes = nil
	return notes
}

func (m *memory) set(change func(m *memory)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change(m)
}

// public is the status file of a child that everybody may read.
func public(s *child.Snapshot, d Declaration) []byte {
	c := Withhold(NewChild(s, d))
	return encode(&c)
}
