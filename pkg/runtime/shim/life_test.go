//go:build linux

package shim

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

var exitWith = role("exit", func(args []string) int {
	code, _ := strconv.Atoi(args[0])
	return code
})

// stay prints "up" and waits for a signal.
var stay = role("stay", func([]string) int {
	fmt.Println("up", os.Getpid())
	<-time.After(time.Hour)
	return 0
})

func TestExitCodeIsReportedOnceTheOutputIsInTheLog(t *testing.T) {
	b := newBench(t, "")

	b.client.Start(b.launch(key("web", 0), exitWith, 7))
	p := b.started(key("web", 0))
	r := b.exited(key("web", 0))

	if r.Code == nil || *r.Code != 7 || r.Signal != "" || r.Lost {
		t.Errorf("report = %+v, want exit code 7", r)
	}
	if r.PID != p.PID || r.Attempt != 1 || r.StartedAt.After(r.FinishedAt) {
		t.Errorf("report = %+v of process %+v", r, p)
	}
	b.client.Ack(r.Key)
}

func TestSignalOfTheMainProcessIsReportedByName(t *testing.T) {
	b := newBench(t, "")
	p := b.run(key("web", 0), stay)
	b.printed(key("web", 0), "up ")

	b.client.Signal(key("web", 0), "SIGTERM", false)
	r := b.exited(key("web", 0))

	if r.Signal != "SIGTERM" || r.Code != nil {
		t.Errorf("report = %+v, want SIGTERM and no code", r)
	}
	if p.WeakKill {
		t.Errorf("no cgroup for %+v", p)
	}
	if err := kill(p.PID, 0); err != unix.ESRCH { // by the guarded one, as everywhere
		t.Errorf("kill(%d, 0) = %v, want ESRCH: it was not reaped", p.PID, err)
	}
	b.client.Ack(r.Key)
}
