package runtime

import (
	"time"

	"github.com/reconciler-dev/reconciler/internal/crontab"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// nextRun is when a schedule is due after a time; the zero time: never, or it
// cannot be read, which the reading of manifests has said with line and column.
func nextRun(s *child.Schedule, after time.Time) time.Time {
	zone := time.Local
	if s.TimeZone != "" {
		var err error
		if zone, err = time.LoadLocation(s.TimeZone); err != nil {
			return time.Time{}
		}
	}
	plan, err := crontab.Parse(s.Cron, zone)
	if err != nil {
		return time.Time{}
	}
	return plan.Next(after)
}
