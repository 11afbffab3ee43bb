package status

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/go-logr/logr"

	"github.com/reconciler-dev/reconciler/pkg/desired"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

const (
	quiet      = 100 * time.Millisecond // between two writes of one file
	breath     = 10 * time.Millisecond  // between two looks at the files that wait
	heartbeat  = 10 * time.Second       // between two writes of reconciler.json when nothing changes
	validFor   = 3 * heartbeat          // two heartbeats may come late or be lost
	wholeLook  = time.Minute            // between two comparisons with what stands in the directory
	glance     = time.Second            // between two looks whether the directory is ours, and at some of its files
	retryFirst = 100 * time.Millisecond
	retryMax   = 30 * time.Second
)

// Children is the runtime as Writer reads it.
type Children interface {
	Children() []*child.Snapshot // sorted by ID, immutable
	Child(child.ID) (*child.Snapshot, bool)
}

// Subscription says which children changed since the last Take, those that are
// gone included. Wake receives when there is something to take.
type Subscription interface {
	Wake() <-chan struct{}
	Take() []child.ID
	Close()
}

// Info is what reconciler.json says that follows neither from the children nor
// from the desired state.
type Info struct {
	State         State
	PID           int
	Version       string
	StartedAt     time.Time
	Problems      []desired.Problem // besides those of the desired state
	LastReconcile *Reconcile
	LastRequested *Reconcile
	Shim          Shim
	RecordsError  string // why the last change could not be recorded; empty: it was
	StateLost     string // what became of the state directory while it was in use; empty: nothing
	ExitReport    *ExitReport
}

// Options are what a Writer reads from. All are required but Changes and Log.
type Options struct {
	Children     Children
	Subscription Subscription // closed by Run
	Desired      func() *desired.Set
	Info         func() Info
	Adopted      <-chan struct{} // closed when Children is the truth: before, no child's file is touched
	Changes      <-chan struct{} // Desired or Info may have changed: look again
	Log          logr.Logger

	// Prepare is called when the directory is gone or is another one: it makes it,
	// judges who can write to it and takes it for this process, as was done before
	// NewWriter. Nothing is written there while it fails. Nil: the directory is made.
	Prepare func() error

	// Owned says whether the directory is still taken for this process, as Prepare does
	// it: somebody may have removed its lock alone. Nil: it is.
	Owned func() bool

	// Group is the number of the group that may read the files, which are then
	// complete and closed to others. Nil: everybody may read them, and they come
	// without captured output, see Withhold.
	Group *int
}

// Writer is the only writer of a status directory.
type Writer struct {
	o    Options
	dir  folder
	kick chan struct{}
	view view

	// What follows belongs to Run.
	files   map[child.ID]*file
	waiting map[child.ID]time.Time // the children to write, and when
	next    time.Time              // not later than the first of waiting; zero: none waits
	set     *desired.Set           // as it was last looked at; nil: never
	adopted bool                   // children are written: Options.Adopted was closed
	summary summary
	trouble trouble
	timer   *time.Timer
	unread  []child.ID // whose files are compared next, see compareSome
	share   int        // of them, at each glance
}

// file is what is known of one status file.
type file struct {
	sum     [sha256.Size]byte // of its content
	known   bool              // sum is that of the file
	phase   child.Phase
	valid   Validity
	at      time.Time // when it was written last
	retries int
}

// NewWriter makes the directory where it is missing. It is an error if it cannot
// be made, if everybody may write to it, or if files cannot be given to the group.
func NewWriter(dir string, o Options) (*Writer, error) {
	d, err := openDirectory(dir, o.Group)
	if err != nil {
		return nil, fmt.Errorf("status directory: %w", err)
	}
	d.prepare = o.Prepare
	return newWriter(d, o), nil
}

func newWriter(d folder, o Options) *Writer {
	return &Writer{
		o: o, dir: d,
		kick:    make(chan struct{}, 1),
		files:   map[child.ID]*file{},
		waiting: map[child.ID]time.Time{},
		trouble: trouble{log: o.Log, names: map[string]error{}},
	}
}

// Kick makes the writer look at Info and Desired at once. It never waits.
func (w *Writer) Kick() {
	select {
	case w.kick <- struct{}{}:
	default:
	}
}

// Run writes until ctx ends, then everything that is not written yet, the exit
// report included. What cannot be written is logged once and tried again: Run
// returns an error only if that holds for the very last look.
func (w *Writer) Run(ctx context.Context) error {
	defer w.dir.Close()
	defer w.o.Subscription.Close()
	w.timer = time.NewTimer(0)
	defer w.timer.Stop()
	beat, look, glances := time.NewTicker(heartbeat), time.NewTicker(wholeLook), time.NewTicker(glance)
	defer beat.Stop()
	defer glances.Stop()
	defer look.Stop()
	adopted := w.o.Adopted
	for kicked, idle := false, false; ; {
		if !idle {
			w.turn(time.Now(), kicked, false)
		}
		kicked, idle = false, false
		select {
		case <-ctx.Done():
			return w.finish(time.Now())
		case <-w.o.Subscription.Wake():
		case <-w.o.Changes:
		case <-w.kick:
			kicked = true
		case <-w.timer.C:
		case <-beat.C:
			w.summary.stale, kicked = true, true
			w.reopenIfGone(time.Now())
		case <-glances.C:
			idle = !w.reopenIfGone(time.Now()) && !w.compareSome(time.Now())
		case <-look.C:
			w.compareIfIntact(time.Now())
		case <-adopted:
			adopted, w.adopted = nil, true
			w.noteDesired(time.Now())
			w.compare(time.Now())
		}
	}
}

// turn takes note of every change and writes what is due, or on the last turn
// everything; reconciler.json is looked at now if kicked.
func (w *Writer) turn(now time.Time, kicked, last bool) {
	changed := w.o.Subscription.Take()
	w.noteDesired(now)
	if w.adopted {
		for _, id := range changed {
			w.note(id, now)
		}
	}
	w.writeDue(now, last)
	next := w.writeRuntime(now, kicked, last)
	if next.IsZero() || !w.next.IsZero() && w.next.Before(next) {
		next = w.next
	}
	if next.IsZero() {
		w.timer.Stop()
		return
	}
	w.timer.Reset(max(next.Sub(now), breath))
}

// finish is the last turn: whatever waits is written now.
func (w *Writer) finish(now time.Time) error {
	w.reopenIfGone(now)
	w.turn(now, false, true)
	return w.trouble.err()
}

// noteDesired notes the children whose declaration changed.
func (w *Writer) noteDesired(now time.Time) {
	before, set := w.set, w.o.Desired()
	if set == nil || set == before {
		return
	}
	w.set = set
	if before == nil || before.Complete != set.Complete {
		for id := range w.files {
			w.writeAt(now, id, now)
		}
		return
	}
	for id := range changedEntries(before, set) {
		if w.files[id] != nil {
			w.writeAt(now, id, now)
		}
	}
}

// note writes a child at once if it came to a phase that people wait for or is
// gone, else a while after the first change that is not in its file. So a child
// that starts is mostly written once and not three times, and the same when it
// stops: of a thousand at once, each file costs a fifth of a millisecond of ext4's
// time.
func (w *Writer) note(id child.ID, now time.Time) {
	f := w.files[id]
	s, there := w.o.Children.Child(id)
	due := now
	if there && !(urgent(s.Phase) && (f == nil || s.Phase != f.phase)) {
		due = w.soon(id, now)
	}
	w.writeAt(due, id, now)
}

// writeAt writes a child when due, which may be now, unless its file could not be
// written and needs a pause.
func (w *Writer) writeAt(due time.Time, id child.ID, now time.Time) {
	if f := w.files[id]; f != nil {
		due = latest(due, f.at.Add(pause(f.retries)))
	}
	if !due.After(now) {
		due = w.write(id, now)
	}
	w.wait(id, due)
}

// soon is when a change is written that nobody waits for: later ones do not put
// it off.
func (w *Writer) soon(id child.ID, now time.Time) time.Time {
	if due, waits := w.waiting[id]; waits {
		return due
	}
	return now.Add(quiet)
}

// wait lets a child be written when due; never if due is zero.
func (w *Writer) wait(id child.ID, due time.Time) {
	if due.IsZero() {
		delete(w.waiting, id)
		return
	}
	w.waiting[id] = due
	if w.next.IsZero() || due.Before(w.next) {
		w.next = due
	}
}

// writeDue writes the children whose time has come, or all that wait. It looks at
// all of them only then: ten thousand take a third of a millisecond.
func (w *Writer) writeDue(now time.Time, all bool) {
	if !all && (w.next.IsZero() || now.Before(w.next)) {
		return
	}
	w.next = time.Time{}
	for id, due := range w.waiting {
		if all || !due.After(now) {
			due = w.write(id, now)
		}
		w.wait(id, due)
	}
}

func urgent(p child.Phase) bool {
	return p == child.Running || p == child.Completed || p == child.FailedPhase || p == child.Quarantined
}

// pause is how long a file is left alone that could not be written so many times.
func pause(retries int) time.Duration {
	if retries == 0 {
		return 0
	}
	return min(retryFirst<<min(retries-1, 20), retryMax)
}

// write brings the file of one child up to date. It returns when to try again if
// that cannot be done now.
func (w *Writer) write(id child.ID, now time.Time) (again time.Time) {
	f := w.files[id]
	if f == nil {
		f = w.open(id)
		w.files[id] = f
	}
	s, there := w.o.Children.Child(id)
	err := w.bring(f, id, s, now)
	w.trouble.note(fileName(id), err)
	f.at = now
	if err != nil {
		f.retries++
		return now.Add(pause(f.retries))
	}
	f.retries = 0
	if !there {
		delete(w.files, id)
	}
	return time.Time{}
}

func (w *Writer) bring(f *file, id child.ID, s *child.Snapshot, now time.Time) error {
	if s == nil {
		w.view.forget(id)
		return w.dir.Remove(fileName(id))
	}
	d := declare(w.set, s, f.valid, now)
	w.view.note(id, d.Valid)
	c := NewChild(s, d)
	if w.o.Group == nil {
		c = Withhold(c)
	}
	b := encode(&c)
	sum := sha256.Sum256(b)
	if !f.known || sum != f.sum {
		if err := w.dir.Replace(fileName(id), b); err != nil {
			return err
		}
	}
	f.sum, f.known, f.phase, f.valid = sum, true, s.Phase, d.Valid
	return nil
}

// open takes over the file that an earlier run wrote: if nothing changed, nor who
// may read it, it is not written again, and what it says of the manifest goes on.
func (w *Writer) open(id child.ID) *file {
	b, err := w.dir.Read(fileName(id))
	if err != nil {
		return &file{}
	}
	var c Child
	if decode(b, &c, &c.SchemaVersion) != nil || c.ID != id {
		return &file{}
	}
	f := &file{sum: sha256.Sum256(b), known: w.dir.Fits(fileName(id)), phase: c.Phase}
	if v, ok := c.Condition(child.ConditionManifestValid); ok {
		f.valid = Validity{Status: v.Status, Reason: v.Reason, Message: v.Message, Since: v.LastTransitionTime}
	}
	return f
}
