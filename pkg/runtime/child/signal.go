package child

import (
	"fmt"
	"slices"
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

// CheckSignal says why name is not one of SignalNames; nil if it is.
func CheckSignal(name string) error {
	if _, known := slices.BinarySearch(signalNames, name); known {
		return nil
	}
	if strings.TrimSpace(name) == "" {
		return fmt.Errorf("signal is missing; name one, such as SIGHUP")
	}
	meant := "SIG" + strings.TrimPrefix(strings.ToUpper(strings.TrimSpace(name)), "SIG")
	if _, known := slices.BinarySearch(signalNames, meant); known {
		return fmt.Errorf("signal %.40q is unknown; did you mean %s?", name, meant)
	}
	return fmt.Errorf("signal %.40q is unknown; the signals are %s", name, strings.Join(signalNames, ", "))
}
