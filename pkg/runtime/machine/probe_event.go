package machine

import (
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// Probe asks for one look at an attempt: the handler of Role in Spec. It is
// answered by one Probed with the same Key, Role and Number, within the timeout of
// the spec once it has begun; the handler log_match is answered when a line
// matches, however long that takes. A newer Probe of the same child and role
// replaces an older one that is not answered.
type Probe struct {
	Key     child.Key
	Attempt child.Attempt
	Role    child.ProbeRole
	Number  uint64
	Spec    *child.Spec
}

// CancelProbe says that nobody waits for the answer any more.
type CancelProbe struct {
	Key    child.Key
	Role   child.ProbeRole
	Number uint64
}

// Probed answers a Probe. One whose Key or Number is not that of the newest Probe
// of its role changes nothing.
type Probed struct {
	Key     child.Key
	Role    child.ProbeRole
	Number  uint64
	OK      bool
	Unknown bool        // nobody could look (a command that cannot start): no verdict, see kubelet's Unknown
	Message string      // why it failed or could not be made, for people
	Words   child.Words // what was printed or answered besides
	Latency time.Duration
}

// Notified is what an attempt says of itself: by a message to its notify socket,
// or as a task of an embedding program. What is zero was not said. It may come
// before Started. Ready counts for a readiness by notify, the heartbeat for a
// health check by heartbeat.
type Notified struct {
	Key       child.Key
	Ready     *bool         // READY=1, or false once it is not ready any more (RELOADING=1)
	Heartbeat bool          // WATCHDOG=1
	Broken    bool          // WATCHDOG=trigger: it asks to be replaced
	Every     time.Duration // WATCHDOG_USEC=: from now on the longest time between two heartbeats

	Reloading, Stopping bool // with Ready: what it does instead
	Status              *string
	Extend              time.Duration // EXTEND_TIMEOUT_USEC=
	Errno               int
	ExitStatus          string
	Refusals            int // its own messages, or parts of one, that were refused
	Foreign             int // messages of others
	Refused             string

	Whole bool // it is the sum of all that was said, not news
}

func (Probe) effect()       {}
func (CancelProbe) effect() {}
func (Probed) event()       {}
func (Notified) event()     {}

// The facts about probes.
const (
	ChildNotReady  FactKind = "child_not_ready"
	ChildUnhealthy FactKind = "child_unhealthy" // its liveness failed: the attempt is replaced
	ProbeFailed    FactKind = "probe_failed"    // the first failure in a row
)
