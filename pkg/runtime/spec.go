package runtime

import (
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// NewSpec is a spec with the defaults of a manifest that has this command and
// nothing else: kept running, whatever its exits are. Without a command the child
// runs the task that is registered under its name. The caller may change it until
// it is given to a Handle.
func NewSpec(command ...string) *child.Spec {
	return &child.Spec{
		Kind: child.AsyncWorker, Command: command, Criticality: child.Optional,
		RestartPolicy: child.Permanent, SuccessExitCodes: []int{0},
		InheritEnvironment: child.InheritEnvironment{All: true},
		Shutdown: child.Shutdown{
			Signal: "SIGTERM", GracefulTimeout: child.Seconds(5 * time.Second), AbortWait: child.Seconds(time.Second),
		},
		Backoff: child.Backoff{
			InitialDelay: child.Millis(10 * time.Millisecond), MaxDelay: child.Millis(time.Minute),
			JitterRatio: 0.2, ResetAfter: child.Seconds(30 * time.Second),
		},
		Logs: child.Logs{MaxSizeMB: 10, MaxFiles: 5},
	}
}
