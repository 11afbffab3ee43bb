package machine

import (
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// epochWall is what the wall clock of all tests shows at Instant 0.
var epochWall = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)

// testSpec has short, round times.
func testSpec() *child.Spec {
	return &child.Spec{
		Kind:             child.AsyncWorker,
		Command:          []string{"work"},
		RestartPolicy:    child.Permanent,
		SuccessExitCodes: []int{0},
		Shutdown: child.Shutdown{
			Signal: "SIGTERM", GracefulTimeout: child.Seconds(5 * time.Second), AbortWait: child.Seconds(time.Second),
		},
		Backoff: child.Backoff{
			InitialDelay: child.Millis(100 * time.Millisecond), MaxDelay: child.Millis(10 * time.Second),
			ResetAfter: child.Seconds(30 * time.Second),
		},
	}
}
