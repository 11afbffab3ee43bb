package pid1

import (
	"testing"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/sys/unix"
)

const killed = unix.WaitStatus(unix.SIGKILL)

func exited(code int) unix.WaitStatus { return unix.WaitStatus(code << 8) }

func TestTheInitEndsAsTheProgramDid(t *testing.T) {
	for _, row := range []struct {
		name   string
		status unix.WaitStatus
		told   bool
		code   int
		done   bool
	}{
		{"it ended well", exited(0), false, 0, true},
		{"it ended with the code of a critical child", exited(7), false, 7, true},
		{"it was killed while its children run", killed, false, 0, false},
		{"it was killed after it was told to end", killed, true, 137, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			i := &initProcess{log: logr.Discard(), begun: time.Now(), told: row.told}

			code, done := i.over(row.status)

			if code != row.code || done != row.done {
				t.Errorf("code %d, done %v; want %d, %v", code, done, row.code, row.done)
			}
		})
	}
}

func TestAProgramThatIsKilledAgainAndAgainIsGivenUp(t *testing.T) {
	i := &initProcess{log: logr.Discard(), begun: time.Now()}
	for n := range quickTimes - 1 {
		if _, done := i.over(killed); done {
			t.Fatalf("it was given up after %d times, want %d", n+1, quickTimes)
		}
	}

	code, done := i.over(killed)

	if code != 137 || !done {
		t.Errorf("the last time gives code %d, done %v; want 137, true", code, done)
	}
}

func TestAProgramThatRanForAWhileHasAllItsChancesAgain(t *testing.T) {
	i := &initProcess{log: logr.Discard(), killed: quickTimes - 1, begun: time.Now().Add(-quick)}

	_, done := i.over(killed)

	if done {
		t.Error("it was given up, though it had run for a while")
	}
}
