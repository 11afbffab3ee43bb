package shim

import (
	"errors"
	"fmt"
	"log"
	"time"

	"golang.org/x/sys/unix"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// Output says what becomes of the output of a child. It is told when that changes,
// and in Listed.
type Output struct {
	Key child.Key `json:"key,omitzero"`

	// Blocked is why nothing can be written now, for people; empty: it can. Drops says
	// that what comes meanwhile is dropped; else it waits in the FIFO, 64 KiB at most,
	// and then the child does.
	Blocked string `json:"blocked,omitempty"`
	Drops   bool   `json:"drops,omitempty"`

	// Dropped is how many bytes of this attempt were dropped, as long as this shim lives.
	Dropped uint64 `json:"dropped,omitempty"`
}

func (Output) event() {}

// outputHush is how often the brain is told of one child's output: a disk on which
// a little comes free, again and again, is news once a second.
const outputHush = time.Second

// copyOutput moves what the attempt has printed to its log.
func (s *server) copyOutput(a *attempt, hangup bool) {
	if a.out < 0 {
		return
	}
	defer s.tellOutput(a)
	if !a.stuck.IsZero() && a.policy.Drop && time.Now().Before(a.retry) {
		s.drop(a) // it was tried within this second
		return
	}
	n, err := s.copyMarked(a)
	switch {
	case err != nil:
		s.holdBack(a, err)
	case !a.stuck.IsZero():
		a.stuck, a.blocked = time.Time{}, ""
		if !a.unwatched {
			return
		}
		if err := s.poll.watch(a.out, watchOutput, a.n); err != nil {
			a.stuck = time.Now()
			s.lookAgain(a, logRetry)
			return
		}
		a.unwatched = false
	case n == 0 && hangup: // it closed its output, and nobody can open it again
		s.poll.unwatch(a.out)
	}
}

// holdBack is for output that cannot be written. It is tried again, also when the
// attempt prints nothing more: then nothing else says that there is room again.
func (s *server) holdBack(a *attempt, err error) {
	if a.stuck.IsZero() {
		log.Printf("%s: its output cannot be written: %v", a.Key, err)
		a.stuck = time.Now()
	}
	a.blocked = errorText(err)
	a.retry = time.Now().Add(logRetry)
	s.lookAgain(a, logRetry)
	switch {
	case a.policy.Drop && isFull(err):
		s.drop(a)
	case !a.unwatched:
		s.poll.unwatch(a.out)
		a.unwatched = true
	}
}

// isFull reports whether a disk, or the part of it that one may use, is full. What
// else may be wrong with a log is somebody's mistake, and waits until it is mended.
func isFull(err error) bool { return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) }

// errorText is the same for each try.
func errorText(err error) string {
	var errno unix.Errno
	if errors.As(err, &errno) {
		return errno.Error()
	}
	return err.Error()
}

// drop takes what an attempt has printed and keeps none of it.
func (s *server) drop(a *attempt) {
	for range dropsATurn {
		n, err := unix.Read(a.out, s.chunk[:])
		if n == 0 && err == nil && !a.unwatched { // it closed its output: that would be reported for ever
			s.poll.unwatch(a.out)
			a.unwatched = true
		}
		if n <= 0 || err != nil {
			return
		}
		a.dropped += uint64(n)
		a.unmarked += uint64(n)
	}
}

// dropsATurn bounds one turn: a pipe holds less, and the others wait.
const dropsATurn = 64

// copyMarked says in the log where output was dropped, before more is written.
func (s *server) copyMarked(a *attempt) (int64, error) {
	if a.unmarked > 0 && a.log != nil {
		text := fmt.Sprintf("-- reconciler: %d bytes were dropped here: %s --", a.unmarked, a.blocked)
		if err := a.log.WriteLine(text); err != nil {
			return 0, err
		}
	}
	a.unmarked = 0
	return s.copySome(a)
}

// output is what there is to tell of the output of an attempt.
func (a *attempt) output() Output {
	return Output{Blocked: a.blocked, Drops: a.blocked != "" && a.policy.Drop, Dropped: a.dropped}
}

// tellOutput tells the brain what becomes of the output of a child, when that is
// news, and at most once in a hush.
func (s *server) tellOutput(a *attempt) {
	now := a.output()
	if !a.isMain() || now == a.told {
		return
	}
	if rest := time.Until(a.toldAt.Add(outputHush)); rest > 0 {
		s.lookAgain(a, rest)
		return
	}
	a.told, a.toldAt = now, time.Now()
	now.Key = a.Key
	s.send(message{Output: &now})
}
