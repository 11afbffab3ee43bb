package runtime

import (
	"testing"
	"time"
	_ "time/tzdata" // the zone of the test, on every machine

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

func TestNextRunKeepsToTheZoneOverSummerTime(t *testing.T) {
	nightly := &child.Schedule{Cron: "30 2 * * *", TimeZone: "Europe/Berlin"}
	evening := time.Date(2027, 3, 27, 20, 0, 0, 0, time.UTC)

	got := nextRun(nightly, evening)

	if want := time.Date(2027, 3, 28, 1, 0, 0, 0, time.UTC); !got.Equal(want) {
		t.Errorf("on the night without 02:30 it is due at %v, want %v, the end of the gap", got, want)
	}
}
