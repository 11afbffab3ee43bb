package machine

import (
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// Config is what a Tree is made of.
type Config struct {
	// StartSlots is how many starts may be under way at the same time. Less than
	// one counts as one.
	StartSlots int

	// Seed makes the jitter of the rests between restarts reproducible. Each
	// child has a generator of its own, seeded by this and its ID.
	Seed uint64
}

// Tree is all children of one runtime and the rules between them. It is not
// safe for concurrent use: one loop owns it.
type Tree struct {
	cfg Config
}

// New is an empty tree. It is detached: no effect comes before the first Adopted.
func New(cfg Config) *Tree { return &Tree{cfg: cfg} }

// Restore is the tree that an earlier run left behind. Of several records of one
// ID the last one counts. It is detached: no effect comes before the first
// Adopted, and until then an attempt that was recorded counts as alive.
func Restore(cfg Config, now Instant, wall time.Time, recs []Record) *Tree { return New(cfg) }

// Step tells the tree one event. now never goes back; wall is only shown and
// recorded. What the event leads to is collected until Ready is called.
func (t *Tree) Step(now Instant, wall time.Time, ev Event) {}

// Ready takes what all steps since the last Ready left to do.
func (t *Tree) Ready() Ready { return Ready{} }

// Next is when a Ticked is due; false when nothing waits for time to pass. It
// may lie in the past: then the tick is due now.
func (t *Tree) Next() (Instant, bool) { return 0, false }

// Done reports whether the tree was shut down and nothing is left to wait for.
// The reply with the report is then in Ready or was taken from it.
func (t *Tree) Done() bool { return false }

// Connected reports whether an Adopted was seen since the last Detached.
func (t *Tree) Connected() bool { return false }

// Snapshot is what is known of one child now; false when there is none of that
// ID. The caller may keep it: it is never written again.
func (t *Tree) Snapshot(id child.ID) (*child.Snapshot, bool) { return nil, false }

// IDs are all children, sorted.
func (t *Tree) IDs() []child.ID { return nil }

// Check is nil as long as every invariant of the tree holds. It looks at
// everything and is for tests.
func (t *Tree) Check() error { return nil }
