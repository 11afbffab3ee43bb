package server

import (
	"strings"
	"testing"
)

// chown(2) takes 4294967295 for "leave the group as it is": the group that happened to
// be there would be let in.
func TestControlGroupIsAGroupOfThisMachine(t *testing.T) {
	for name, want := range map[string]int{"": -1, "0": 0, "2147483648": 2147483648, "root": 0} {
		if got, err := groupID(name); got != want || err != nil {
			t.Errorf("groupID(%q) = %d, %v; want %d", name, got, err, want)
		}
	}
	for _, name := range []string{"4294967295", "4294967296", "-1", "no-such-group-here"} {
		if got, err := groupID(name); err == nil || !strings.Contains(err.Error(), "--control-group") || !strings.Contains(err.Error(), "groupadd") {
			t.Errorf("groupID(%q) = %d, %v; want a refusal with the way out", name, got, err)
		}
	}
}
