package desired

import (
	"errors"
	"time"

	"github.com/reconciler-dev/reconciler/internal/crontab"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

type schedule struct {
	Cron     *string        `json:"cron" jsonschema:"required,minLength=1" about:"When it runs: minute, hour, day of month, month, day of week, as in crontab(5), or @hourly, @daily, @weekly, @monthly, @every 1h30m."`
	TimeZone *string        `json:"time_zone" jsonschema:"minLength=1" about:"The time zone of these, such as Europe/Berlin. Without it, that of the machine."`
	Missed   *child.Missed  `json:"missed" jsonschema:"enum=skip,enum=run_once,default=skip" about:"What becomes of runs that were due while the reconciler was not there."`
	Overlap  *child.Overlap `json:"overlap" jsonschema:"enum=skip,enum=queue,enum=replace,default=skip" about:"What becomes of a run that is due while the last one is under way."`
}

func (s *schedule) check(c *checker) {
	zone := time.Local
	if s.TimeZone != nil {
		var err error
		if zone, err = time.LoadLocation(*s.TimeZone); err != nil {
			c.problem("time_zone", quoted(*s.TimeZone)+" is no time zone that this machine knows", "write one such as Europe/Berlin or UTC")
			return
		}
	}
	if s.Cron == nil {
		return
	}
	plan, err := crontab.Parse(*s.Cron, zone)
	switch {
	case errors.Is(err, crontab.ErrZone):
		c.problem("cron", err.Error(), "write time_zone")
	case err != nil:
		c.problem("cron", quoted(*s.Cron)+" is no schedule: "+err.Error(), "write five fields: minute, hour, day of month, month, day of week")
	case plan.Next(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero():
		c.problem("cron", quoted(*s.Cron)+" never fires", "no such day comes; see the day of month and the month")
	}
}

// schedule demands that a run can end: who is restarted after every exit has only
// one.
func (p *placing) schedule() {
	if p.spec.Schedule != nil && p.spec.RestartPolicy == child.Permanent {
		p.problem("schedule", "with restart_policy permanent a run never ends, so there is no next one", "write work_role: job, or restart_policy: transient or temporary")
	}
}
