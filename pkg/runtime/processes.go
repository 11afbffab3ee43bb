package runtime

import (
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

// Processes is the operating system as the runtime needs it. No method waits:
// what is asked is queued in order, and what became of it arrives as an event.
// While nobody can carry it out (a Detached was sent and no Adopted since), it
// is dropped: the tree asks again after the next Adopted.
type Processes interface {
	Start(machine.Start)
	Signal(machine.Signal)
	Acknowledge(child.Key)
	Events() <-chan machine.Event
}
