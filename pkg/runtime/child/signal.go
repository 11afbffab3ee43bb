package child

import (
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// signalNames are the signals that Linux and macOS both have, sorted.
var signalNames = []string{
	"SIGABRT", "SIGALRM", "SIGBUS", "SIGCHLD", "SIGCONT", "SIGFPE", "SIGHUP", "SIGILL", "SIGINT", "SIGIO", "SIGKILL",
	"SIGPIPE", "SIGPROF", "SIGQUIT", "SIGSEGV", "SIGSTOP", "SIGSYS", "SIGTERM", "SIGTRAP", "SIGTSTP", "SIGTTIN",
	"SIGTTOU", "SIGURG", "SIGUSR1", "SIGUSR2", "SIGVTALRM", "SIGWINCH", "SIGXCPU", "SIGXFSZ",
}

// SignalNames are the names of the signals that can be sent by command. The
// slice is the caller's.
func SignalNames() []string { return slices.Clone(signalNames) }

// The real-time signals have the numbers that glibc gives programs; the two below are
// its own. Docker and systemd count the same way, whatever C library a child has.
const (
	rtMin = 34
	rtMax = 64
)

// RealTimeSignal is the number of SIGRTMIN+3 or SIGRTMAX-11, as systemd's signals are
// called; ok is false for other names, and where the system has no such signals.
func RealTimeSignal(name string) (number int, ok bool) {
	base, sign, by := rtMin, 1, "0"
	switch {
	case runtime.GOOS != "linux":
		return 0, false
	case name == "SIGRTMAX":
		base = rtMax
	case strings.HasPrefix(name, "SIGRTMIN+"):
		by = strings.TrimPrefix(name, "SIGRTMIN+")
	case strings.HasPrefix(name, "SIGRTMAX-"):
		base, sign, by = rtMax, -1, strings.TrimPrefix(name, "SIGRTMAX-")
	case name != "SIGRTMIN":
		return 0, false
	}
	n, err := strconv.Atoi(by)
	if err != nil || strconv.Itoa(n) != by || n < 0 || n > rtMax-rtMin {
		return 0, false
	}
	return base + sign*n, true
}

// RealTimeName is what RealTimeSignal calls a number: SIGRTMIN+30 for 64; "" for that of
// another signal.
func RealTimeName(number int) string {
	switch {
	case runtime.GOOS != "linux" || number < rtMin || number > rtMax:
		return ""
	case number == rtMin:
		return "SIGRTMIN"
	}
	return "SIGRTMIN+" + strconv.Itoa(number-rtMin)
}

func isSignal(name string) bool {
	_, known := slices.BinarySearch(signalNames, name)
	_, realTime := RealTimeSignal(name)
	return known || realTime
}

// CheckSignal says why name is neither one of SignalNames nor a real-time signal; nil
// if it is.
func CheckSignal(name string) error {
	if isSignal(name) {
		return nil
	}
	if strings.TrimSpace(name) == "" {
		return fmt.Errorf("signal is missing; name one, such as SIGHUP")
	}
	meant := "SIG" + strings.TrimPrefix(strings.ToUpper(strings.TrimSpace(name)), "SIG")
	if isSignal(meant) {
		return fmt.Errorf("signal %.40q is unknown; did you mean %s?", name, meant)
	}
	return fmt.Errorf("signal %.40q is unknown; the signals are %s%s", name, strings.Join(signalNames, ", "), andRealTime())
}

func andRealTime() string {
	if runtime.GOOS != "linux" {
		return ""
	}
	return ", SIGRTMIN to SIGRTMIN+30"
}
