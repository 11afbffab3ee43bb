package runtime

import (
	"context"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
	"github.com/reconciler-dev/reconciler/pkg/runtime/shim"
)

// usesNotify reports whether a child is given a socket to say how it is: where its
// manifest relies on that, as systemd does.
func usesNotify(spec *child.Spec) bool {
	return spec.Readiness != nil && spec.Readiness.Notify || sendsHeartbeats(spec)
}

func sendsHeartbeats(spec *child.Spec) bool {
	return spec.HealthCheck != nil && spec.HealthCheck.Heartbeat
}

// tellSaid tells what attempts said of themselves before this connection.
func (p *ShimProcesses) tellSaid(ctx context.Context, running []shim.Process) {
	for _, r := range running {
		if r.Said != nil {
			all := notified(r.Key, *r.Said)
			all.Whole = true
			p.tell(ctx, all)
		}
	}
}

func notified(key child.Key, n shim.Notice) machine.Notified {
	return machine.Notified{
		Key: key, Ready: n.Ready, Heartbeat: n.Heartbeat, Broken: n.Broken, Every: n.Every,
		Reloading: n.Reloading, Stopping: n.Stopping, Status: n.Status, Extend: n.Extend,
		Errno: n.Errno, ExitStatus: n.ExitStatus, Refusals: n.Refusals, Foreign: n.Foreign, Refused: n.Refused,
	}
}
