package desired

import (
	"strings"
	"testing"
)

func TestScheduleThatCannotBeFollowedIsAProblemWithItsPlace(t *testing.T) {
	for text, want := range map[string]string{
		"schedule: {cron: every day}\nwork_role: job":                                 `a.yaml:2:18: schedule.cron: "every day" is no schedule`,
		"schedule: {cron: \"0 0 31 2 *\"}\nwork_role: job":                            `a.yaml:2:18: schedule.cron: "0 0 31 2 *" never fires`,
		"schedule: {cron: \"@daily\", time_zone: Mars/Olympus}\nwork_role: job":       `a.yaml:2:39: schedule.time_zone: "Mars/Olympus" is no time zone`,
		"schedule: {cron: \"CRON_TZ=UTC * * * * *\"}\nwork_role: job":                 `a.yaml:2:18: schedule.cron: the time zone stands in the schedule itself`,
		"schedule: {cron: \"@daily\"}":                                                `a.yaml:2:1: schedule: with restart_policy permanent a run never ends`,
		"schedule: {cron: \"@daily\", overlap: both}\nwork_role: job":                 `schedule.overlap: "both" is not one of skip, queue, replace`,
		"schedule: {}\nwork_role: job":                                                "schedule",
		"schedule: {cron: \"*/5 * * * *\", time_zone: Europe/Berlin}\nwork_role: job": "",
	} {
		ms, problems := Decode("a.yaml", []byte("name: a\n"+text))
		if len(ms) == 1 && len(problems) == 0 {
			_, problems = ms[0].Spec("", nil, nil)
		}
		got := ""
		if len(problems) > 0 {
			got = problems[0].String()
		}
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s:\ngot  %s\nwant %s", text, got, want)
		}
	}
}
