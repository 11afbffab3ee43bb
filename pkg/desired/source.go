package desired

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"

	"github.com/reconciler-dev/reconciler/internal/trust"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// Options are the settings of a Source. Only Root is required.
type Options struct {
	Root        string
	Rescan      time.Duration // between two whole looks; zero: 30 s
	MaxRemovals MaxRemovals
	AllowEmpty  bool

	// Last is the desired state of before, as the runtime still holds it: ids,
	// specs and origins. Without it a file that is broken at the start has no last
	// valid manifest.
	Last *Set

	// Requests are what is declared beside the directory, sorted by ID; nil: nothing. It
	// is called from Run's goroutine, as is TakenOver with those whose child a document
	// declares from now on.
	Requests  func() []Request
	TakenOver func([]child.ID)

	// Running tells which children a large removal would hurt; true for one of
	// which nothing is known yet. Nil: all run. It is called from Run's goroutine.
	Running func(child.ID) bool

	// Owners are users whose manifests are obeyed, as root: beside those of root.
	Owners []uint32

	// AnyOwner obeys manifests that others may write, also as root: to check a
	// checkout in a pipeline, not to run it.
	AnyOwner bool

	// AsRoot judges owners as a reconciler of root does, whoever asks: to check, not
	// to run.
	AsRoot bool

	Timing Timing // zero: DefaultTiming
	Log    logr.Logger
}

// Source watches a manifests directory and keeps the desired state that it
// declares. Events of the file system only wake it up: what it believes comes
// from looking, so that a lost event costs time and nothing else.
type Source struct {
	options Options
	root    string // absolute
	disk    disk
	trust   *trust.Policy // whose manifests are obeyed; nil: everybody's
	open    func() (notifier, error)

	current atomic.Pointer[Set]
	changes chan struct{}
	rescan  chan struct{}
	confirm chan struct{}
	settle  chan chan struct{}

	tries     chan trial
	refreshes chan chan struct{}
}

// NewSource makes a Source; nothing is read before Run. Until the first look is
// done, Current is Options.Last and not Complete. The directory need not exist.
func NewSource(o Options) (*Source, error) {
	s, err := newSource(o)
	if err != nil {
		return nil, err
	}
	s.open = openNotifier
	return s, nil
}

func newSource(o Options) (*Source, error) {
	root, err := filepath.Abs(o.Root)
	if o.Root == "" || err != nil {
		return nil, fmt.Errorf("manifests directory %q: want the path of a folder", o.Root)
	}
	if o.Rescan <= 0 {
		o.Rescan = 30 * time.Second
	}
	if o.Timing == (Timing{}) {
		o.Timing = DefaultTiming()
	}
	s := &Source{
		options: o, root: root, disk: host{}, trust: obeyed(o),
		changes: make(chan struct{}, 1),
		rescan:  make(chan struct{}, 1),
		confirm: make(chan struct{}, 1),
		settle:  make(chan chan struct{}),

		tries:     make(chan trial),
		refreshes: make(chan chan struct{}),
	}
	first := Set{}
	if o.Last != nil {
		first = *o.Last
		first.Complete = false
		first.Entries = slices.Clone(first.Entries)
		slices.SortFunc(first.Entries, compareEntries)
	}
	s.current.Store(&first)
	return s, nil
}

// Look takes one look at a directory, waits for nothing and starts nothing: for
// validate and diff. Of the options it heeds all but Rescan, Timing and Log.
func Look(o Options) (*Set, error) {
	s, err := newSource(o)
	if err != nil {
		return nil, err
	}
	r := s.reader(time.Now())
	r.timing = Timing{}
	p := s.policy(r.now)
	p.Timing = Timing{}
	return Merge(s.Current(), r.read(Scan{}, everything()), p), nil
}

// Current is the desired state now. It is immutable, and never nil.
func (s *Source) Current() *Set { return s.current.Load() }

// Changes has one slot, which is filled when Current has changed: one reader, who
// then reads Current.
func (s *Source) Changes() <-chan struct{} { return s.changes }

// Rescan asks for a whole look now. It does not wait for it.
func (s *Source) Rescan() { fill(s.rescan) }

// settleWait bounds how long Settle waits for a directory that somebody writes to
// all the time. Whoever closed his file before the call is served: 2 s later what is
// gone from it counts.
const settleWait = 3 * time.Second

// Settle takes a whole look at the directory and returns once everything that was
// done to it before the call counts: files written in place have been quiet, what
// vanished is gone for good. Removals that are held back wait for nobody. It gives
// up waiting after three seconds, without an error; the error is that of ctx.
func (s *Source) Settle(ctx context.Context) error {
	settled := make(chan struct{})
	limit := time.NewTimer(settleWait)
	defer limit.Stop()
	select {
	case s.settle <- settled:
	case <-limit.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case <-settled:
	case <-limit.C:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}

// ConfirmRemovals lets go the children whose removal is held at this moment: those
// that Current's stalls name, but for a root that is missing or unreadable.
func (s *Source) ConfirmRemovals() { fill(s.confirm) }

// fill fills a channel of one slot.
func fill(slot chan struct{}) {
	select {
	case slot <- struct{}{}:
	default:
	}
}

func (s *Source) reader(now time.Time) *reader {
	return &reader{disk: s.disk, root: s.root, now: now, timing: s.options.Timing, trust: s.trust}
}

func (s *Source) policy(now time.Time) Policy {
	var requests []Request
	if s.options.Requests != nil {
		requests = s.options.Requests()
	}
	return Policy{
		Requests: requests,
		Now:      now, Timing: s.options.Timing, AllowEmpty: s.options.AllowEmpty,
		MaxRemovals: s.options.MaxRemovals, Running: s.options.Running,
	}
}

// Run watches until ctx ends; then it has let go of everything and returns nil.
// It may run once.
func (s *Source) Run(ctx context.Context) error {
	l := &loop{Source: s, watch: newWatch(s.disk, s.open), told: map[string]bool{}}
	defer l.watch.close()
	rescan := time.NewTicker(s.options.Rescan)
	defer rescan.Stop()
	l.dirt = everything()
	for {
		l.look()
		if l.dirt = l.arm(); l.dirt != nil {
			continue // look again at what was not watched before
		}
		l.noteLate()
		if !l.wait(ctx, rescan.C) {
			return nil
		}
	}
}
