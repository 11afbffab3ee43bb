//go:build linux

package shim

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// ignoreTerm prints "up" and cannot be stopped gently.
var ignoreTerm = role("ignore-term", func([]string) int {
	signal.Ignore(unix.SIGTERM)
	fmt.Println("up", os.Getpid())
	<-time.After(time.Hour)
	return 0
})

// family starts a grandchild of the given role, prints "grandchild PID", and
// exits with a code, or stays if that is -1. With setsid the grandchild leaves
// session and process group, and with "bare" its environment is empty.
var family = role("family", func(args []string) int {
	self, _ := os.Executable()
	cmd := exec.Command(self, asChild, args[0])
	cmd.Stdout = os.Stdout
	for _, how := range args[2:] {
		switch how {
		case "setsid":
			cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		case "bare":
			cmd.Env = []string{"A=b"}
		}
	}
	if err := cmd.Start(); err != nil {
		fmt.Println(err)
		return 99
	}
	fmt.Println("grandchild", cmd.Process.Pid)
	code, _ := strconv.Atoi(args[1])
	if code >= 0 {
		return code
	}
	<-time.After(time.Hour)
	return 0
})

// hosts are the two kinds of hosts: with and without cgroups.
var hosts = map[string]string{"with cgroups": "", "without cgroups": nowhere}

func TestKillOfTheTreeEndsEverybodyWhoIgnoresTerm(t *testing.T) {
	for name, host := range hosts {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, host)
			k := key("app/web", 0)
			p := b.run(k, family, ignoreTerm, -1, "setsid")
			grandchild := b.printedPID(k, "grandchild ")
			b.printed(k, "up ")

			b.client.Signal(k, "SIGKILL", true)
			r := b.exited(k)

			if r.Signal != "SIGKILL" || len(r.Leftovers) > 0 {
				t.Errorf("report = %+v, want SIGKILL and no leftovers", r)
			}
			if !b.gone(grandchild) {
				t.Errorf("the grandchild %s lives after the report", describe(grandchild))
			}
			if p.WeakKill != (host == nowhere) {
				t.Errorf("WeakKill = %v", p.WeakKill)
			}
			b.client.Ack(k)
		})
	}
}

func TestLeftoversOfAChildThatEndedByItselfAreKilledAtOnce(t *testing.T) {
	for name, host := range hosts {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, host)
			k := key("web", 0)

			b.run(k, family, ignoreTerm, 3, "setsid")
			r := b.exited(k)

			if r.Code == nil || *r.Code != 3 {
				t.Errorf("report = %+v, want code 3", r)
			}
			if grandchild := b.printedPID(k, "grandchild "); !b.gone(grandchild) {
				t.Errorf("the grandchild %s lives beside a successor", describe(grandchild))
			}
			b.client.Ack(k)
		})
	}
}

func TestEscapeeWithAnEmptyEnvironmentIsKilledByItsCgroup(t *testing.T) {
	b := newBench(t, "")
	k := key("web", 0)

	b.run(k, family, stay, 0, "setsid", "bare")
	b.exited(k)

	if grandchild := b.printedPID(k, "grandchild "); !b.gone(grandchild) {
		t.Errorf("%s escaped", describe(grandchild))
	}
	b.client.Ack(k)
}

func TestStopWaitsForTheTreeUntilItIsKilled(t *testing.T) {
	for name, host := range hosts {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, host)
			k := key("web", 0)
			p := b.run(k, family, ignoreTerm, -1)
			grandchild := b.printedPID(k, "grandchild ")
			b.printed(k, "up ")

			b.client.Signal(k, "SIGTERM", true)
			b.until("the main process ends", func() bool { return b.gone(p.PID) })
			b.client.Start(b.launch(key("web", 1), stay))
			refused := await[StartFailed](b, nil)

			if !refused.Busy {
				t.Errorf("a second attempt beside %s: %+v", describe(grandchild), refused)
			}
			if b.gone(grandchild) {
				t.Error("the grandchild got no time to end")
			}

			b.client.Signal(k, "SIGKILL", true)
			r := b.exited(k)

			if r.Signal != "SIGTERM" || len(r.Leftovers) > 0 || !b.gone(grandchild) {
				t.Errorf("report = %+v, want SIGTERM and nobody left", r)
			}
			b.client.Ack(k)
		})
	}
}

func TestTermOfTheTreeSparesSessionsOfTheirOwn(t *testing.T) {
	b := newBench(t, "")
	k := key("web", 0)
	p := b.run(k, family, stay, -1, "setsid")
	grandchild := b.printedPID(k, "grandchild ")
	b.printed(k, "up ")

	b.client.Signal(k, "SIGTERM", true)
	b.until("the main process ends", func() bool { return b.gone(p.PID) })

	if b.gone(grandchild) {
		t.Error("the worker got the signal: its daemon could not end it in its own way")
	}
	b.client.Signal(k, "SIGKILL", true)
	b.exited(k)
	b.client.Ack(k)
}

// bomb forks copies of itself that fork until there are some hundred.
var bomb = role("bomb", func(args []string) int {
	depth, _ := strconv.Atoi(args[0])
	self, _ := os.Executable()
	for range 3 {
		if depth > 0 {
			_ = exec.Command(self, asChild, "bomb", strconv.Itoa(depth-1)).Start()
		}
	}
	fmt.Println("up")
	<-time.After(time.Hour)
	return 0
})

func TestKillWinsAgainstAProcessThatForks(t *testing.T) {
	b := newBench(t, "")
	k := key("web", 0)
	b.run(k, bomb, 4)
	b.printed(k, "up")

	b.client.Signal(k, "SIGKILL", true)
	r := b.exited(k)

	if len(r.Leftovers) > 0 {
		t.Errorf("left: %v", r.Leftovers)
	}
	b.client.Ack(k)
}

// hangup counts SIGHUPs.
var hangup = role("hangup", func([]string) int {
	got := make(chan os.Signal, 1)
	signal.Notify(got, unix.SIGHUP)
	fmt.Println("up")
	<-got
	return 5
})

func TestSignalThatCameDuringTheStartIsDelivered(t *testing.T) {
	b := newBench(t, "")
	k := key("web", 0)

	b.client.Start(b.launch(k, stay))
	b.client.Signal(k, "SIGKILL", true)
	r := b.exited(k)

	if r.Signal != "SIGKILL" {
		t.Errorf("report = %+v, want SIGKILL", r)
	}
	b.client.Ack(k)
}

func TestSignalOfTheMainProcessCanBeHandled(t *testing.T) {
	b := newBench(t, "")
	k := key("web", 0)
	b.run(k, hangup)
	b.printed(k, "up")

	b.client.Signal(k, "SIGNONSENSE", false)
	b.client.Signal(k, "SIGHUP", false)
	r := b.exited(k)

	if r.Code == nil || *r.Code != 5 {
		t.Errorf("report = %+v, want code 5", r)
	}
	b.client.Ack(k)
}

func TestARealTimeSignalIsSentAndNamed(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("there are none")
	}
	for _, name := range []string{"SIGRTMIN+3", "SIGRTMAX-27"} {
		b := newBench(t, "")
		k := key("web", 0)
		b.run(k, stay)

		b.client.Signal(k, name, true)
		r := b.exited(k)

		if r.Signal != "SIGRTMIN+3" {
			t.Errorf("%s: report = %+v, want SIGRTMIN+3", name, r)
		}
		b.client.Ack(k)
	}
}

func TestKillRefusesWhatCouldBeEverybody(t *testing.T) {
	for _, target := range []int{-1, 0, 1, os.Getpid(), -unix.Getpgrp()} {
		if err := kill(target, 0); err == nil {
			t.Errorf("kill(%d) was done", target)
		}
	}
	if _, err := openProcess(-1); err == nil {
		t.Error("pid -1 was opened")
	}
}
