package crontab

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/netresearch/go-cron"
)

// searchYears is how far a day is looked for. 40 years hold every day of the week on
// a 29th of February, also over a year without one (2100).
const searchYears = 40

// summerTime is the longest jump of a clock that is one: Debian's cron takes what is
// less than three hours for it.
const summerTime = 3 * time.Hour

var parser = cron.MustNewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor).WithMaxSearchYears(searchYears)

// anyDay takes a day that fits the day of the month or the day of the week.
var anyDay = cron.MustNewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.DowOrDom).WithMaxSearchYears(searchYears)

// ErrZone says that a schedule names its own time zone, as some crons take it.
var ErrZone = errors.New("the time zone stands in the schedule itself")

// Schedule is a schedule in a time zone. The zero value is due never.
type Schedule struct {
	plan cron.Schedule
	zone *time.Location

	interval bool // @every: no time of day, so no zone either
	wild     bool // * in the minute or the hour
}

// Parse reads the text of a schedule; zone is where its hours are.
func Parse(text string, zone *time.Location) (Schedule, error) {
	if strings.Contains(text, "TZ=") {
		return Schedule{}, ErrZone
	}
	fields := strings.Fields(text)
	s := Schedule{zone: zone, interval: strings.HasPrefix(text, "@every")}
	p := parser
	for _, f := range fields {
		if slices.Contains(strings.Split(f, ","), "") {
			return Schedule{}, fmt.Errorf("%s: a value of the list is missing", f)
		}
	}
	switch {
	case len(fields) == 5:
		s.wild = beginsWild(fields[0]) || beginsWild(fields[1])
		if !beginsWild(fields[2]) && !beginsWild(fields[4]) {
			p = anyDay
		}
	case !strings.HasPrefix(text, "@"):
		return Schedule{}, errors.New("a schedule has five fields: minute, hour, day of month, month, day of week")
	default:
		s.wild = text == "@hourly"
	}
	plan, err := p.Parse(text)
	if err != nil {
		return Schedule{}, err
	}
	s.plan = plan
	return s, nil
}

func beginsWild(field string) bool { return field[0] == '*' || field[0] == '?' }

// Next is the first time after a given one at which the schedule is due; the zero
// time says never.
func (s Schedule) Next(after time.Time) time.Time {
	switch {
	case s.plan == nil:
		return time.Time{}
	case s.interval:
		return s.plan.Next(after)
	case s.wild:
		return s.nextWild(after.In(s.zone))
	}
	return s.nextFixed(after.In(s.zone))
}

// The library reckons in a calendar without changes of the clock: its times are what a
// clock on the wall shows, written as UTC.

// wall is what the clock on the wall shows at a time, if it is off ahead of UTC.
func wall(t time.Time, off int) time.Time { return t.Add(time.Duration(off) * time.Second).UTC() }

// nextFixed goes from time of day to time of day, and looks for each when it is.
func (s Schedule) nextFixed(after time.Time) time.Time {
	_, off := after.Zone()
	for w := s.plan.Next(wall(after, off)); !w.IsZero(); w = s.plan.Next(w) {
		if t, ok := s.instant(w); ok && t.After(after) {
			return t
		}
	}
	return time.Time{}
}

// instant is when the clock on the wall shows w for the first time, or jumps over it.
func (s Schedule) instant(w time.Time) (at time.Time, ok bool) {
	near := time.Date(w.Year(), w.Month(), w.Day(), w.Hour(), w.Minute(), w.Second(), 0, s.zone)
	start, end := near.ZoneBounds()
	offsets := []int{offset(near)}
	if !start.IsZero() {
		offsets = append(offsets, offset(start.Add(-1)))
	}
	if !end.IsZero() {
		offsets = append(offsets, offset(end))
	}
	for _, off := range offsets {
		t := w.Add(-time.Duration(off) * time.Second).In(s.zone)
		if offset(t) == off && (!ok || t.Before(at)) {
			at, ok = t, true
		}
	}
	if ok {
		return at, true
	}
	// No clock shows it. It is between the two that a jump forward leads from and to.
	jump := start
	if start.IsZero() || wall(start, offset(start)).Before(w) {
		jump = end
	}
	gap := time.Duration(offset(jump)-offset(jump.Add(-1))) * time.Second
	return jump, gap < summerTime
}

func offset(t time.Time) int {
	_, off := t.Zone()
	return off
}

// nextWild goes through the times between two changes of the clock, one after another.
func (s Schedule) nextWild(after time.Time) time.Time {
	off := offset(after)
	_, end := after.ZoneBounds()
	for {
		w := s.plan.Next(wall(after, off))
		if w.IsZero() {
			return time.Time{}
		}
		t := w.Add(-time.Duration(off) * time.Second).In(s.zone)
		if end.IsZero() || t.Before(end) {
			return t
		}
		after, off = end.Add(-1), offset(end)
		_, end = end.ZoneBounds()
	}
}
