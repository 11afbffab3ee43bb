package daemon

import (
	"strings"
	"testing"
)

func TestStatusGroupIsAGroupOfThisMachine(t *testing.T) {
	for name, want := range map[string]int{"0": 0, "2147483648": 2147483648, "root": 0} {
		if got, err := statusGroup(name); err != nil || got == nil || *got != want {
			t.Errorf("statusGroup(%q) = %v, %v; want %d", name, got, err, want)
		}
	}
	for _, name := range []string{"4294967295", "-1", "no-such-group-here"} {
		if got, err := statusGroup(name); err == nil || !strings.Contains(err.Error(), "--status-group") || !strings.Contains(err.Error(), "groupadd") {
			t.Errorf("statusGroup(%q) = %v, %v; want a refusal with the way out", name, got, err)
		}
	}
	if got, err := statusGroup(""); got != nil || err != nil {
		t.Errorf("without the flag: %v, %v", got, err)
	}
}
