package crontab

import (
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // the zones of the table, on every machine

	"pgregory.net/rapid"
)

const layout = "2006-01-02 15:04 -0700"

func load(t testing.TB, zone string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

// TestScheduleIsDueWhenCrontabSays is the table of docs/manifest.md: what crontab(5)
// and the notes of Debian's cron(8) say. A row gives the runs after a time.
func TestScheduleIsDueWhenCrontabSays(t *testing.T) {
	const tuesday = "2026-12-01 10:07" // where nothing else is given
	for _, row := range []struct {
		name, text, zone, after string
		want                    []string
	}{
		{"every minute", "* * * * *", "UTC", tuesday, []string{"2026-12-01 10:08 +0000", "2026-12-01 10:09 +0000"}},
		{"steps", "*/5 * * * *", "UTC", tuesday, []string{"2026-12-01 10:10 +0000", "2026-12-01 10:15 +0000"}},
		{"a step over the hour", "50-59/5 10 * * *", "UTC", tuesday, []string{"2026-12-01 10:50 +0000", "2026-12-01 10:55 +0000", "2026-12-02 10:50 +0000"}},
		{"the minute that is now is over", "7 10 * * *", "UTC", tuesday, []string{"2026-12-02 10:07 +0000"}},
		{"the minute after now", "8 10 * * *", "UTC", tuesday, []string{"2026-12-01 10:08 +0000"}},
		{"Sunday is 0", "0 0 * * 0", "UTC", tuesday, []string{"2026-12-06 00:00 +0000"}},
		{"Sunday is 7", "15 6 * * 7", "UTC", tuesday, []string{"2026-12-06 06:15 +0000", "2026-12-13 06:15 +0000"}},
		{"Sunday has a name", "15 6 * * Sun", "UTC", tuesday, []string{"2026-12-06 06:15 +0000"}},
		{"a range to 7", "15 6 * * 5-7", "UTC", tuesday, []string{"2026-12-04 06:15 +0000", "2026-12-05 06:15 +0000", "2026-12-06 06:15 +0000", "2026-12-11 06:15 +0000"}},
		{"a range over the end of the week", "0 0 * * fri-mon", "UTC", tuesday, []string{"2026-12-04 00:00 +0000", "2026-12-05 00:00 +0000", "2026-12-06 00:00 +0000", "2026-12-07 00:00 +0000", "2026-12-11 00:00 +0000"}},
		{"working days", "0 22 * * 1-5", "UTC", "2026-12-04 22:00", []string{"2026-12-07 22:00 +0000"}},
		{"a list with a range", "0,30 9-10,17 * * *", "UTC", tuesday, []string{"2026-12-01 10:30 +0000", "2026-12-01 17:00 +0000", "2026-12-01 17:30 +0000", "2026-12-02 09:00 +0000"}},
		{"day of month or of week: either", "0 0 1,15 * 5", "UTC", tuesday, []string{"2026-12-04 00:00 +0000", "2026-12-11 00:00 +0000", "2026-12-15 00:00 +0000"}},
		{"a range of days is no *", "0 0 1-31/2 * 1", "UTC", tuesday, []string{"2026-12-03 00:00 +0000", "2026-12-05 00:00 +0000", "2026-12-07 00:00 +0000"}},
		{"the first week or a Monday", "0 0 1-7 * mon", "UTC", tuesday, []string{"2026-12-02 00:00 +0000"}},
		{"*/2 and a weekday: both", "0 0 */2 * 1", "UTC", tuesday, []string{"2026-12-07 00:00 +0000", "2026-12-21 00:00 +0000"}},
		{"a day and */2 of the week: both", "0 0 13 * */2", "UTC", tuesday, []string{"2026-12-13 00:00 +0000", "2027-02-13 00:00 +0000"}},
		{"? is *", "0 0 ? * 1", "UTC", tuesday, []string{"2026-12-07 00:00 +0000"}},
		{"the 29th of February", "0 0 29 2 *", "UTC", tuesday, []string{"2028-02-29 00:00 +0000", "2032-02-29 00:00 +0000"}},
		{"the 29th of February over 2100", "0 0 29 2 *", "UTC", "2096-03-01 00:00", []string{"2104-02-29 00:00 +0000"}},
		{"a Sunday that is the 29th of February", "0 0 29 2 */7", "UTC", tuesday, []string{"2032-02-29 00:00 +0000"}},
		{"the 31st skips short months", "0 0 31 * *", "UTC", "2026-12-31 00:00", []string{"2027-01-31 00:00 +0000", "2027-03-31 00:00 +0000"}},
		{"the 30th of February", "0 0 30 2 *", "UTC", tuesday, []string{"never"}},
		{"months by name", "0 0 1 JAN-mar *", "UTC", tuesday, []string{"2027-01-01 00:00 +0000", "2027-02-01 00:00 +0000"}},
		{"blanks and tabs", "0  0\t1 * *", "UTC", tuesday, []string{"2027-01-01 00:00 +0000"}},
		{"@hourly", "@hourly", "UTC", tuesday, []string{"2026-12-01 11:00 +0000"}},
		{"@midnight", "@midnight", "Asia/Kolkata", tuesday, []string{"2026-12-02 00:00 +0530"}},
		{"@weekly", "@weekly", "UTC", tuesday, []string{"2026-12-06 00:00 +0000"}},
		{"@yearly", "@yearly", "UTC", tuesday, []string{"2027-01-01 00:00 +0000"}},
		{"@every goes on from the time given", "@every 1h30m", "UTC", tuesday, []string{"2026-12-01 11:37 +0000", "2026-12-01 13:07 +0000"}},

		{"spring, Berlin: due at the end of the gap", "30 2 * * *", "Europe/Berlin", "2027-03-27 12:00", []string{"2027-03-28 03:00 +0200", "2027-03-29 02:30 +0200"}},
		{"spring, Berlin: a day of the year in the gap", "30 2 28 3 *", "Europe/Berlin", "2027-01-01 00:00", []string{"2027-03-28 03:00 +0200", "2028-03-28 02:30 +0200"}},
		{"spring, Berlin: two in the gap are due once", "10,50 2 * * *", "Europe/Berlin", "2027-03-27 12:00", []string{"2027-03-28 03:00 +0200", "2027-03-29 02:10 +0200"}},
		{"spring, Berlin: and together with its end", "0 2,3 * * *", "Europe/Berlin", "2027-03-27 12:00", []string{"2027-03-28 03:00 +0200", "2027-03-29 02:00 +0200"}},
		{"spring, Berlin: before the gap", "59 1 * * *", "Europe/Berlin", "2027-03-27 12:00", []string{"2027-03-28 01:59 +0100", "2027-03-29 01:59 +0200"}},
		{"spring, Berlin: * follows the wall", "*/30 * * * *", "Europe/Berlin", "2027-03-28 01:10", []string{"2027-03-28 01:30 +0100", "2027-03-28 03:00 +0200", "2027-03-28 03:30 +0200"}},
		{"spring, Berlin: * in the minute of an hour that is not", "*/30 2 * * *", "Europe/Berlin", "2027-03-28 00:00", []string{"2027-03-29 02:00 +0200"}},
		{"autumn, Berlin: due once, the first time", "30 2 * * *", "Europe/Berlin", "2027-10-30 12:00", []string{"2027-10-31 02:30 +0200", "2027-11-01 02:30 +0100"}},
		{"autumn, Berlin: in the second hour, the first is over", "30 2 * * *", "Europe/Berlin", "2027-10-31 02:10 +0100", []string{"2027-11-01 02:30 +0100"}},
		{"autumn, Berlin: the end of the hour twice", "0 3 * * *", "Europe/Berlin", "2027-10-30 12:00", []string{"2027-10-31 03:00 +0100"}},
		{"autumn, Berlin: * follows the wall through both", "*/30 2 * * *", "Europe/Berlin", "2027-10-31 01:00", []string{"2027-10-31 02:00 +0200", "2027-10-31 02:30 +0200", "2027-10-31 02:00 +0100", "2027-10-31 02:30 +0100", "2027-11-01 02:00 +0100"}},
		{"autumn, Berlin: every hour is every hour", "30 * * * *", "Europe/Berlin", "2027-10-31 02:00 +0200", []string{"2027-10-31 02:30 +0200", "2027-10-31 02:30 +0100", "2027-10-31 03:30 +0100"}},
		{"spring, New York", "30 2 * * *", "America/New_York", "2027-03-13 12:00", []string{"2027-03-14 03:00 -0400", "2027-03-15 02:30 -0400"}},
		{"autumn, New York", "30 1 * * *", "America/New_York", "2027-11-06 12:00", []string{"2027-11-07 01:30 -0400", "2027-11-08 01:30 -0500"}},
		{"Cairo has no midnight", "0 0 * * *", "Africa/Cairo", "2026-04-23 12:00", []string{"2026-04-24 01:00 +0300", "2026-04-25 00:00 +0300"}},
		{"Cairo: a quarter past midnight", "15 0 * * *", "Africa/Cairo", "2026-04-23 12:00", []string{"2026-04-24 01:00 +0300"}},
		{"Cairo: @daily", "@daily", "Africa/Cairo", "2026-04-23 12:00", []string{"2026-04-24 01:00 +0300", "2026-04-25 00:00 +0300"}},
		{"Cairo: the last hour of a day twice", "30 23 * * *", "Africa/Cairo", "2026-10-28 23:30", []string{"2026-10-29 23:30 +0300", "2026-10-30 23:30 +0200"}},
		{"Havana has no midnight either", "0 0 * * 0", "America/Havana", "2026-03-07 12:00", []string{"2026-03-08 01:00 -0400", "2026-03-15 00:00 -0400"}},
		{"Lord Howe jumps half an hour", "15 2 * * *", "Australia/Lord_Howe", "2026-10-03 12:00", []string{"2026-10-04 02:30 +1100", "2026-10-05 02:15 +1100"}},
		{"Lord Howe: half an hour twice", "45 1 * * *", "Australia/Lord_Howe", "2026-04-04 12:00", []string{"2026-04-05 01:45 +1100", "2026-04-06 01:45 +1030"}},
		{"Lord Howe: * through both", "*/15 1 * * *", "Australia/Lord_Howe", "2026-04-05 01:20 +1100", []string{"2026-04-05 01:30 +1100", "2026-04-05 01:45 +1100", "2026-04-05 01:30 +1030", "2026-04-05 01:45 +1030", "2026-04-06 01:00 +1030"}},
		{"a day that Samoa never had", "0 12 * * *", "Pacific/Apia", "2011-12-29 13:00", []string{"2011-12-31 12:00 +1400"}},
		{"Kathmandu has quarters", "30 2 * * *", "Asia/Kathmandu", tuesday, []string{"2026-12-02 02:30 +0545"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			zone := load(t, row.zone)
			s, err := Parse(row.text, zone)
			if err != nil {
				t.Fatal(err)
			}
			at, err := time.Parse(layout, row.after)
			if err != nil {
				if at, err = time.ParseInLocation("2006-01-02 15:04", row.after, zone); err != nil {
					t.Fatal(err)
				}
			}

			for i, want := range row.want {
				at = s.Next(at)
				got := "never"
				if !at.IsZero() {
					got = at.In(zone).Format(layout)
				}
				if got != want {
					t.Fatalf("%s in %s after %s: run %d is due at %s, want %s", row.text, row.zone, row.after, i+1, got, want)
				}
			}
		})
	}
}

func TestWhatIsNoScheduleIsRefused(t *testing.T) {
	for _, text := range []string{
		"", "every day", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * 32 * *", "* * * 13 *", "* * * 0 *", "* * * * 8",
		"*/0 * * * *", "1-2-3 * * * *", "-1 * * * *", "0 0 L * *", "0 0 1W * *", "0 0 * * 1#2", "H * * * *", "@reboot", "@often", "@every", "@every soon", "@every -1h",
		"TZ=UTC * * * * *", "CRON_TZ=UTC 0 0 * * *", "x * * * *", "* * * foo *", "99999999999999999999 * * * *", "1,, * * * *", ",1 * * * *",
	} {
		if s, err := Parse(text, time.UTC); err == nil {
			t.Errorf("Parse(%q) takes it; it is due at %v", text, s.Next(time.Unix(0, 0)))
		}
	}
}

// TestEveryRunIsLaterAndNoneIsLeftOut asks from every moment between two runs, in
// zones with odd clocks around the days when they change.
func TestEveryRunIsLaterAndNoneIsLeftOut(t *testing.T) {
	zones := []*time.Location{load(t, "Europe/Berlin"), load(t, "Africa/Cairo"), load(t, "Australia/Lord_Howe"), load(t, "America/Havana"), load(t, "Africa/Casablanca"), time.UTC}
	fields := rapid.SampledFrom([]string{"*", "*/7", "0", "30", "0,15,30,45", "5-50/15", "59"})
	hours := rapid.SampledFrom([]string{"*", "*/2", "0", "1", "2", "0-3", "23", "1,2,3"})
	rapid.Check(t, func(t *rapid.T) {
		zone := rapid.SampledFrom(zones).Draw(t, "zone")
		text := strings.Join([]string{fields.Draw(t, "minute"), hours.Draw(t, "hour"), "*", "*", "*"}, " ")
		s, err := Parse(text, zone)
		if err != nil {
			t.Fatal(err)
		}
		from := time.Unix(rapid.Int64Range(1767225600, 1830297600).Draw(t, "from"), 0)

		next := s.Next(from)
		between := from.Add(time.Duration(rapid.Int64Range(0, int64(next.Sub(from))-1).Draw(t, "between")))

		if !next.After(from) || next.Sub(from) > 26*time.Hour+time.Hour {
			t.Fatalf("%s in %s after %s is due at %s", text, zone, from.In(zone), next)
		}
		if again := s.Next(between); !again.Equal(next) {
			t.Fatalf("%s in %s: after %s it is due at %s, and after %s, which is between, at %s", text, zone, from.In(zone), next, between.In(zone), again)
		}
	})
}
