//go:build linux

package shim

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestShimThatIsStoppedIsNoticedAndSaidAsWhatItIs(t *testing.T) {
	b := newBench(t, "")
	k := key("web", 0)
	p := b.run(k, stay)
	b.disconnect()
	b.beat = 50 * time.Millisecond
	b.connect()
	pid := b.list.Shim.PID

	if err := kill(pid, unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	down := await[Down](b, nil)
	if err := kill(pid, unix.SIGCONT); err != nil {
		t.Fatal(err)
	}
	again := await[Listed](b, nil)

	want := fmt.Sprintf("the shim (pid %d) does not answer: it is stopped (state T); kill -CONT %d lets it go on", pid, pid)
	if !strings.HasPrefix(down.Err.Error(), want) {
		t.Errorf("down: %v, want %s", down.Err, want)
	}
	if again.Shim.PID != pid || len(again.Running) != 1 || again.Running[0].PID != p.PID {
		t.Errorf("afterwards %+v, want the same shim with pid %d", again, p.PID)
	}
	b.client.Signal(k, "SIGKILL", true)
	b.exited(k)
	b.client.Ack(k)
}

func TestPulseCountsQuestionsThatWereNotAnswered(t *testing.T) {
	p := &pulse{shim: Info{Capabilities: []Capability{Heartbeat}}}

	for i := range 3 * pulseMisses {
		if ask, err := p.beat(); !ask || err != nil {
			t.Fatalf("beat %d of a shim that answers: %v, %v", i, ask, err)
		}
		p.heard(false)
	}
	p.heard(true)
	for i := range 3 * pulseMisses {
		if ask, err := p.beat(); ask || err != nil {
			t.Fatalf("beat %d while an event is handed over: %v, %v", i, ask, err)
		}
	}
	p.heard(false)
	for range pulseMisses {
		if _, err := p.beat(); err != nil {
			t.Fatalf("hung too early: %v", err)
		}
	}

	if _, err := p.beat(); err == nil || p.reason(nil) != err {
		t.Errorf("after %d questions without an answer: %v, reason %v", pulseMisses, err, p.reason(nil))
	}
}

func TestShimThatCannotBeAskedIsJudgedByWhatTheKernelSays(t *testing.T) {
	b := newBench(t, "")
	k := key("web", 0)
	old := b.run(k, stay) // plays a shim of an older version

	p := &pulse{shim: Info{PID: old.PID}}
	for range 3 * pulseMisses {
		if ask, err := p.beat(); ask || err != nil {
			t.Fatalf("beat of one that runs: %v, %v", ask, err)
		}
	}
	b.client.Signal(k, "SIGSTOP", false)
	b.until("it is stopped", func() bool { return isHeld(old.PID) })
	var err error
	for range pulseMisses {
		_, err = p.beat()
	}

	if err == nil || !strings.Contains(err.Error(), "it is stopped") {
		t.Errorf("beat of one that is stopped: %v", err)
	}
	b.client.Signal(k, "SIGKILL", true)
	b.exited(k)
	b.client.Ack(k)
}
