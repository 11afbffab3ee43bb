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
		"":            "name one",
		"  ":          "name one",
		"hup":         "did you mean SIGHUP?",
		"SIGusr1":     "did you mean SIGUSR1?",
		"SIGFOO":      "SIGHUP, SIGILL",
		"9":           "SIGKILL",
		"SIGRT":       "SIGTERM",
		"SIGRTMIN+31": "SIGRTMIN to SIGRTMIN+30",
		"SIGRTMIN-1":  "SIGRTMIN to",
		"SIGRTMIN+03": "SIGRTMIN to",
		"SIGRTMIN++3": "SIGRTMIN to",
		"SIGRTMIN+":   "SIGRTMIN to",
		"SIGRTMAX+1":  "SIGRTMIN to",
		"SIGRTMAX-31": "SIGRTMIN to",
		"rtmin+3":     "did you mean SIGRTMIN+3?",
		"RTMAX-2":     "did you mean SIGRTMAX-2?",
	} {
		if err := CheckSignal(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("CheckSignal(%q) = %v, want an error that says %q", name, err, want)
		}
	}
}

func TestRealTimeSignalsHaveTheNumbersOfGlibc(t *testing.T) {
	for name, row := range map[string]struct {
		number int
		shown  string
	}{
		"SIGRTMIN":    {34, "SIGRTMIN"},
		"SIGRTMIN+0":  {34, "SIGRTMIN"},
		"SIGRTMIN+3":  {37, "SIGRTMIN+3"}, // systemd: halt
		"SIGRTMIN+30": {64, "SIGRTMIN+30"},
		"SIGRTMAX":    {64, "SIGRTMIN+30"},
		"SIGRTMAX-1":  {63, "SIGRTMIN+29"},
		"SIGRTMAX-30": {34, "SIGRTMIN"},
	} {
		number, ok := RealTimeSignal(name)

		if number != row.number || !ok {
			t.Errorf("RealTimeSignal(%s) = %d, %v, want %d", name, number, ok, row.number)
		}
		if got := RealTimeName(number); got != row.shown {
			t.Errorf("RealTimeName(%d) = %q, want %q", number, got, row.shown)
		}
		if err := CheckSignal(name); err != nil {
			t.Error(err)
		}
	}
	for _, number := range []int{0, 15, 32, 33, 65} {
		if got := RealTimeName(number); got != "" {
			t.Errorf("RealTimeName(%d) = %q", number, got)
		}
	}
}
