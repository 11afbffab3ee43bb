package desired

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// pack is what a work role stands for: who may have it, and what holds for a
// child of the role where neither its manifest nor the defaults of its folders
// say otherwise. What a pack leaves out is built in.
type pack struct {
	holder   string // of the role: "worker" or "supervisor", as in the tag "for"
	about    string // for the reference
	defaults inheritable
}

// packs are the work roles. They differ from the seed's, on purpose, where those
// surprise an operator: a success counts by restart_policy and nothing else, and
// whatever others wait for is never given up (a limit would keep it down after an
// outage that outlasts it, until somebody comes). A job is: each try may cost
// something, and a job that failed four times in an hour wants to be looked at.
var packs = map[string]pack{
	"service": {"worker", "Something that others use and that must always be there: it is started again after every exit and comes back soon, for ever. While it cannot run, the runtime is degraded.",
		inheritable{RestartPolicy: ptr(child.Permanent), Criticality: ptr(child.Critical), Backoff: resting(50*time.Millisecond, 5*time.Second)}},
	"worker": {"worker", "Something that works until there is nothing left to do: a success is its end, a failure is not.",
		inheritable{RestartPolicy: ptr(child.Transient), Criticality: ptr(child.Optional), Backoff: resting(50*time.Millisecond, time.Minute)}},
	"job": {"worker", "Something that runs to completion: it is tried again after a failure, with long rests, and quarantined after a few of them.",
		inheritable{RestartPolicy: ptr(child.Transient), Criticality: ptr(child.Optional), Backoff: resting(time.Second, time.Minute), RestartLimit: limit(3, time.Hour)}},
	"sidecar": {"worker", "A companion of another child (sidecar_of): it is kept running beside it and comes back soon. Its failures do not touch the other one.",
		inheritable{RestartPolicy: ptr(child.Permanent), Criticality: ptr(child.Optional), Backoff: resting(50*time.Millisecond, 5*time.Second)}},
	"supervisor": {"supervisor", "A folder that gives up: beyond this many restarts of its children together it fails upward.",
		inheritable{RestartLimit: limit(30, time.Minute)}},
}

func resting(initial, longest time.Duration) *backoff {
	return &backoff{InitialDelay: ptr(child.Millis(initial)), MaxDelay: ptr(child.Millis(longest))}
}

func limit(restarts int, window time.Duration) *restartLimit {
	return &restartLimit{MaxRestarts: ptr(restarts), Window: ptr(child.Seconds(window))}
}

// rolesOf are the names of the roles that a holder may have, sorted.
func rolesOf(holder string) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(packs)), func(name string) bool { return packs[name].holder != holder })
}

// inheritRole gives f what its role says and nobody wrote. As every default it
// gives way: whoever writes max_delay_ms: 20 begins at 20, whatever the role.
func inheritRole(f *manifestFields) {
	if f.WorkRole == nil {
		return
	}
	written, role := f.Backoff, packs[*f.WorkRole].defaults
	inherit(&f.inheritable, &role)
	if written == nil || role.Backoff == nil {
		return
	}
	if b := f.Backoff; *b.InitialDelay > *b.MaxDelay { // complete made it, so it is ours to write
		switch {
		case written.InitialDelay == nil:
			b.InitialDelay = b.MaxDelay
		case written.MaxDelay == nil:
			b.MaxDelay = b.InitialDelay
		}
	}
}

// checkRole refuses a role that this kind of child cannot have.
func (f *manifestFields) checkRole(c *checker) {
	if f.WorkRole == nil {
		return
	}
	holder := "worker"
	if f.isSupervisor() {
		holder = "supervisor"
	}
	switch role := *f.WorkRole; {
	case packs[role].holder == holder:
	case holder == "supervisor":
		c.problem("work_role", fmt.Sprintf("%s is a role of workers; a supervisor runs no process itself", role), "write supervisor, or give the role to the children")
	default:
		c.problem("work_role", role+" is the role of folders", "write one of "+strings.Join(rolesOf("worker"), ", ")+", or kind: supervisor")
	}
}
