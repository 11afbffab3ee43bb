package child

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestEverySignalThatCanBeNamedIsOneOfTheSystem(t *testing.T) {
	if !slices.IsSorted(signalNames) {
		t.Error("the names are not sorted")
	}
	for _, name := range SignalNames() {
		if unix.SignalNum(name) == 0 {
			t.Errorf("the system has no %s", name)
		}
		if err := CheckSignal(name); err != nil {
			t.Error(err)
		}
	}
}

func TestAnUnknownSignalIsRefusedWithTheWayOut(t *testing.T) {
	for name, want := range map[string]string{
		"":         "name one",
		"  ":       "name one",
		"hup":      "did you mean SIGHUP?",
		"SIGusr1":  "did you mean SIGUSR1?",
		"SIGFOO":   "SIGHUP, SIGILL",
		"9":        "SIGKILL",
		"SIGRTMIN": "SIGTERM",
	} {
		if err := CheckSignal(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("CheckSignal(%q) = %v, want an error that says %q", name, err, want)
		}
	}
}
