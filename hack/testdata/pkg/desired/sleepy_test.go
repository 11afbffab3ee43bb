package desired

import (
	"testing"
	"time"
)

func TestSleepy(t *testing.T) {
	time.Sleep(time.Second)
}
