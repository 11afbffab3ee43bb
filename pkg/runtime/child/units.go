package child

import (
	"encoding/json"
	"fmt"
	"math"
	"time"
)

// Seconds is a duration that manifests and status files write as a number of
// seconds, with fractions.
type Seconds time.Duration

// Millis is a duration that manifests and status files write as a number of
// milliseconds.
type Millis time.Duration

// MaxDuration bounds every duration of a manifest: ten years.
const MaxDuration = 10 * 365 * 24 * time.Hour

// Duration is s as the standard library counts.
func (s Seconds) Duration() time.Duration { return time.Duration(s) }

// Duration is m as the standard library counts.
func (m Millis) Duration() time.Duration { return time.Duration(m) }

// MarshalJSON writes seconds.
func (s Seconds) MarshalJSON() ([]byte, error) {
	return json.Marshal(time.Duration(s).Seconds())
}

// UnmarshalJSON reads seconds in [0, MaxDuration].
func (s *Seconds) UnmarshalJSON(b []byte) error {
	d, err := readDuration(b, time.Second)
	*s = Seconds(d)
	return err
}

// MarshalJSON writes milliseconds.
func (m Millis) MarshalJSON() ([]byte, error) {
	return json.Marshal(float64(m) / float64(time.Millisecond))
}

// UnmarshalJSON reads milliseconds in [0, MaxDuration].
func (m *Millis) UnmarshalJSON(b []byte) error {
	d, err := readDuration(b, time.Millisecond)
	*m = Millis(d)
	return err
}

func readDuration(b []byte, unit time.Duration) (time.Duration, error) {
	var f float64
	if err := json.Unmarshal(b, &f); err != nil {
		return 0, err
	}
	if f < 0 || f > float64(MaxDuration)/float64(unit) {
		return 0, fmt.Errorf("%v is out of range: at least 0, at most %v", f, float64(MaxDuration)/float64(unit))
	}
	return time.Duration(math.Round(f * float64(unit))), nil
}
