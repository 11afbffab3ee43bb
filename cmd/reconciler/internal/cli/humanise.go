package cli

import (
	"fmt"
	"time"
)

// humanDuration is d for a table: 800ms, 12s, 3m20s, 5h12m, 4d3h. Two units are
// enough to know it and one is enough when it is long.
func humanDuration(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < 0:
		return "0s"
	case d < time.Second:
		return fmt.Sprintf("%dms", d.Milliseconds())
	case d < 2*time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < 10*time.Minute:
		return twoUnits(d, time.Minute, "m", time.Second, "s")
	case d < 3*time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 8*time.Hour:
		return twoUnits(d, time.Hour, "h", time.Minute, "m")
	case d < 2*day:
		return fmt.Sprintf("%dh", int(d.Hours()))
	case d < 8*day:
		return twoUnits(d, day, "d", time.Hour, "h")
	}
	return fmt.Sprintf("%dd", int(d/day))
}

func twoUnits(d, big time.Duration, bigName string, small time.Duration, smallName string) string {
	rest := d % big / small
	if rest == 0 {
		return fmt.Sprintf("%d%s", d/big, bigName)
	}
	return fmt.Sprintf("%d%s%d%s", d/big, bigName, rest, smallName)
}

// moment is t for people, with how long ago it was.
func moment(t, now time.Time) string {
	if t.IsZero() {
		return "never"
	}
	text := t.Local().Format(time.DateTime)
	if d := t.Sub(now); d > 0 {
		return text + " (in " + humanDuration(d) + ")"
	}
	return text + " (" + humanDuration(now.Sub(t)) + " ago)"
}

// percent is a share of one core for a table.
func percent(p float64) string {
	if p < 10 {
		return fmt.Sprintf("%.1f%%", p)
	}
	return fmt.Sprintf("%.0f%%", p)
}

// humanBytes is n for a table, in the units of kubectl: 512Ki, 14Mi, 2.1Gi.
func humanBytes(n uint64) string {
	const ki, mi, gi = 1 << 10, 1 << 20, 1 << 30
	switch {
	case n < ki:
		return fmt.Sprintf("%d", n)
	case n < mi:
		return fmt.Sprintf("%dKi", n/ki)
	case n < gi:
		return fmt.Sprintf("%dMi", n/mi)
	}
	return fmt.Sprintf("%.1fGi", float64(n)/gi)
}
